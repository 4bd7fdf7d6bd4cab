import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, test } from "node:test";
import type { Bench, BenchOptions, Respond } from "./fixtures.test.helper.ts";
import { startBench, until } from "./fixtures.test.helper.ts";

let bench: Bench;

async function again(options: BenchOptions = {}): Promise<void> {
  await bench.stop();
  bench = await startBench(options);
}

beforeEach(async () => {
  bench = await startBench();
});
afterEach(() => bench.stop());

const hang: Respond = () => {};
const accept: Respond = (_request, response) => void response.writeHead(204).end();

const request = {
  connectionId: "new.client",
  path: "/",
  params: {},
  query: {},
  headers: {},
  subprotocols: [],
  address: "192.0.2.1",
};

/** Of each connection, the texts in the order in which they arrived, redeliveries left out. */
function delivered(): Map<string, string[]> {
  const seen = new Set<string>();
  const result = new Map<string, string[]>();
  for (const { id, connectionId, text } of bench.service.of("message")) {
    if (seen.has(id)) continue;
    seen.add(id);
    result.set(connectionId, [...(result.get(connectionId) ?? []), text]);
  }
  return result;
}

/** No text was sent under two ids, and no id carried two texts. */
function assertIdsHold(): void {
  const ids = new Map<string, string>();
  for (const { id, connectionId, text } of bench.service.of("message")) {
    const key = `${connectionId} ${text}`;
    assert.equal(ids.get(key) ?? id, id, `${key} was sent with two ids`);
    ids.set(key, id);
  }
  assert.equal(new Set(ids.values()).size, ids.size);
}

test("connections go in parallel within the bound, each one in its order", async () => {
  await again({ limits: { serviceInflightMax: 16 } });
  const waiting: ServerResponse[] = [];
  bench.service.respond = (_request, response) => void waiting.push(response);
  for (let place = 1; place <= 40; place += 1) {
    bench.sink.open(place);
    for (let number = 1; number <= 5; number += 1) bench.say(place, `${number}`);
  }
  await until(() => bench.service.inflight === 14);
  bench.service.respond = (_request, response) => {
    setImmediate(() => response.writeHead(204).end());
  };
  for (const response of waiting) response.writeHead(204).end();
  await until(() => bench.sink.count("acknowledged") === 200);
  for (const texts of delivered().values()) assert.deepEqual(texts, ["1", "2", "3", "4", "5"]);
  assert.equal(delivered().size, 40);
  // An eighth of 16 is kept for connect events.
  assert.equal(bench.service.inflightMax, 14);
  assert.ok(bench.service.connectionsOpened <= 14, "connections are used again");
  const { lanes, inflight, heldBytes } = bench.upstream.counts();
  assert.deepEqual([lanes, inflight, heldBytes], [0, 0, 0]);
});

test("a connection that hangs holds up no other", async () => {
  bench.service.respond = (received, response) => {
    if (received.connectionId !== "connection.1") response.writeHead(204).end();
  };
  for (const place of [1, 2]) {
    bench.sink.open(place);
    for (const text of ["a", "b", "c"]) bench.say(place, text);
  }
  await until(() => bench.sink.count("acknowledged", 2) === 3);
  assert.equal(bench.sink.count("acknowledged", 1), 0);
  assert.equal(bench.upstream.counts().heldMessages, 3);
});

test("connects get through while 256 messages hang, and fill no more than the bound", async () => {
  bench.service.respond = (received, response) => {
    if (received.event === "connect") response.writeHead(204).end();
  };
  for (let place = 1; place <= 256; place += 1) {
    bench.sink.open(place);
    bench.say(place, "hang");
  }
  await until(() => bench.service.of("message").length === 224);
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => bench.upstream.connect(request, 5000)),
  );
  assert.ok(answers.every((answer) => answer.accepted));
  assert.equal(bench.service.of("message").length, 224);
  assert.ok(bench.service.inflightMax <= 256);
});

test("connects that hang leave the messages their part", async () => {
  await again({ limits: { serviceInflightMax: 8 } });
  bench.service.respond = (received, response) => {
    if (received.event === "message") response.writeHead(204).end();
  };
  for (let place = 1; place <= 4; place += 1) {
    bench.sink.open(place);
    bench.say(place, "a");
  }
  const asked = Array.from({ length: 20 }, () => bench.upstream.connect(request, 60));
  await until(() => bench.sink.count("acknowledged") === 4);
  const answers = await Promise.all(asked);
  assert.ok(answers.every((answer) => !answer.accepted && answer.status === 503));
  assert.equal(bench.upstream.counts().inflight, 0);
  assert.ok(bench.service.inflightMax <= 8);
});

