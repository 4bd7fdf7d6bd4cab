/** Batches that fail, in part or as a whole: nothing is lost, and nothing overtakes. */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { propertyRuns, seededRandom } from "../../../test/support/seed.ts";
import { until } from "../../../test/support/until.ts";
import { acknowledge, answerEach, respondJson, startBatchBench } from "./batches.test.helper.ts";

test("after an event that failed the later ones of its connection are sent again", async () => {
  const bench = await startBatchBench();
  const failures: Record<string, number[]> = { b: [503, 500] };
  bench.answer = (event) => {
    const status = failures[String(event.data)]?.shift();
    return { ...acknowledge(event), ...(status === undefined ? {} : { status }) };
  };
  for (const place of [1, 2]) bench.sink.open(place);
  for (const text of ["a", "b", "c"]) bench.say(1, text);
  bench.say(2, "of another");
  await until(() => bench.sink.count("acknowledged") === 4);
  assert.deepEqual(bench.texts("connection.1"), ["a", "b", "c", "b", "c", "b", "c"]);
  assert.deepEqual(bench.texts("connection.2"), ["of another"]);
  assert.equal(bench.upstream.counts().retries, 4);
  bench.service.assertIdsHold();
});

test("an acknowledgement behind a failure does not count: it would change the order", async () => {
  const bench = await startBatchBench();
  let first = true;
  // It takes all of them, whatever became of the one before.
  bench.respond = (events, response) => {
    const entries = events.map((event) => ({
      ...acknowledge(event),
      status: event.data === "a" && first ? 503 : 204,
    }));
    first = false;
    respondJson(response, entries);
  };
  bench.sink.open(1);
  for (const text of ["a", "b"]) bench.say(1, text);
  await until(() => bench.sink.count("acknowledged") === 2);
  assert.deepEqual(bench.texts(), ["a", "b", "a", "b"]);
});

test("a refused event costs its own connection and no other's", async () => {
  const bench = await startBatchBench();
  bench.answer = ({ id, data }) => ({ id, status: data === "bad" ? 400 : 204 });
  for (const place of [1, 2]) bench.sink.open(place);
  for (const text of ["a", "bad", "c"]) bench.say(1, text);
  for (const text of ["d", "e"]) bench.say(2, text);
  await until(() => bench.sink.calls.length === 4);
  const failed = { call: "fail", place: 1, reason: "service-refused" };
  assert.deepEqual(
    bench.sink.calls.filter(({ call }) => call === "fail"),
    [failed],
  );
  assert.equal(bench.sink.count("acknowledged", 1), 1);
  assert.equal(bench.sink.count("acknowledged", 2), 2);
  assert.equal(bench.upstream.counts().dropped.message, 2);
});

test("a connected that is refused is dropped, and what is behind it is sent again", async () => {
  const bench = await startBatchBench();
  bench.answer = ({ id, eventname }) => ({ id, status: eventname === "connected" ? 404 : 204 });
  bench.sink.open(1);
  bench.upstream.connected(1);
  bench.say(1, "a");
  await until(() => bench.sink.count("acknowledged") === 1);
  const names = bench.batches.map((batch) => batch.map(({ eventname }) => eventname));
  assert.deepEqual(names, [["connected", "message"], ["message"]]);
  assert.equal(bench.upstream.counts().dropped.connected, 1);
});

for (const status of [408, 425, 429, 502, 503, 504]) {
  test(`${status} to a whole batch holds all of it, and it comes again with its ids`, async () => {
    const bench = await startBatchBench();
    const statuses = [status, status, status, status];
    bench.respond = (events, response) => {
      const next = statuses.shift();
      if (next === undefined) respondJson(response, events.map(acknowledge));
      else response.writeHead(next).end();
    };
    for (const place of [1, 2]) {
      bench.sink.open(place);
      for (const text of ["a", "b"]) bench.say(place, text);
    }
    await until(() => bench.sink.count("acknowledged") === 4);
    assert.equal(bench.sink.count("fail"), 0);
    assert.equal(new Set(bench.events().map(({ id }) => id)).size, 4);
    assert.ok(bench.events().length > 4);
  });
}

