import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../../test/support/seed.ts";
import { BatchSize } from "./batch-size.ts";

/** The sizes of the next batches, all of them full, at a service that takes so many in time. */
function sizesAt(size: BatchSize, taken: number, batches: number): number[] {
  return Array.from({ length: batches }, () => {
    const { now } = size;
    if (now <= taken) size.succeeded(now);
    else size.failed(now);
    return now;
  });
}

test("a batch that fails is followed by a sixteenth of it, which is doubled up to a half", () => {
  const size = new BatchSize(256, 4);
  assert.deepEqual(sizesAt(size, 200, 6), [256, 16, 32, 64, 128, 132]);
});

test("beyond the half it grows by a thirty-second, so that a slow service fails seldom", () => {
  const size = new BatchSize(256, 4);
  sizesAt(size, 200, 5);
  assert.deepEqual(sizesAt(size, 200, 15).slice(-3), [185, 190, 195]);
  const sizes = sizesAt(size, 200, 200);
  assert.ok(sizes.filter((events) => events > 200).length < 12);
});

test("where there is no reason to fail any more it becomes as large as is allowed", () => {
  const size = new BatchSize(256, 4);
  sizesAt(size, 3, 40);
  assert.equal(sizesAt(size, 256, 150).at(-1), 256);
  assert.equal(sizesAt(size, 256, 2).at(-1), 256);
});

test("a batch that was not full says nothing of a larger one", () => {
  const size = new BatchSize(256, 4);
  size.failed(256);
  for (let times = 0; times < 10; times += 1) size.succeeded(15);
  assert.equal(size.now, 16);
});

test("one event that fails alone makes no batch smaller", () => {
  const size = new BatchSize(256, 4);
  assert.equal(size.failed(1), 1);
  assert.equal(size.now, 256);
});

test("failures in a row are taken for one: afterwards it doubles up to where it was", () => {
  const size = new BatchSize(256, 4);
  for (const events of [256, 256, 200, 16, 1]) size.failed(events);
  assert.deepEqual(sizesAt(size, 256, 9), [1, 2, 4, 8, 16, 32, 64, 128, 132]);
});

test("a small batch that fails says little of large ones: these are soon back", () => {
  const size = new BatchSize(256, 4);
  size.failed(20);
  assert.deepEqual(sizesAt(size, 256, 9), [1, 2, 4, 8, 16, 32, 64, 128, 132]);
});

test("events that failed come with a sixteenth, but not in an outage", () => {
  const size = new BatchSize(256, 4);
  assert.equal(size.failed(256), 16);
  assert.equal(size.failed(16), 1);
  for (let failures = 3; failures <= 16; failures += 1) assert.equal(size.failed(100), 6);
  assert.equal(size.failed(100), Number.POSITIVE_INFINITY);
  size.succeeded(1);
  assert.equal(size.failed(100), 6);
});

test("whatever becomes of batches, one event has room, and no more than are allowed", () => {
  const outcomes = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 300 })));
  const property = fc.property(fc.integer({ min: 1, max: 300 }), outcomes, (max, plan) => {
    const size = new BatchSize(max, 1);
    for (const [isTaken, events] of plan) {
      if (isTaken) size.succeeded(Math.min(events, size.now));
      else assert.ok(size.failed(events) >= 1);
      assert.ok(size.now >= 1 && size.now <= max && Number.isInteger(size.now));
    }
    // It never comes to a standstill.
    assert.equal(sizesAt(size, max, 400).at(-1), max);
  });
  fc.assert(property, { seed: testSeed(), numRuns: propertyRuns(300, 100_000) });
});
