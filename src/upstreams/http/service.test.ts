import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { createServer } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Outcome } from "../cloudevents/outcome.ts";
import { Agenda, nowMs } from "../delivery/agenda.ts";
import { testLimits } from "../fixtures.test.helper.ts";
import { TestService } from "./fixtures.test.helper.ts";
import { Service } from "./service.ts";

// Self-signed, for 127.0.0.1; it protects nothing.
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgiS54DseetQ4UPd/2
Yx7JkrjP/IpH3JB5untooePZYGuhRANCAATzgSAXRv6x2SI/7yUlMm1d3omv0L8M
MDt+lmxXmK5eZvfWW0wUuZSZyUvct777neAz6etTnTaAMn/4ahk/BV8Y
-----END PRIVATE KEY-----`;
const cert = `-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUS6hQtnNDHd1pcbp/ZHu1QJC9W0wwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDA4NTE0MFoYDzIxMjYxMDMx
MDg1MTQwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATzgSAXRv6x2SI/7yUlMm1d3omv0L8MMDt+lmxXmK5eZvfWW0wUuZSZ
yUvct777neAz6etTnTaAMn/4ahk/BV8Yo28wbTAdBgNVHQ4EFgQUxTCTUcjQtv7X
TWjDXQLPyeL/kEkwHwYDVR0jBBgwFoAUxTCTUcjQtv7XTWjDXQLPyeL/kEkwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARhwR/AAABgglsb2NhbGhvc3QwCgYIKoZI
zj0EAwIDSQAwRgIhAME0W5YWJFsNbzWRg6xJVdzP1fq/75o56eiYxvwSOjTNAiEA
+cHJPiMCZsv4YO7kuGkOtf7NQy7Nhv+89A1WZfK5CDg=
-----END CERTIFICATE-----`;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const agenda = new Agenda();
let remote: TestService;
let service: Service;

beforeEach(async () => {
  remote = new TestService();
  await remote.listen();
  service = new Service(`http://127.0.0.1:${remote.port}/a?b=c`, testLimits, agenda);
});
afterEach(async () => {
  service.close();
  await remote.stop();
  assert.equal(agenda.size, 0, "every deadline was taken back");
});

function post(to = service, timeoutMs = 5000): Promise<Outcome> {
  return to.exchange("POST", ["x-name", "value"], Buffer.from("body"), nowMs() + timeoutMs);
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

test("an answer in pieces comes back whole, without informational ones", async () => {
  remote.respond = (_request, response) => {
    response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
    response.writeHead(201, { "x-answer": "yes" });
    response.write("one ");
    setImmediate(() => response.end("two"));
  };
  const outcome = await post();
  assert.ok(outcome.kind === "answer");
  assert.equal(outcome.status, 201);
  assert.equal(outcome.headers["x-answer"], "yes");
  assert.equal(outcome.body.toString(), "one two");
  const [request] = remote.requests;
  assert.deepEqual([request?.url, request?.headers["x-name"]], ["/a?b=c", "value"]);
});

test("an answer that comes in single bytes takes no more memory than others", async () => {
  const chunks = 100_000;
  const seen = channel("undici:request:bodyChunkReceived");
  let received = 0;
  let grown = 0;
  const count = () => {
    received += 1;
    if (received < chunks) return;
    collect();
    grown = process.memoryUsage().heapUsed - before;
  };
  const server = createServer((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      socket.end(`${"1\r\nx\r\n".repeat(chunks)}0\r\n\r\n`);
    });
  });
  const slow = new Service(`http://127.0.0.1:${await listen(server)}/`, testLimits, agenda);
  collect();
  const before = process.memoryUsage().heapUsed;
  seen.subscribe(count);
  const outcome = await post(slow);
  seen.unsubscribe(count);
  server.close();
  slow.close();
  assert.equal(outcome.kind === "answer" && outcome.body.toString(), "x".repeat(chunks));
  assert.ok(grown < 20 * chunks, `${grown} bytes for ${chunks}`);
});

test("an answer past the bound is not read to its end, and its status is kept", async () => {
  const limits = { ...testLimits, serviceResponseBytesMax: 1000 };
  const bounded = new Service(`http://127.0.0.1:${remote.port}/`, limits, agenda);
  let isClosed = false;
  remote.respond = (_request, response) => {
    response.writeHead(200);
    const flood = setInterval(() => response.write("x".repeat(600)), 1);
    response.on("close", () => {
      clearInterval(flood);
      isClosed = true;
    });
  };
  const outcome = await post(bounded);
  assert.ok(outcome.kind === "answer");
  assert.deepEqual([outcome.status, outcome.tooBig, outcome.body.length], [200, true, 0]);
  while (!isClosed) await new Promise((resolve) => setImmediate(resolve));
  bounded.close();
});

test("a header may hold the longest connection state, percent-encoded", async () => {
  const state = encodeURIComponent("é".repeat(32_768));
  remote.respond = (_request, response) => {
    response.writeHead(204, { "ce-connectionstate": state }).end();
  };
  const outcome = await post();
  assert.ok(outcome.kind === "answer");
  assert.equal(outcome.headers["ce-connectionstate"], state);
});

test("nobody there, no such host and a foreign certificate are all not reached", async () => {
  const secure = createHttpsServer({ key, cert });
  const port = await listen(secure);
  const closed = createServer();
  const closedPort = await listen(closed);
  await new Promise((resolve) => closed.close(resolve));
  const urls: [string, RegExp][] = [
    [`http://127.0.0.1:${closedPort}/`, /ECONNREFUSED/],
    ["http://host.invalid/", /ENOTFOUND|EAI_AGAIN/],
    [`https://127.0.0.1:${port}/`, /self-signed certificate/],
  ];
  for (const [url, cause] of urls) {
    const elsewhere = new Service(url, testLimits, agenda);
    const outcome = await post(elsewhere);
    assert.ok(outcome.kind === "none");
    assert.equal(outcome.reached, false, url);
    assert.match(outcome.cause, cause);
    elsewhere.close();
  }
  await new Promise((resolve) => secure.close(resolve));
});

test("what broke off after it was sent, or took too long, was reached", async () => {
  remote.respond = (_request, response) => void response.destroy();
  const broken = await post();
  assert.ok(broken.kind === "none" && broken.reached);
  remote.respond = () => {};
  const late = await post(service, 20);
  assert.ok(late.kind === "none" && late.reached);
  assert.equal(late.cause, "no answer in time");
  remote.respond = (_request, response) => void response.writeHead(204).end();
  assert.equal((await post()).kind, "answer");
});

test("a service that speaks no HTTP gives no answer", async () => {
  const babbler = createServer((socket) => socket.resume().end("220 smtp ready\r\n"));
  const elsewhere = new Service(`http://127.0.0.1:${await listen(babbler)}/`, testLimits, agenda);
  assert.equal((await post(elsewhere)).kind, "none");
  elsewhere.close();
  await new Promise((resolve) => babbler.close(resolve));
});

test("the name for people has neither credentials nor query", () => {
  const named = new Service("https://user:pass@host.example:8443/e?code=1", testLimits, agenda);
  assert.equal(named.name, "https://host.example:8443/e");
});