test("400 to a whole batch refuses all of it, once", async () => {
  const bench = await startBatchBench();
  bench.respond = (_events, response) => void response.writeHead(400).end();
  for (const place of [1, 2]) {
    bench.sink.open(place);
    for (const text of ["a", "b"]) bench.say(place, text);
  }
  await until(() => bench.sink.count("fail") === 2);
  assert.equal(bench.batches.length, 1);
  assert.equal(bench.upstream.counts().dropped.message, 4);
});

test("500 to whole batches, three times, is the end of all their connections", async () => {
  const bench = await startBatchBench();
  bench.respond = (_events, response) => void response.writeHead(500).end();
  for (const place of [1, 2, 3]) {
    bench.sink.open(place);
    for (const text of ["a", "b"]) bench.say(place, text);
  }
  await until(() => bench.sink.count("fail") === 3);
  for (const place of [1, 2, 3]) {
    const first = bench.events().filter((event) => event.connectionid === `connection.${place}`);
    assert.equal(first.filter(({ data }) => data === "a").length, 3);
  }
});

test("one event that a service breaks on costs one connection: it comes alone next", async () => {
  const bench = await startBatchBench();
  const { respond } = bench;
  bench.respond = (events, response, request) => {
    if (events.some(({ data }) => data === "poison")) response.writeHead(500).end();
    else respond(events, response, request);
  };
  for (let place = 1; place <= 5; place += 1) {
    bench.sink.open(place);
    for (const text of ["a", place === 3 ? "poison" : "b", "c"]) bench.say(place, text);
  }
  await until(() => bench.sink.count("fail") === 1 && bench.upstream.counts().heldMessages === 0);
  assert.equal(bench.sink.count("fail", 3), 1);
  assert.equal(bench.sink.count("acknowledged", 3), 1, "what came before it was taken");
  for (const place of [1, 2, 4, 5]) assert.equal(bench.sink.count("acknowledged", place), 3);
});

test("what failed with its batch comes alone: before others or behind them, in turns", async () => {
  const bench = await startBatchBench({ limits: { batchesInflightMax: 1 } });
  const { respond } = bench;
  let release = () => {};
  bench.respond = (events, response, request) => {
    const count = bench.batches.length;
    if (count === 1) response.writeHead(500).end();
    else if (count === 2) release = () => respond(events, response, request);
    else respond(events, response, request);
  };
  for (const place of [1, 2, 3, 4]) bench.sink.open(place);
  for (const text of ["a", "b"]) bench.say(1, text);
  bench.say(2, "e");
  await until(() => bench.batches.length === 1);
  bench.say(3, "c");
  await until(() => bench.batches.length === 2);
  bench.say(4, "d");
  const startMs = performance.now();
  await until(() => performance.now() - startMs > 30, "the 10 ms of their backoff");
  release();
  await until(() => bench.sink.count("acknowledged") === 5);
  const texts = bench.batches.map((batch) => batch.map(({ data }) => data));
  assert.deepEqual(texts, [["a", "b", "e"], ["c"], ["a"], ["d", "b"], ["e"]]);
});

test("what comes alone is passed over by a batch that has begun, not the others", async () => {
  const bench = await startBatchBench({ limits: { batchesInflightMax: 1 } });
  const { respond } = bench;
  const statuses: Record<string, number[]> = { a: [503], b: [500], c: [503] };
  bench.answer = ({ id, data }) => ({ id, status: statuses[String(data)]?.shift() ?? 204 });
  let release = () => {};
  bench.respond = (events, response, request) => {
    if (bench.batches.length !== 2) respond(events, response, request);
    else release = () => respond(events, response, request);
  };
  for (const [place, text] of ["", "a", "b", "c", "d"].entries()) {
    bench.sink.open(place);
    if (place > 0 && place < 4) bench.say(place, text);
  }
  await until(() => bench.batches.length === 1);
  bench.say(4, "d");
  await until(() => bench.batches.length === 2);
  const startMs = performance.now();
  await until(() => performance.now() - startMs > 30, "the 10 ms of their backoff");
  release();
  await until(() => bench.sink.count("acknowledged") === 4);
  const texts = bench.batches.map((batch) => batch.map(({ data }) => data));
  assert.deepEqual(texts, [["a", "b", "c"], ["d"], ["a", "c"], ["b"]]);
});

