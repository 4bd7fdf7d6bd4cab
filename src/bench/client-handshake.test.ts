import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientHandshake } from "./client-handshake.ts";

// RFC 6455, 1.3.
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const target = { address: "127.0.0.1", port: 8000, host: "bench.example", path: "/a?b=c" };
const handshake = new ClientHandshake(target, ["Origin: http://bench.example"], KEY);

test("the request asks for a WebSocket at the target, with the fields that were given", () => {
  assert.equal(
    Buffer.from(handshake.request).toString(),
    "GET /a?b=c HTTP/1.1\r\nHost: bench.example\r\nUpgrade: websocket\r\n" +
      `Connection: Upgrade\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n` +
      "Origin: http://bench.example\r\n\r\n",
  );
});

const read = (text: string) => handshake.read(Buffer.from(text, "latin1"));
const upgrade = "upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n";
const fields = `X: y\r\n${upgrade}SEC-websocket-Accept:  ${ACCEPT} \r\nZ: z`;
const accepted = `HTTP/1.1 101 Switching\r\n${fields}\r\n\r\n`;

test("an answer with the right accept key accepts, and ends where its head does", () => {
  assert.deepEqual(read(accepted), { is: "accepted", length: accepted.length });
  assert.deepEqual(read(`${accepted}\x81\x00`), { is: "accepted", length: accepted.length });
});

test("an answer that is not whole says nothing yet, until it is longer than any", () => {
  for (let length = 0; length < accepted.length; length += 1) {
    assert.deepEqual(read(accepted.slice(0, length)), { is: "unfinished" });
  }
  const endless = `HTTP/1.1 101 Switching\r\n${"X: y\r\n".repeat(4000)}`;
  assert.deepEqual(read(endless), { is: "refused", kind: "an endless response" });
});

const refusals: [name: string, response: string, kind: string][] = [
  ["another status", "HTTP/1.1 503 Service Unavailable\r\n\r\nlater", "http 503"],
  ["a status alone", "HTTP/1.1 404\r\n\r\n", "http 404"],
  ["no HTTP", "SSH-2.0\r\n\r\n", "no HTTP"],
  ["no accept key", `HTTP/1.1 101 Switching\r\n${upgrade}\r\n`, "wrong accept key"],
  ["no Upgrade", accepted.replace("upgrade: WebSocket\r\n", ""), "no upgrade"],
  ["another upgrade", accepted.replace("WebSocket", "h2c"), "no upgrade"],
  ["a Connection without it", accepted.replace(", Upgrade", ", upgrades"), "no upgrade"],
  [
    "an extension that was not asked for",
    accepted.replace("X: y", "sec-websocket-extensions: permessage-deflate"),
    "Sec-WebSocket-Extensions unasked",
  ],
  [
    "a subprotocol that was not asked for",
    accepted.replace("X: y", "Sec-WebSocket-Protocol: chat"),
    "Sec-WebSocket-Protocol unasked",
  ],
  ["another key", accepted.replace("s3pP", "s3pp"), "wrong accept key"],
  ["a longer key", accepted.replace(ACCEPT, `${ACCEPT}x`), "wrong accept key"],
];

for (const [name, response, kind] of refusals) {
  test(`${name} refuses as "${kind}"`, () => {
    assert.deepEqual(read(response), { is: "refused", kind });
  });
}

test("a subprotocol that was asked for may be agreed on", () => {
  const asking = new ClientHandshake(target, ["sec-websocket-protocol: chat"], KEY);
  const answer = Buffer.from(accepted.replace("X: y", "Sec-WebSocket-Protocol: chat"), "latin1");
  assert.equal(asking.read(answer).is, "accepted");
  assert.equal(asking.read(answer).is, "accepted");
});
