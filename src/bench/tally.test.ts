import assert from "node:assert/strict";
import { test } from "node:test";
import { type BenchOptions, shareOf } from "./options.ts";
import { addTallies, errorKind, Tally } from "./tally.ts";

test("tallies of several processes add up, errors by their kind and latencies exactly", () => {
  const [first, second] = [new Tally(), new Tally()];
  for (const tally of [first, second]) {
    tally.begin();
    tally.opened = 3;
    tally.messages = 10;
    tally.receivedBytes = 100;
    tally.error("reset");
    tally.latency.record(2, 10);
  }
  second.error("closed 1008", 4);
  second.latency.record(50, 1);
  for (const tally of [first, second]) tally.end();
  const total = addTallies([first.counts(), second.counts()]);
  assert.equal(total.opened, 6);
  assert.equal(total.messages, 20);
  assert.equal(total.receivedBytes, 200);
  assert.deepEqual(total.errors, { reset: 2, "closed 1008": 4 });
  assert.equal(total.latency.count, 21);
  assert.equal(total.latency.summary().maxMs, 50);
  assert.equal(total.seconds, Math.max(first.counts().seconds, second.counts().seconds));
});

test("the rate is of the time of sending, and rates of processes add up", (context) => {
  context.mock.method(performance, "now", () => nowMs);
  let nowMs = 1000;
  const [first, second] = [new Tally(), new Tally()];
  for (const tally of [first, second]) tally.begin();
  nowMs = 3000;
  for (const tally of [first, second]) {
    tally.messages = 40;
    tally.endSending();
  }
  nowMs = 9000;
  first.messages = 60;
  for (const tally of [first, second]) tally.end();
  const total = addTallies([first.counts(), second.counts()]);
  assert.equal(total.messagesPerSecond, 40);
  assert.equal(total.messages, 100);
  assert.equal(total.seconds, 8);
});

test("what came in a warm-up is not counted, but its errors are", () => {
  const tally = new Tally();
  tally.messages = 5;
  tally.sentBytes = 5;
  tally.unsent = 5;
  tally.latency.record(1, 5);
  tally.error("refused");
  tally.beginAnew();
  const { messages, sentBytes, unsent, latency, errors } = tally.counts();
  assert.deepEqual([messages, sentBytes, unsent, latency.pairs], [0, 0, 0, []]);
  assert.deepEqual(errors, { refused: 1 });
});

test("errors of the system have the names that people look for", () => {
  const names = [111, 104, 32, 110, 99, 24].map(errorKind);
  assert.deepEqual(names, ["refused", "reset", "reset", "timeout", "EADDRNOTAVAIL", "EMFILE"]);
});

const whole: BenchOptions = {
  mode: "echo",
  target: { address: "127.0.0.1", port: 80, host: "localhost", path: "/" },
  ...{ connections: 11, payloadBytes: 1, pipeline: 1, ratePerSecond: 90, durationMs: 1 },
  ...{ warmupMs: 0, rampPerSecond: 30, concurrency: 7, timeoutMs: 1, text: false, headers: [] },
  ...{ processes: 3, sources: undefined, sendsItself: false },
};

test("the parts of the processes are the whole, with source addresses of their own", () => {
  const parts = [0, 1, 2].map((index) => shareOf(whole, index));
  assert.deepEqual(
    parts.map(({ connections }) => connections),
    [4, 4, 3],
  );
  assert.deepEqual(
    parts.map(({ concurrency }) => concurrency),
    [3, 2, 2],
  );
  assert.deepEqual(
    parts.map(({ ratePerSecond }) => ratePerSecond),
    [30, 30, 30],
  );
  assert.deepEqual(
    parts.map(({ rampPerSecond }) => rampPerSecond),
    [10, 10, 10],
  );
  const sources = parts.flatMap((part) => part.sources);
  assert.equal(new Set(sources).size, sources.length);
  assert.ok(sources.every((address) => address.startsWith("127.1.")));
});

test("a target elsewhere is dialled from where the kernel chooses, or from what is given", () => {
  const target = { ...whole.target, address: "192.0.2.1" };
  assert.deepEqual(shareOf({ ...whole, target }, 0).sources, [""]);
  const sources = ["192.0.2.7"];
  assert.deepEqual(shareOf({ ...whole, target, sources }, 1).sources, sources);
});

test("the sender of a fan-out comes on top of the receivers, in the first process", () => {
  const options: BenchOptions = { ...whole, mode: "fanout", sendsItself: true };
  const parts = [0, 1, 2].map((index) => shareOf(options, index));
  assert.deepEqual(
    parts.map(({ connections }) => connections),
    [5, 4, 3],
  );
  assert.deepEqual(
    parts.map(({ sendsItself }) => sendsItself),
    [true, false, false],
  );
});
