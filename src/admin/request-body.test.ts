/** How connections fare under calls that are refused, large, slow or no HTTP at all. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { type Fixture, startAdmin } from "./fixture.test.helper.ts";

const SEND = "/api/hubs/chat/:send";
const plain = { "content-type": "text/plain" };

/** Speaks HTTP by hand: what is written, and all that comes back until the connection ends. */
async function openRaw(t: TestContext, { host, port }: Fixture): Promise<Socket> {
  const socket = connect(port, host);
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

async function readUntil(socket: Socket, done: (received: string) => boolean): Promise<string> {
  let received = "";
  while (!done(received)) {
    const chunk = socket.read() as Buffer | null;
    if (chunk !== null) received += chunk.toString();
    else if (socket.readableEnded) break;
    else await Promise.race([once(socket, "readable"), once(socket, "end")]);
  }
  return received;
}

test("a client that goes on sending a body too large reads the answer, not a reset", async (t) => {
  const fixture = await startAdmin(t);
  for (const framing of ["Content-Length: 3000000", "Transfer-Encoding: chunked"]) {
    const socket = await openRaw(t, fixture);
    socket.write(`POST ${SEND} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n`);
    socket.write(`${framing}\r\n\r\n`);
    const chunked = framing.startsWith("T");
    const piece = "x".repeat(100_000);
    for (let count = 0; count < 30; count += 1) {
      socket.write(chunked ? `186a0\r\n${piece}\r\n` : piece);
    }
    socket.end(chunked ? "0\r\n\r\n" : "");
    const received = await readUntil(socket, () => false);
    assert.match(received, /^HTTP\/1\.1 413 /);
    assert.match(received, /connection: close/i);
    assert.match(received, /"target":"pushBytesMax"/);
  }
  assert.deepEqual(fixture.bus.commands, []);
});

test("a body that nobody waits for ends with the connection after closeTimeoutMs", async (t) => {
  const fixture = await startAdmin(t, { limits: { closeTimeoutMs: 30 } });
  const socket = await openRaw(t, fixture);
  socket.write(`POST ${SEND} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n`);
  socket.write("Content-Length: 3000000\r\n\r\nthe rest never comes");
  assert.match(await readUntil(socket, () => false), /^HTTP\/1\.1 413 /);
});

test("a client that asks with Expect is told 413 before it sends, or to continue", async (t) => {
  const fixture = await startAdmin(t);
  const head = `POST ${SEND} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n`;
  const refused = await openRaw(t, fixture);
  refused.write(`${head}Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n`);
  const answer = await readUntil(refused, (received) => received.includes("\r\n\r\n"));
  assert.match(answer, /^HTTP\/1\.1 413 /);
  const accepted = await openRaw(t, fixture);
  accepted.write(`${head}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`);
  const told = await readUntil(accepted, (received) => received.includes("\r\n\r\n"));
  assert.match(told, /^HTTP\/1\.1 100 /);
  accepted.write("hi");
  assert.match(await readUntil(accepted, (text) => text.includes("\r\n\r\n")), /^HTTP\/1\.1 202 /);
});

test("bodies that together fill the memory set apart for them are refused with 503", async (t) => {
  const fixture = await startAdmin(t);
  const head = `POST ${SEND} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n`;
  // 64 bodies of the largest size fit; each of these holds all but its last byte.
  const holders: Socket[] = [];
  for (let count = 0; count < 64; count += 1) {
    const socket = await openRaw(t, fixture);
    socket.write(`${head}Content-Length: 1000\r\n\r\n${"x".repeat(999)}`);
    holders.push(socket);
  }
  const init = { method: "POST", headers: plain, body: "x".repeat(900) };
  let response = await fetch(fixture.url + SEND, init);
  while (response.status === 202) response = await fetch(fixture.url + SEND, init);
  assert.equal(response.status, 503);
  assert.equal(((await response.json()) as { code: string }).code, "Busy");
  for (const socket of holders) socket.destroy();
  while (response.status === 503) response = await fetch(fixture.url + SEND, init);
  assert.equal(response.status, 202, "what was held is given back");
});

test("a refused call with a small body leaves the connection usable", async (t) => {
  const fixture = await startAdmin(t);
  const socket = await openRaw(t, fixture);
  socket.write("POST /nope HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi");
  await readUntil(socket, (received) => received.endsWith("}"));
  socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const second = await readUntil(socket, (received) => received.includes("\r\n\r\n"));
  assert.match(second, /^HTTP\/1\.1 200 /);
});

test("what is no HTTP is answered with 400, and a head too large with 431, as JSON", async (t) => {
  const fixture = await startAdmin(t);
  const broken: [string, RegExp][] = [
    ["NONSENSE\r\n\r\n", /^HTTP\/1\.1 400 .*"code":"BadRequest"/s],
    [
      `GET / HTTP/1.1\r\nX: ${"x".repeat(70_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 .*"code":"HeadTooLarge"/s,
    ],
  ];
  for (const [written, expected] of broken) {
    const socket = await openRaw(t, fixture);
    socket.write(written);
    assert.match(await readUntil(socket, () => false), expected);
  }
});