test("with a bound of one, messages and connects take turns", async () => {
  await again({ limits: { serviceInflightMax: 1 } });
  for (const place of [1, 2, 3]) {
    bench.sink.open(place);
    bench.say(place, "a");
  }
  const answer = await bench.upstream.connect(request, 5000);
  assert.ok(answer.accepted);
  await until(() => bench.sink.count("acknowledged") === 3);
  assert.equal(bench.service.inflightMax, 1);
});

test("a service that is not there and comes back gets everything once, in order", async () => {
  const { port } = bench.service;
  await bench.service.stop();
  for (let place = 1; place <= 20; place += 1) {
    bench.sink.open(place);
    bench.upstream.connected(place);
    for (const text of ["a", "b", "c"]) bench.say(place, text);
  }
  await until(() => bench.upstream.counts().isDown);
  assert.equal(bench.upstream.counts().heldMessages, 60);
  assert.equal(bench.upstream.counts().heldConnections, 20);
  const refused = await bench.upstream.connect(request, 5000);
  assert.ok(!refused.accepted && refused.status === 503);
  await bench.service.listen(port);
  await until(() => bench.sink.count("acknowledged") === 60);
  assert.equal(bench.service.of("connected").length, 20);
  assert.equal(bench.service.of("message").length, 60);
  for (const texts of delivered().values()) assert.deepEqual(texts, ["a", "b", "c"]);
  assert.equal(bench.upstream.counts().isDown, false);
  assert.equal(bench.upstream.counts().heldConnections, 0);
  assert.ok(bench.log.has("warn", "ECONNREFUSED"));
  assert.ok(bench.log.has("info", "answers again"));
});

test("while the service is down one probe at a time goes out, less and less often", async () => {
  await again({ random: () => 0.999 });
  await bench.service.stop();
  for (let place = 1; place <= 50; place += 1) {
    bench.sink.open(place);
    bench.say(place, "a");
  }
  // All 50 find out together; from then on it is one for 100, 200, 400 ms.
  await until(() => bench.upstream.counts().isDown);
  await until(() => bench.upstream.counts().inflight === 0);
  const startMs = performance.now();
  await until(() => bench.upstream.counts().retries === 3);
  assert.ok(performance.now() - startMs >= 600, "100 + 200 + 400 ms, less the clock's grain");
  assert.equal(bench.sink.count("fail"), 0);
});

test("an outage past the hold time closes the clients and drops what they sent", async () => {
  await again({ limits: { holdTimeoutMs: 60 } });
  await bench.service.stop();
  for (const place of [1, 2]) {
    bench.sink.open(place);
    bench.upstream.connected(place);
    for (const text of ["a", "b"]) bench.say(place, text);
  }
  bench.sink.open(3);
  await until(() => bench.upstream.counts().isDown);
  bench.say(3, "after it went down, never tried");
  await until(() => bench.sink.count("fail") === 3);
  const reasons = bench.sink.calls.map((one) => one.call === "fail" && one.reason);
  assert.deepEqual(reasons, Array(3).fill("service-unavailable"));
  const { dropped, heldMessages, heldBytes } = bench.upstream.counts();
  assert.deepEqual(dropped, { connected: 2, message: 5, disconnected: 0 });
  assert.deepEqual([heldMessages, heldBytes], [0, 0]);
});

test("disconnected still goes out after the messages were given up", async () => {
  await again({ limits: { holdTimeoutMs: 300 } });
  bench.service.respond = (received, response) => {
    response.writeHead(received.event === "message" ? 503 : 204).end();
  };
  bench.sink.open(1);
  bench.sink.failed = (place) => {
    bench.upstream.disconnected(place, "service-unavailable", 1013);
    bench.sink.known.delete(place);
  };
  bench.say(1, "a");
  await until(() => bench.service.of("disconnected").length === 1);
  await until(() => bench.upstream.counts().lanes === 0);
  assert.deepEqual(bench.upstream.counts().dropped, { connected: 0, message: 1, disconnected: 0 });
  assert.ok(bench.service.of("message").length > 1);
});

