import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { until } from "../../../test/support/until.ts";
import { BINARY, TEXT } from "../../core/opcode.ts";
import { signConnection, signEvent } from "../cloudevents/signature.ts";
import { HELD } from "../upstream.ts";
import type { Bench, BenchOptions, Respond } from "./fixtures.test.helper.ts";
import { startBench } from "./fixtures.test.helper.ts";

let bench: Bench;

async function begin(options: BenchOptions = {}): Promise<Bench> {
  bench = await startBench(options);
  bench.sink.open(1);
  return bench;
}

beforeEach(() => begin());

async function again(options: BenchOptions): Promise<void> {
  await bench.stop();
  await begin(options);
}

function status(code: number, headers: Record<string, string> = {}, body?: string | Buffer) {
  return ((_request, response) => void response.writeHead(code, headers).end(body)) as Respond;
}

/** Answers in turn, the last one for ever. */
function inTurn(...responds: Respond[]): Respond {
  let index = 0;
  return (request, response) => {
    responds[Math.min(index, responds.length - 1)]?.(request, response);
    index += 1;
  };
}

function texts(event = "message"): string[] {
  return bench.service.of(event).map((request) => request.text);
}

test("every header of a message is as the contract says", async () => {
  await again({ signingKeys: ["key-one", "key-two"] });
  bench.sink.open(1, {
    userId: 'anna "€" 100%😀',
    subprotocol: "json.v1",
    connectionState: "s t",
  });
  const beforeMs = Date.now();
  assert.equal(bench.upstream.message(1, 7, TEXT, Buffer.from("_hi_"), 1, 2), HELD);
  await until(() => bench.sink.count("acknowledged") === 1);
  const [request] = bench.service.requests;
  assert.ok(request);
  const {
    "ce-id": id,
    "ce-time": time,
    "headgate-signature": signature,
    ...rest
  } = request.headers;
  const source = "/hubs/chat/client/connection.1";
  const userId = "anna%20%22%E2%82%AC%22%20100%25%F0%9F%98%80";
  assert.deepEqual(rest, {
    host: `127.0.0.1:${bench.service.port}`,
    connection: "keep-alive",
    "content-length": "2",
    "content-type": "text/plain; charset=utf-8",
    "webhook-request-origin": "gateway.example",
    "ce-specversion": "1.0",
    "ce-type": "headgate.user.message",
    "ce-source": source,
    "ce-hub": "chat",
    "ce-connectionid": "connection.1",
    "ce-userid": userId,
    "ce-eventname": "message",
    "ce-subprotocol": "json.v1",
    "ce-connectionstate": "s%20t",
    "ce-messagenumber": "7",
    "ce-signature": signConnection(["key-one", "key-two"], "connection.1"),
  });
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Date.parse(String(time)) >= beforeMs);
  const t = Number(/^t=(\d+),/.exec(String(signature))?.[1]);
  const type = "headgate.user.message";
  const body = Buffer.from("hi");
  const signed = { id: String(id), type, source, userId, connectionState: "s%20t", body };
  assert.equal(signature, signEvent("key-one", t, signed));
});

test("an anonymous connection without keys has none of the optional headers", async () => {
  bench.upstream.message(1, 1, BINARY, new Uint8Array([0, 255]), 0, 2);
  await until(() => bench.sink.count("acknowledged") === 1);
  const [request] = bench.service.requests;
  assert.equal(request?.headers["content-type"], "application/octet-stream");
  assert.deepEqual(request?.body, Buffer.from([0, 255]));
  for (const name of ["userid", "subprotocol", "connectionstate", "signature"]) {
    assert.equal(request?.headers[`ce-${name}`], undefined, name);
  }
  assert.equal(request?.headers["headgate-signature"], undefined);
});

test("connected, messages and disconnected go out in their order, one at a time", async () => {
  bench.upstream.connected(1);
  bench.say(1, "a");
  bench.say(1, "");
  bench.say(1, "c");
  bench.upstream.disconnected(1, "client-closed", 1000);
  bench.sink.known.delete(1);
  await until(() => bench.service.of("disconnected").length === 1);
  const seen = bench.service.requests.map(({ event, text, headers }) => {
    return [event, text, headers["ce-type"], headers["content-type"], headers["ce-messagenumber"]];
  });
  const text = "text/plain; charset=utf-8";
  const json = "application/json";
  assert.deepEqual(seen, [
    ["connected", "{}", "headgate.sys.connected", json, undefined],
    ["message", "a", "headgate.user.message", text, "1"],
    ["message", "", "headgate.user.message", text, "2"],
    ["message", "c", "headgate.user.message", text, "3"],
    [
      "disconnected",
      '{"reason":"client-closed","code":1000}',
      "headgate.sys.disconnected",
      json,
      undefined,
    ],
  ]);
  assert.equal(bench.service.inflightMax, 1);
  assert.equal(new Set(bench.service.requests.map(({ id }) => id)).size, 5);
});

