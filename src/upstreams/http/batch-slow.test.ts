/** Batches that are more than a service has time or room for: the next ones have fewer events. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../../test/support/until.ts";
import type { BatchBench } from "./batches.test.helper.ts";
import { acknowledge, respondJson, startBatchBench } from "./batches.test.helper.ts";

const BATCH_TIMEOUT_MS = 40;

/** Answers what it has time for, and nothing else; which is a matter of number and not of time. */
function takeUpTo(bench: BatchBench, events: number, status?: number): void {
  const { respond } = bench;
  bench.respond = (batch, response, request) => {
    if (batch.length <= events) respond(batch, response, request);
    else if (status !== undefined) response.writeHead(status).end();
  };
}

/** As many connections, with as many messages of each: "0", "1" and so on. */
function sayAll(bench: BatchBench, connections: number, messages: number, first = 1): void {
  for (let place = first; place < first + connections; place += 1) {
    bench.sink.open(place);
    for (let text = 0; text < messages; text += 1) bench.say(place, `${text}`);
  }
}

function sizesOf(bench: BatchBench): number[] {
  return bench.batches.map(({ length }) => length);
}

for (const status of [undefined, 413, 502, 503, 504]) {
  const name = status === undefined ? "no answer" : `${status}`;
  test(`${name} to more events than it takes: a service gets fewer, then all`, async () => {
    const bench = await startBatchBench({
      limits: { serviceTimeoutMs: BATCH_TIMEOUT_MS, batchEventsMax: 64, batchesInflightMax: 1 },
    });
    takeUpTo(bench, 5, status);
    sayAll(bench, 30, 5);
    await until(() => bench.sink.count("acknowledged") === 150);
    assert.equal(bench.sink.count("fail"), 0);
    assert.equal(sizesOf(bench)[0], 64);
    assert.ok(
      sizesOf(bench)
        .slice(1)
        .some((events) => events === 4 || events === 5),
    );
    assert.ok(
      sizesOf(bench)
        .slice(1)
        .every((events) => events <= 8),
      `${sizesOf(bench)}`,
    );
    for (let place = 1; place <= 30; place += 1) {
      const texts = new Set(bench.texts(`connection.${place}`));
      assert.deepEqual([...texts], ["0", "1", "2", "3", "4"]);
    }
    bench.service.assertIdsHold();
  });
}

test("that batches have fewer events is in the log, with the cause", async () => {
  const bench = await startBatchBench({
    limits: { serviceTimeoutMs: BATCH_TIMEOUT_MS, batchEventsMax: 64, batchesInflightMax: 1 },
  });
  takeUpTo(bench, 5);
  sayAll(bench, 20, 4);
  await until(() => bench.sink.count("acknowledged") === 80);
  const lines = bench.log.lines.filter(({ sentence }) => sentence.includes("have fewer events"));
  assert.deepEqual(lines, [
    {
      level: "warn",
      fields: {
        hub: "chat",
        service: `http://127.0.0.1:${bench.service.port}/events`,
        events: 64,
        eventsMax: 4,
        cause: "no answer in time",
        count: 1,
      },
      sentence: "the service did not take a batch: the next ones have fewer events, until it does",
    },
  ]);
});

test("of a batch that failed the next one has the first events, of as many as can be", async () => {
  const bench = await startBatchBench({ limits: { batchesInflightMax: 1 } });
  takeUpTo(bench, 50, 503);
  sayAll(bench, 40, 4);
  await until(() => bench.sink.count("acknowledged") === 160);
  const [first, second] = bench.batches;
  assert.equal(first?.length, 160);
  // Those whose backoff was over first; there may be fewer of them, if a timer was early.
  assert.ok(second !== undefined && second.length <= 10);
  assert.deepEqual(new Set(second.map(({ data }) => data)), new Set(["0"]));
  const connections = new Set(second.map(({ connectionid }) => connectionid));
  assert.equal(connections.size, second.length);
});

test("a connection whose first event got through has as many in a batch as others", async () => {
  const bench = await startBatchBench();
  takeUpTo(bench, 63, 503);
  sayAll(bench, 1, 64);
  await until(() => bench.sink.count("acknowledged") === 64);
  assert.deepEqual(sizesOf(bench), [64, 1, 4, 8, 16, 32, 3]);
});

test("so has one whose first event was given up", async () => {
  const bench = await startBatchBench();
  bench.respond = (batch, response) => {
    if (bench.batches.length > 2) respondJson(response, batch.map(acknowledge));
    else response.writeHead(bench.batches.length === 1 ? 503 : 400).end();
  };
  bench.sink.open(1);
  bench.upstream.connected(1);
  sayAll(bench, 1, 63);
  await until(() => bench.sink.count("acknowledged") === 63);
  assert.deepEqual(sizesOf(bench).slice(0, 4), [64, 1, 4, 8]);
});

test("one event that fails alone or a service that is not there makes none smaller", async () => {
  const bench = await startBatchBench({ limits: { serviceTimeoutMs: BATCH_TIMEOUT_MS } });
  const { respond } = bench;
  bench.respond = () => {};
  bench.sink.open(100);
  bench.say(100, "alone");
  await until(() => bench.batches.length === 2);
  bench.respond = respond;
  await until(() => bench.sink.count("acknowledged") === 1);
  const { port } = bench.service;
  await bench.service.stop();
  sayAll(bench, 10, 5);
  await until(() => bench.upstream.counts().isDown);
  await bench.service.listen(port);
  await until(() => bench.sink.count("acknowledged") === 51);
  assert.ok(!bench.log.has("warn", "fewer events"));
  assert.equal(bench.batches.at(-1)?.length, 50);
});