test("what a client sent before it left is delivered, then its disconnected", async () => {
  const { port } = bench.service;
  await bench.service.stop();
  bench.sink.open(1);
  for (const text of ["a", "b"]) bench.say(1, text);
  bench.upstream.disconnected(1, "client-gone", 1006);
  bench.sink.known.delete(1);
  await until(() => bench.upstream.counts().isDown);
  bench.service.respond = (_request, response) => {
    const headers = { "ce-connectionstate": "s", "content-type": "text/plain" };
    response.writeHead(200, headers).end("for a client that has left");
  };
  await bench.service.listen(port);
  await until(() => bench.upstream.counts().lanes === 0);
  const seen = bench.service.requests.map(({ event, headers }) => {
    return [event, headers["ce-connectionstate"]];
  });
  assert.deepEqual(seen, [
    ["message", undefined],
    ["message", "s"],
    ["disconnected", "s"],
  ]);
  assert.deepEqual(bench.sink.calls, [], "the sink does not know the place any more");
});

test("the messages of a client that left are dropped after the hold time", async () => {
  await again({ limits: { holdTimeoutMs: 40 } });
  await bench.service.stop();
  bench.sink.open(1);
  for (const text of ["a", "b"]) bench.say(1, text);
  bench.upstream.disconnected(1, "client-gone", 1006);
  await until(() => bench.upstream.counts().lanes === 0);
  assert.deepEqual(bench.upstream.counts().dropped, { connected: 0, message: 2, disconnected: 1 });
  assert.deepEqual(bench.sink.calls, []);
});

test("answers that never come, break off, or come slowly are tried again with the id", async () => {
  await again({ limits: { serviceTimeoutMs: 60 } });
  const responds: Respond[] = [
    hang,
    (_request, response) => void response.destroy(),
    (_request, response) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("half", () => response.destroy());
    },
    (_request, response) => {
      // A byte now and then: no pause is ever long enough for a timeout between bytes.
      response.writeHead(200);
      const drip = setInterval(() => response.write("."), 5);
      response.on("close", () => clearInterval(drip));
    },
    accept,
  ];
  bench.service.respond = (received, response) => responds.shift()?.(received, response);
  bench.sink.open(1);
  bench.say(1, "a");
  await until(() => bench.sink.count("acknowledged") === 1);
  assert.equal(bench.service.requests.length, 5);
  assertIdsHold();
  assert.equal(bench.sink.count("reply"), 0);
  assert.equal(bench.upstream.counts().isDown, false);
});

test("an attempt that hangs does not outlast the hold time", async () => {
  await again({ limits: { serviceTimeoutMs: 60_000, holdTimeoutMs: 80 } });
  let first = true;
  bench.service.respond = (_request, response) => {
    if (first) response.writeHead(503).end();
    first = false;
  };
  bench.sink.open(1);
  bench.say(1, "a");
  await until(() => bench.sink.count("fail") === 1);
  assert.equal(bench.service.requests.length, 2);
});

test("the hold time also runs for clients whose messages were never tried", async () => {
  // One request at a time, and probes at 100, 200, 400 ms and so on: most have no turn.
  const limits = { serviceInflightMax: 2, holdTimeoutMs: 150 };
  await again({ limits, random: () => 0.999 });
  await bench.service.stop();
  for (let place = 1; place <= 20; place += 1) {
    bench.sink.open(place);
    bench.say(place, "waiting when it went down");
  }
  await until(() => bench.upstream.counts().isDown);
  for (let place = 21; place <= 40; place += 1) {
    bench.sink.open(place);
    bench.say(place, "came while it was down");
  }
  assert.equal(bench.upstream.counts().heldConnections, 40);
  await until(() => bench.sink.count("fail") === 40);
  assert.equal(bench.upstream.counts().dropped.message, 40);
});

test("a message does not wait a second hold time for the connected before it", async () => {
  await again({ limits: { holdTimeoutMs: 60 } });
  bench.service.respond = (_request, response) => void response.writeHead(503).end();
  bench.sink.open(1);
  bench.upstream.connected(1);
  bench.say(1, "a");
  await until(() => bench.sink.count("fail") === 1);
  assert.deepEqual(bench.upstream.counts().dropped, { connected: 1, message: 1, disconnected: 0 });
  assert.equal(bench.service.of("message").length, 0);
});

