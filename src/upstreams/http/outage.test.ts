import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../../test/support/until.ts";
import { connectRequest } from "../fixtures.test.helper.ts";
import type { Respond } from "./fixtures.test.helper.ts";
import { hang, startBench } from "./fixtures.test.helper.ts";

const accept: Respond = (_request, response) => void response.writeHead(204).end();

test("a service that is not there and comes back gets everything once, in order", async () => {
  const bench = await startBench();
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
  const refused = await bench.upstream.connect(connectRequest, 5000);
  assert.ok(!refused.accepted && refused.status === 503);
  await bench.service.listen(port);
  await until(() => bench.sink.count("acknowledged") === 60);
  assert.equal(bench.service.of("connected").length, 20);
  assert.equal(bench.service.of("message").length, 60);
  for (const texts of bench.service.delivered().values()) assert.deepEqual(texts, ["a", "b", "c"]);
  assert.equal(bench.upstream.counts().isDown, false);
  assert.equal(bench.upstream.counts().heldConnections, 0);
  assert.ok(bench.log.has("warn", "ECONNREFUSED"));
  assert.ok(bench.log.has("info", "answers again"));
});

test("while the service is down one probe at a time goes out, less and less often", async () => {
  const bench = await startBench({ random: () => 0.999 });
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
  const bench = await startBench({ limits: { holdTimeoutMs: 60 } });
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
  const bench = await startBench({ limits: { holdTimeoutMs: 300 } });
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

test("answers that never come, break off, or come slowly are tried again with the id", async () => {
  const bench = await startBench({ limits: { serviceTimeoutMs: 60 } });
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
  bench.service.assertIdsHold();
  assert.equal(bench.sink.count("reply"), 0);
  assert.equal(bench.upstream.counts().isDown, false);
});

test("an attempt that hangs does not outlast the hold time", async () => {
  const bench = await startBench({ limits: { serviceTimeoutMs: 60_000, holdTimeoutMs: 80 } });
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
  const bench = await startBench({ limits, random: () => 0.999 });
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
  const bench = await startBench({ limits: { holdTimeoutMs: 60 } });
  bench.service.respond = (_request, response) => void response.writeHead(503).end();
  bench.sink.open(1);
  bench.upstream.connected(1);
  bench.say(1, "a");
  await until(() => bench.sink.count("fail") === 1);
  assert.deepEqual(bench.upstream.counts().dropped, { connected: 1, message: 1, disconnected: 0 });
  assert.equal(bench.service.of("message").length, 0);
});

test("Retry-After is waited for", async () => {
  const bench = await startBench();
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
});

test("Retry-After is not waited for longer than the hold time", async () => {
  const bench = await startBench({ limits: { holdTimeoutMs: 50 } });
  bench.service.respond = (_request, response) => {
    response.writeHead(503, { "retry-after": "3600" }).end();
  };
  bench.sink.open(1);
  bench.say(1, "a");
  await until(() => bench.sink.count("fail") === 1);
  assert.equal(bench.service.requests.length, 1);
});

test("connected and disconnected are tried again with their ids until they are taken", async () => {
  const bench = await startBench();
  const tries = new Map<string, number>();
  const answers: Respond[] = [
    (_request, response) => void response.writeHead(503).end(),
    (_request, response) => void response.destroy(),
    (_request, response) => void response.writeHead(500).end(),
    accept,
  ];
  bench.service.respond = (request, response) => {
    const before = tries.get(request.event) ?? 0;
    tries.set(request.event, before + 1);
    (answers[before] as Respond)(request, response);
  };
  bench.sink.open(1);
  bench.upstream.connected(1);
  bench.upstream.disconnected(1, "client-gone", 1006);
  await until(() => tries.get("disconnected") === answers.length);
  for (const event of ["connected", "disconnected"]) {
    const ids = bench.service.of(event).map(({ id }) => id);
    assert.deepEqual([ids.length, new Set(ids).size], [answers.length, 1], event);
  }
  await until(() => bench.upstream.counts().lanes === 0);
  assert.deepEqual(bench.upstream.counts().dropped, { connected: 0, message: 0, disconnected: 0 });
});
