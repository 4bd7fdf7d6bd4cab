import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { until } from "../../test/support/until.ts";
import { IdleCollection, thisProcess } from "./idle-collection.ts";

const MB = 1 << 20;

let utilization: number;
let residentBytes: number;
/** What of it is garbage. */
let garbageBytes: number;
let passes: number;
/** What was told of each pass. */
let workedMs: number[];
let collection: IdleCollection;

beforeEach(() => {
  [utilization, residentBytes, garbageBytes, passes] = [0, 60 * MB, 10 * MB, 0];
  workedMs = [];
  const process = {
    utilization: () => utilization,
    residentBytes: () => residentBytes,
    collect: () => {
      passes += 1;
      if (passes % 2 === 1) return;
      residentBytes -= garbageBytes;
      garbageBytes = 0;
    },
  };
  collection = new IdleCollection(process, (ms) => workedMs.push(ms));
});

function look(times: number): void {
  for (let count = 0; count < times; count += 1) collection.look();
}

function litter(bytes: number): void {
  residentBytes += bytes;
  garbageBytes += bytes;
}

test("a worker that is quiet collects once, in two passes, what its start left behind", () => {
  const counts = [1, 1, 1, 1].map((times) => {
    look(times);
    return passes;
  });
  assert.deepEqual(counts, [0, 1, 1, 2]);
  look(1000);
  assert.equal(passes, 2);
});

test("a worker that works never collects, and begins to wait anew when it is quiet again", () => {
  utilization = 0.06;
  look(1000);
  assert.equal(passes, 0);
  utilization = 0.05;
  look(1);
  utilization = 0.06;
  look(1);
  utilization = 0.05;
  look(1);
  assert.equal(passes, 0);
  look(1);
  assert.equal(passes, 1);
});

test("the second pass waits as well for a worker that works", () => {
  look(2);
  utilization = 1;
  look(1000);
  assert.equal(passes, 1);
  utilization = 0;
  look(2);
  assert.equal(passes, 2);
});

test("less than 2 MiB more than a collection left is not worth another", () => {
  look(4);
  litter(2 * MB - 1);
  look(1000);
  assert.equal(passes, 2);
  litter(1);
  look(4);
  assert.equal(passes, 4);
});

test("what the system takes back after a collection counts as room that was left", () => {
  look(4);
  residentBytes -= 5 * MB;
  look(2);
  litter(3 * MB);
  look(4);
  assert.equal(passes, 4);
});

test("memory that is in use is looked through once and not again", () => {
  look(4);
  residentBytes += 100 * MB;
  look(1000);
  assert.equal(passes, 4);
});

test("after four collections, light traffic that goes on meets one in 120 looks", () => {
  for (let count = 0; count < 120 * 20; count += 1) {
    litter(3 * MB);
    look(1);
  }
  assert.equal(passes, 2 * (4 + 19));
});

test("how long each pass held the event loop is told, as of any turn", (t) => {
  let nowMs = 1000;
  t.mock.method(performance, "now", () => {
    nowMs += 7;
    return nowMs;
  });
  look(2);
  assert.deepEqual([passes, workedMs], [1, [7]]);
  look(1000);
  assert.deepEqual([passes, workedMs], [2, [7, 7]]);
});

test("this process knows what is resident without a descriptor to open a file with", (t) => {
  const it = thisProcess({ trimMemory: () => {} });
  t.mock.method(process.memoryUsage, "rss", () => {
    throw new Error("EMFILE");
  });
  assert.ok(it.residentBytes() > 10 * MB);
});

test("this process knows how busy it was, and collects where it can", async (t) => {
  const trimMemory = t.mock.fn();
  const collect = t.mock.fn();
  const { gc } = globalThis;
  t.after(() => Object.assign(globalThis, { gc }));
  Object.assign(globalThis, { gc: collect });
  const it = thisProcess({ trimMemory });
  const [resident, expected] = [it.residentBytes(), process.memoryUsage.rss()];
  assert.ok(Math.abs(resident - expected) < 4 * MB, `${resident} of ${expected}`);
  await until(() => it.utilization() < 1);
  // What neither sleeps nor returns to the event loop is busy all the time.
  const untilMs = performance.now() + 5;
  it.utilization();
  while (performance.now() < untilMs);
  assert.equal(it.utilization(), 1);
  it.collect();
  assert.deepEqual([collect.mock.callCount(), trimMemory.mock.callCount()], [1, 1]);
});