for (const status of [429, 500]) {
  test(`${status} to a batch is not for its size`, async () => {
    const bench = await startBatchBench({ limits: { batchesInflightMax: 1 } });
    const { respond } = bench;
    bench.respond = (batch, response, request) => {
      if (bench.batches.length === 1) response.writeHead(status).end();
      else respond(batch, response, request);
    };
    sayAll(bench, 20, 5);
    await until(() => bench.sink.count("acknowledged") === 100);
    assert.equal(sizesOf(bench)[0], 100);
    assert.ok(!bench.log.has("warn", "fewer events"));
  });
}

test("only what the service takes makes batches larger again", async () => {
  const bench = await startBatchBench({ limits: { batchesInflightMax: 1 } });
  let status = 503;
  bench.respond = (_batch, response) => void response.writeHead(status).end();
  sayAll(bench, 40, 4);
  await until(() => bench.log.has("warn", "fewer events"));
  status = 429;
  sayAll(bench, 40, 4, 100);
  await until(() => bench.batches.length > 12);
  const sizes = sizesOf(bench).slice(1);
  assert.ok(
    sizes.every((events) => events <= 10),
    `${sizes}`,
  );
  assert.ok(sizes.includes(10));
});

test("an answer that is too big makes the next batches smaller", async () => {
  const bench = await startBatchBench({
    limits: { serviceResponseBytesMax: 200, batchEventsMax: 64, batchesInflightMax: 1 },
  });
  bench.answer = ({ id }) => ({ id, status: 200, data: "x".repeat(150) });
  sayAll(bench, 20, 5);
  await until(() => bench.sink.count("acknowledged") === 100);
  assert.equal(bench.sink.count("reply"), 100);
  assert.ok(
    sizesOf(bench)
      .slice(1)
      .every((events) => events <= 8),
    `${sizesOf(bench)}`,
  );
});

for (const isFirst of [true, false]) {
  const where = isFirst ? "the first of its connection" : "behind others of its connection";
  test(`one event that a service hangs on, ${where}, is soon alone`, async () => {
    const bench = await startBatchBench({
      limits: { serviceTimeoutMs: BATCH_TIMEOUT_MS, holdTimeoutMs: 800 },
    });
    const { respond } = bench;
    bench.respond = (batch, response, request) => {
      if (!batch.some(({ data }) => data === "poison")) respond(batch, response, request);
    };
    bench.sink.open(100);
    for (const text of isFirst ? ["poison", "b"] : ["a", "poison", "b"]) bench.say(100, text);
    sayAll(bench, 30, 5);
    await until(() => bench.sink.count("fail") === 1);
    await until(() => bench.upstream.counts().heldMessages === 0);
    const [failed] = bench.sink.calls.filter(({ call }) => call === "fail");
    assert.deepEqual(failed, { call: "fail", place: 100, reason: "service-unavailable" });
    const attempts = bench.batches.filter((batch) => batch.some(({ data }) => data === "poison"));
    assert.ok(attempts.length >= 4);
    assert.ok(attempts.slice(isFirst ? 2 : 3).every(({ length }) => length === 1));
    for (let place = 1; place <= 30; place += 1) {
      assert.equal(bench.sink.count("acknowledged", place), 5);
    }
  });
}

test("after an outage events do not go one by one: batches grow again", async () => {
  const bench = await startBatchBench({ limits: { batchesInflightMax: 1 } });
  let isOut = true;
  bench.respond = (batch, response) => {
    if (isOut) response.writeHead(503).end();
    else respondJson(response, batch.map(acknowledge));
  };
  sayAll(bench, 300, 2);
  // Each of them has been tried, and failed: few in a batch, for that is how they failed.
  await until(() => new Set(bench.events().map(({ connectionid }) => connectionid)).size === 300);
  isOut = false;
  const before = bench.batches.length;
  await until(() => bench.sink.count("acknowledged") === 600);
  const after = bench.batches.length - before;
  assert.ok(after < 150, `${after} requests for 600 events of 300 connections`);
  assert.equal(bench.sink.count("fail"), 0);
});

test("what was held is not left behind others without end", async () => {
  const bench = await startBatchBench({
    limits: { batchEventsMax: 4, batchesInflightMax: 1, holdTimeoutMs: 60_000 },
  });
  const { respond } = bench;
  bench.respond = (batch, response, request) => {
    if (bench.batches.length === 1) response.writeHead(503).end();
    else respond(batch, response, request);
  };
  bench.sink.open(1);
  bench.say(1, "held");
  await until(() => bench.batches.length === 1);
  // So many more come with each answer that the others never come to an end.
  let more = 0;
  bench.sink.acknowledgedHook = (place) => {
    if (place === 1) return;
    for (let times = 0; times < 2 && bench.sink.count("acknowledged", 1) === 0; times += 1) {
      more += 1;
      bench.sink.open(1000 + more);
      bench.say(1000 + more, "more");
    }
  };
  for (let place = 2; place <= 40; place += 1) {
    bench.sink.open(place);
    bench.say(place, "other");
  }
  await until(() => bench.sink.count("acknowledged", 1) === 1);
  await until(() => bench.upstream.counts().heldMessages === 0);
  assert.equal(bench.sink.count("fail"), 0);
});
