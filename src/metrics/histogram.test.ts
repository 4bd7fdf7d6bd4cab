import assert from "node:assert/strict";
import { test } from "node:test";
import { addHistograms, durationBoundsSeconds, Histogram } from "./histogram.ts";

const LAST = durationBoundsSeconds.length;

/** The buckets that have something in them, with their counts. */
function filled(histogram: Histogram): [number, number][] {
  return [...histogram.counts().buckets.entries()].filter(([, count]) => count > 0);
}

test("a value on a bound belongs to the bucket below it, and one above to the next", () => {
  for (const [bucket, bound] of durationBoundsSeconds.entries()) {
    const histogram = new Histogram();
    histogram.observe(bound);
    assert.deepEqual(filled(histogram), [[bucket, 1]]);
    histogram.observe(bound * 1.000001);
    assert.deepEqual(filled(histogram), [
      [bucket, 1],
      [bucket + 1, 1],
    ]);
  }
});

test("nothing is too small or too large to be counted", () => {
  const histogram = new Histogram();
  for (const seconds of [0, 0, 1e9]) histogram.observe(seconds);
  assert.deepEqual(filled(histogram), [
    [0, 2],
    [LAST, 1],
  ]);
  assert.equal(histogram.counts().sum, 1e9);
});

test("the counts are a copy of that moment", () => {
  const histogram = new Histogram();
  const before = histogram.counts();
  histogram.observe(0.5);
  assert.deepEqual(before, { buckets: new Array(LAST + 1).fill(0), sum: 0 });
});

test("two histograms add up bucket by bucket", () => {
  const [a, b, both] = [new Histogram(), new Histogram(), new Histogram()];
  for (const seconds of [0.002, 0.125]) a.observe(seconds);
  for (const seconds of [0.125, 64]) b.observe(seconds);
  for (const seconds of [0.002, 0.125, 0.125, 64]) both.observe(seconds);
  assert.deepEqual(addHistograms(a.counts(), b.counts()), both.counts());
});