test("Retry-After is waited for, and no longer than the hold time", async () => {
  let first = true;
  let retriedMs = 0;
  bench.service.respond = (_request, response) => {
    if (!first) retriedMs = performance.now() - startMs;
    response.writeHead(first ? 429 : 204, first ? { "retry-after": "1" } : {}).end();
    first = false;
  };
  bench.sink.open(1);
  const startMs = performance.now();
  bench.say(1, "a");
  await until(() => bench.sink.count("acknowledged") === 1);
  assert.ok(retriedMs >= 990, `tried again after ${retriedMs} ms`);
  await again({ limits: { holdTimeoutMs: 50 } });
  bench.service.respond = (_request, response) => {
    response.writeHead(503, { "retry-after": "3600" }).end();
  };
  bench.sink.open(2);
  bench.say(2, "a");
  await until(() => bench.sink.count("fail") === 1);
  assert.equal(bench.service.requests.length, 1);
});

test("a service that fails at random loses nothing and turns no order round", async () => {
  const seed = Date.now() % 1_000_000;
  console.log(`seed ${seed}`);
  let state = seed;
  const random = () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
  await again({ random: () => random() / 20, limits: { serviceInflightMax: 8 } });
  bench.service.respond = (_request, response) => {
    const chance = random();
    if (chance < 0.1) response.destroy();
    else if (chance < 0.2) response.writeHead(503).end();
    else if (chance < 0.3) response.writeHead(429).end();
    else setImmediate(() => response.writeHead(204).end());
  };
  const expected: string[] = Array.from({ length: 10 }, (_value, index) => `${index}`);
  for (let place = 1; place <= 20; place += 1) {
    bench.sink.open(place);
    for (const text of expected) bench.say(place, text);
  }
  await until(() => bench.sink.count("acknowledged") === 200);
  assert.equal(delivered().size, 20);
  for (const texts of delivered().values()) assert.deepEqual(texts, expected);
  assertIdsHold();
  assert.equal(bench.sink.count("fail"), 0);
  assert.equal(bench.upstream.counts().lanes, 0);
});

test("a connection that the service closed, or that is too old, is not used again", async () => {
  await again({ limits: { serviceConnectionAgeMs: 1 } });
  bench.sink.open(1);
  bench.say(1, "a");
  await until(() => bench.sink.count("acknowledged") === 1);
  const openedMs = performance.now();
  await until(() => performance.now() - openedMs > 2);
  bench.say(1, "b");
  await until(() => bench.sink.count("acknowledged") === 2);
  assert.equal(bench.service.connectionsOpened, 2);
  const { port } = bench.service;
  await bench.service.stop();
  await until(() => bench.upstream.counts().connections === 0);
  await bench.service.listen(port);
  bench.say(1, "c");
  await until(() => bench.sink.count("acknowledged") === 3);
  assert.equal(bench.upstream.counts().retries, 0);
});

test("closing delivers what is held first, and lets nobody new in", async () => {
  bench.service.respond = (_request, response) => {
    setImmediate(() => response.writeHead(204).end());
  };
  bench.sink.open(1);
  for (const text of ["a", "b"]) bench.say(1, text);
  bench.upstream.disconnected(1, "gateway-stopping", 1012);
  const closed = bench.upstream.close(5000);
  const answer = await bench.upstream.connect(request, 5000);
  assert.ok(!answer.accepted && answer.status === 503);
  await closed;
  assert.equal(bench.service.of("message").length, 2);
  assert.equal(bench.service.of("disconnected").length, 1);
  assert.deepEqual(bench.upstream.counts().dropped, { connected: 0, message: 0, disconnected: 0 });
  await until(() => bench.upstream.counts().connections === 0);
});

test("closing gives up what is held when its time is over, counts it and logs it", async () => {
  bench.service.respond = hang;
  bench.sink.open(1);
  for (const text of ["a", "b"]) bench.say(1, text);
  bench.upstream.disconnected(1, "gateway-stopping", 1012);
  const asked = bench.upstream.connect(request, 5000);
  await until(() => bench.service.requests.length === 2);
  await bench.upstream.close(20);
  assert.equal((await asked).accepted, false);
  const { dropped, heldBytes, lanes } = bench.upstream.counts();
  assert.deepEqual(dropped, { connected: 0, message: 2, disconnected: 1 });
  assert.deepEqual([heldBytes, lanes], [0, 0]);
  assert.ok(bench.log.has("warn", "gateway stopped"));
  await until(() => bench.service.inflight === 0);
  bench.say(1, "after the end");
  assert.equal(bench.upstream.counts().dropped.message, 3);
});