test("of two content types of an answer the first counts", async () => {
  bench.service.respond = (_request, response) => {
    response.writeHead(200, ["Content-Type", "text/plain", "Content-Type", "image/png"]).end("a");
  };
  bench.say(1, "a");
  await until(() => bench.sink.count("acknowledged") === 1);
  const reply = bench.sink.calls.find(({ call }) => call === "reply");
  assert.deepEqual(reply, { call: "reply", place: 1, opcode: TEXT, text: "a" });
});

for (const [code, body] of [
  [204, undefined],
  [200, ""],
  [202, ""],
] as const) {
  test(`${code} with ${body === "" ? "an empty" : "no"} body acknowledges, no more`, async () => {
    bench.service.respond = status(code, { "content-type": "text/plain" }, body);
    bench.say(1, "four");
    await until(() => bench.sink.calls.length > 0);
    assert.deepEqual(bench.sink.calls, [{ call: "acknowledged", place: 1, messages: 1, bytes: 4 }]);
  });
}

const replies: [string | undefined, number][] = [
  ["text/plain", TEXT],
  ["text/html; charset=utf-8", TEXT],
  ["application/json", TEXT],
  ["Application/JSON; charset=utf-8", TEXT],
  ["application/octet-stream", BINARY],
  ["image/png", BINARY],
  [undefined, BINARY],
];

for (const [contentType, opcode] of replies) {
  test(`a body of type ${contentType} is one frame with opcode ${opcode}`, async () => {
    const headers = contentType === undefined ? {} : { "content-type": contentType };
    bench.service.respond = status(200, headers, "hello");
    bench.say(1, "m");
    await until(() => bench.sink.count("acknowledged") === 1);
    assert.deepEqual(bench.sink.calls, [
      { call: "reply", place: 1, opcode, text: "hello" },
      { call: "acknowledged", place: 1, messages: 1, bytes: 1 },
    ]);
  });
}

for (const code of [408, 425, 429, 502, 503, 504]) {
  test(`${code} is tried again with the same id until it is taken`, async () => {
    bench.service.respond = inTurn(status(code), status(code), status(code), status(204));
    bench.say(1, "a");
    bench.say(1, "b");
    await until(() => bench.sink.count("acknowledged") === 2);
    assert.deepEqual(texts(), ["a", "a", "a", "a", "b"]);
    assert.equal(new Set(bench.service.requests.map(({ id }) => id)).size, 2);
    assert.equal(bench.upstream.counts().retries, 3);
    assert.equal(bench.sink.count("fail"), 0);
  });
}

for (const code of [500, 501, 505, 599, 302, 304]) {
  test(`${code} is tried three times with the same id, then the service has failed`, async () => {
    bench.service.respond = status(code, { location: "/elsewhere" });
    bench.say(1, "a");
    bench.say(1, "b");
    await until(() => bench.sink.count("fail") === 1);
    assert.deepEqual(texts(), ["a", "a", "a"]);
    assert.equal(new Set(bench.service.requests.map(({ id }) => id)).size, 1);
    assert.ok(bench.service.requests.every(({ url }) => url.startsWith("/events")));
    assert.deepEqual(bench.sink.calls, [{ call: "fail", place: 1, reason: "service-error" }]);
    assert.equal(bench.upstream.counts().dropped.message, 2);
  });
}

for (const code of [400, 401, 403, 404, 410, 413, 422]) {
  test(`${code} is tried once: the service refused the message`, async () => {
    bench.service.respond = status(code);
    bench.say(1, "a");
    bench.say(1, "b");
    await until(() => bench.sink.count("fail") === 1);
    assert.deepEqual(texts(), ["a"]);
    assert.deepEqual(bench.sink.calls, [{ call: "fail", place: 1, reason: "service-refused" }]);
    assert.ok(bench.log.has("warn", `it answered ${code}`));
  });
}