const nonsense: [string, (response: ServerResponse) => void][] = [
  ["no body", (response) => void response.writeHead(204).end()],
  ["no array", (response) => respondJson(response, { status: 204 })],
  ["an empty array", (response) => respondJson(response, [])],
  ["no JSON", (response) => void response.end("<html>")],
  ["entries about others", (response) => respondJson(response, [{ id: "z", status: 204 }, null])],
  ["too much", (response) => void response.end(" ".repeat(4001))],
];

for (const [name, answer] of nonsense) {
  test(`an answer with ${name} acknowledges nothing, is logged, and all comes again`, async () => {
    const bench = await startBatchBench({ limits: { serviceResponseBytesMax: 1000 } });
    let isNonsense = true;
    bench.respond = (events, response) => {
      if (!isNonsense) respondJson(response, answerEach(bench, events));
      else answer(response);
      isNonsense = false;
    };
    for (const place of [1, 2]) {
      bench.sink.open(place);
      for (const text of ["a", "b"]) bench.say(place, text);
    }
    await until(() => bench.sink.count("acknowledged") === 4);
    assert.ok(bench.log.has("error", "answer to a batch"));
    const acknowledged = bench.batches.slice(1).flat();
    assert.equal(new Set(acknowledged.map(({ id }) => id)).size, 4, "all of them, once more");
    assert.deepEqual(bench.texts("connection.2").slice(0, 3), ["a", "b", "a"]);
    assert.equal(bench.sink.count("fail"), 0);
  });
}

test("the answers to a batch may together be longer than the answer to one event", async () => {
  const bench = await startBatchBench({ limits: { serviceResponseBytesMax: 100 } });
  bench.answer = ({ id }) => ({ id, status: 200, data: "x".repeat(100) });
  bench.sink.open(1);
  for (const text of ["a", "b"]) bench.say(1, text);
  await until(() => bench.sink.count("acknowledged") === 2);
  assert.equal(bench.batches.length, 1);
  assert.equal(bench.sink.count("reply"), 2);
});

test("an event that never has an entry costs its client the connection: 1013", async () => {
  const bench = await startBatchBench({ limits: { holdTimeoutMs: 60 } });
  bench.answer = (event) => (event.data === "b" ? undefined : acknowledge(event));
  bench.sink.open(1);
  for (const text of ["a", "b", "c"]) bench.say(1, text);
  await until(() => bench.sink.count("fail") === 1);
  assert.equal(bench.sink.count("acknowledged"), 1);
  const [failed] = bench.sink.calls.filter(({ call }) => call === "fail");
  assert.deepEqual(failed, { call: "fail", place: 1, reason: "service-unavailable" });
  assert.ok(bench.log.has("error", "lacks events"));
});

test("a service that fails at random loses nothing and turns no order round", async () => {
  const random = seededRandom();
  for (let run = 0; run < propertyRuns(3, 1000); run++) {
    const bench = await startBatchBench({
      random: () => random() / 20,
      limits: { batchEventsMax: 1 + Math.floor(random() * 30), batchesInflightMax: 3 },
    });
    const taken = new Map<string, unknown[]>();
    const seen = new Set<string>();
    bench.answer = (event) => {
      const chance = random();
      if (chance < 0.03) return { id: event.id, status: 503 };
      if (chance < 0.05) return undefined;
      if (!seen.has(event.id)) {
        taken.set(event.connectionid, [...(taken.get(event.connectionid) ?? []), event.data]);
      }
      seen.add(event.id);
      return acknowledge(event);
    };
    const { respond } = bench;
    bench.respond = (events, response, request) => {
      const chance = random();
      if (chance < 0.1) response.destroy();
      else if (chance < 0.2) response.writeHead(503).end();
      else if (chance < 0.3) respondJson(response, answerEach(bench, events).reverse());
      else setImmediate(() => respond(events, response, request));
    };
    const expected = Array.from({ length: 10 }, (_value, index) => `${index}`);
    for (let place = 1; place <= 20; place += 1) bench.sink.open(place);
    for (const text of expected) {
      for (let place = 1; place <= 20; place += 1) bench.say(place, text);
      if (random() < 0.3) await new Promise(setImmediate);
    }
    await until(() => bench.sink.count("acknowledged") === 200);
    assert.equal(taken.size, 20);
    for (const texts of taken.values()) assert.deepEqual(texts, expected);
    assert.equal(bench.sink.count("fail"), 0);
    assert.equal(bench.upstream.counts().lanes, 0);
    await bench.stop();
  }
});
