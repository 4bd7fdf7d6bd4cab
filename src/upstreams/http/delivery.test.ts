import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { propertyRuns, seededRandom } from "../../../test/support/seed.ts";
import { until } from "../../../test/support/until.ts";
import { connectRequest } from "../fixtures.test.helper.ts";
import { hang, startBench } from "./fixtures.test.helper.ts";

test("connections go in parallel within the bound, each one in its order", async () => {
  const bench = await startBench({ limits: { serviceInflightMax: 16 } });
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
  for (const texts of bench.service.delivered().values())
    assert.deepEqual(texts, ["1", "2", "3", "4", "5"]);
  assert.equal(bench.service.delivered().size, 40);
  // An eighth of 16 is kept for connect events.
  assert.equal(bench.service.inflightMax, 14);
  assert.ok(bench.service.connectionsOpened <= 14, "connections are used again");
  const { lanes, inflight, heldBytes } = bench.upstream.counts();
  assert.deepEqual([lanes, inflight, heldBytes], [0, 0, 0]);
});

test("connects get through while 256 messages hang, and fill no more than the bound", async () => {
  const bench = await startBench();
  bench.service.respond = (received, response) => {
    if (received.event === "connect") response.writeHead(204).end();
  };
  for (let place = 1; place <= 256; place += 1) {
    bench.sink.open(place);
    bench.say(place, "hang");
  }
  await until(() => bench.service.of("message").length === 224);
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => bench.upstream.connect(connectRequest, 5000)),
  );
  assert.ok(answers.every((answer) => answer.accepted));
  assert.equal(bench.service.of("message").length, 224);
  assert.ok(bench.service.inflightMax <= 256);
});

test("connects that hang leave the messages their part", async () => {
  const bench = await startBench({ limits: { serviceInflightMax: 8 } });
  bench.service.respond = (received, response) => {
    if (received.event === "message") response.writeHead(204).end();
  };
  for (let place = 1; place <= 4; place += 1) {
    bench.sink.open(place);
    bench.say(place, "a");
  }
  const asked = Array.from({ length: 20 }, () => bench.upstream.connect(connectRequest, 60));
  await until(() => bench.sink.count("acknowledged") === 4);
  const answers = await Promise.all(asked);
  assert.ok(answers.every((answer) => !answer.accepted && answer.status === 503));
  assert.equal(bench.upstream.counts().inflight, 0);
  assert.ok(bench.service.inflightMax <= 8);
});

test("with a bound of one, messages and connects take turns", async () => {
  const bench = await startBench({ limits: { serviceInflightMax: 1 } });
  for (const place of [1, 2, 3]) {
    bench.sink.open(place);
    bench.say(place, "a");
  }
  const answer = await bench.upstream.connect(connectRequest, 5000);
  assert.ok(answer.accepted);
  await until(() => bench.sink.count("acknowledged") === 3);
  assert.equal(bench.service.inflightMax, 1);
});

test("a service that fails at random loses nothing and turns no order round", async () => {
  const random = seededRandom();
  for (let run = 0; run < propertyRuns(1, 1000); run++) {
    const bench = await startBench({
      random: () => random() / 20,
      limits: { serviceInflightMax: 8 },
    });
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
    assert.equal(bench.service.delivered().size, 20);
    for (const texts of bench.service.delivered().values()) assert.deepEqual(texts, expected);
    bench.service.assertIdsHold();
    assert.equal(bench.sink.count("fail"), 0);
    assert.equal(bench.upstream.counts().lanes, 0);
    await bench.stop();
  }
});

test("a connection that the service closed, or that is too old, is not used again", async () => {
  const bench = await startBench({ limits: { serviceConnectionAgeMs: 1 } });
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
  const bench = await startBench();
  bench.service.respond = (_request, response) => {
    setImmediate(() => response.writeHead(204).end());
  };
  bench.sink.open(1);
  for (const text of ["a", "b"]) bench.say(1, text);
  bench.upstream.disconnected(1, "gateway-stopping", 1012);
  const closed = bench.upstream.close(5000);
  const answer = await bench.upstream.connect(connectRequest, 5000);
  assert.ok(!answer.accepted && answer.status === 503);
  await closed;
  assert.equal(bench.service.of("message").length, 2);
  assert.equal(bench.service.of("disconnected").length, 1);
  assert.deepEqual(bench.upstream.counts().dropped, { connected: 0, message: 0, disconnected: 0 });
  await until(() => bench.upstream.counts().connections === 0);
});

test("closing gives up what is held when its time is over, counts it and logs it", async () => {
  const bench = await startBench();
  bench.service.respond = hang;
  bench.sink.open(1);
  for (const text of ["a", "b"]) bench.say(1, text);
  bench.upstream.disconnected(1, "gateway-stopping", 1012);
  const asked = bench.upstream.connect(connectRequest, 5000);
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