test("text that is not UTF-8, or too big an answer, is the service's error", async () => {
  await again({ limits: { serviceResponseBytesMax: 10 } });
  bench.service.respond = status(200, { "content-type": "text/plain" }, Buffer.from([0xc3, 0x28]));
  bench.say(1, "a");
  await until(() => bench.sink.count("fail") === 1);
  bench.sink.open(2);
  bench.service.respond = status(200, {}, "12345678901");
  bench.say(2, "a");
  await until(() => bench.sink.count("fail") === 2);
  bench.sink.open(3);
  bench.service.respond = status(200, {}, "1234567890");
  bench.say(3, "a");
  await until(() => bench.sink.count("acknowledged") === 1);
  assert.equal(bench.sink.count("reply"), 1);
  assert.ok(bench.log.has("warn", "not UTF-8"));
  await until(() => bench.log.has("warn", "serviceResponseBytesMax"));
});

test("a failed connection takes no more messages, and still gets its disconnected", async () => {
  bench.service.respond = (request, response) => {
    response.writeHead(request.event === "message" ? 400 : 204).end();
  };
  bench.sink.failed = (place) => {
    bench.say(place, "too late, from within");
    bench.upstream.disconnected(place, "service-refused", 1008);
    bench.sink.known.delete(place);
  };
  bench.say(1, "a");
  await until(() => bench.service.of("disconnected").length === 1);
  bench.sink.open(2);
  bench.sink.failed = () => {};
  bench.say(2, "a");
  await until(() => bench.sink.count("fail") === 2);
  bench.say(2, "too late");
  assert.equal(bench.upstream.counts().lanes, 1);
  bench.upstream.disconnected(2, "service-refused", 1008);
  await until(() => bench.service.of("disconnected").length === 2);
  await until(() => bench.upstream.counts().lanes === 0);
  assert.deepEqual(texts(), ["a", "a"]);
  assert.equal(bench.upstream.counts().dropped.message, 4);
});

test("the connection state of an answer comes back on the later events", async () => {
  bench.service.respond = inTurn(
    status(204, { "ce-connectionstate": "one%20%C3%BC" }),
    status(200, { "ce-connectionstate": "" }),
    status(204),
  );
  for (const text of ["a", "b", "c"]) bench.say(1, text);
  await until(() => bench.sink.count("acknowledged") === 3);
  const states = bench.service.requests.map(({ headers }) => headers["ce-connectionstate"]);
  assert.deepEqual(states, [undefined, "one%20%C3%BC", undefined]);
  assert.deepEqual(
    bench.sink.calls.filter(({ call }) => call === "state"),
    [
      { call: "state", place: 1, connectionState: "one ü" },
      { call: "state", place: 1, connectionState: undefined },
    ],
  );
});

test("a connection state that is too big or stands there twice is refused and logged", async () => {
  bench.sink.open(1, { connectionState: "old" });
  bench.service.respond = inTurn(
    status(204, { "ce-connectionstate": "x".repeat(65) }),
    (_request, response) => {
      response.setHeader("ce-connectionstate", ["a", "b"]);
      response.writeHead(204).end();
    },
    status(204),
  );
  for (const text of ["a", "b", "c"]) bench.say(1, text);
  await until(() => bench.sink.count("acknowledged") === 3);
  const states = bench.service.requests.map(({ headers }) => headers["ce-connectionstate"]);
  assert.deepEqual(states, ["old", "old", "old"]);
  assert.equal(bench.sink.count("state"), 0);
  assert.ok(bench.log.has("error", "connectionStateBytesMax"));
  await until(() => bench.log.has("error", "more than once"));
});

test("only events that wait for an answer change the connection state", async () => {
  bench.service.respond = status(200, { "ce-connectionstate": "x" }, "a body nobody reads");
  bench.upstream.connected(1);
  await until(() => bench.upstream.counts().lanes === 0 && bench.service.requests.length === 1);
  assert.deepEqual(bench.sink.calls, []);
});

test("an idle connection owns nothing, and its facts are read anew", async () => {
  bench.say(1, "a");
  await until(() => bench.sink.count("acknowledged") === 1);
  const { lanes, heldMessages, heldBytes, inflight } = bench.upstream.counts();
  assert.deepEqual([lanes, heldMessages, heldBytes, inflight], [0, 0, 0, 0]);
  bench.sink.open(1, { userId: "anna" });
  bench.say(1, "b");
  await until(() => bench.sink.count("acknowledged") === 2);
  assert.equal(bench.service.requests[1]?.headers["ce-userid"], "anna");
});
