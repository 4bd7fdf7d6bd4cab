import assert from "node:assert/strict";
import { test } from "node:test";
import { LatencyHistogram } from "./latency-histogram.ts";

function histogramOf(durations: number[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const ms of durations) histogram.record(ms, 1);
  return histogram;
}

test("percentiles are those of a sorted list, to a thousandth or 0.1 µs", () => {
  const durations = Array.from({ length: 5000 }, (_, index) => 0.003 * 1.0031 ** index);
  const histogram = histogramOf(durations);
  for (const share of [0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = durations[Math.ceil(share * durations.length) - 1] as number;
    const told = histogram.percentileMs(share);
    assert.ok(
      Math.abs(told - exact) <= Math.max(0.0001, exact / 1000),
      `${share}: ${told} ${exact}`,
    );
  }
});

test("every duration up to 214 s is told to a thousandth, and longer ones by their maximum", () => {
  for (let ms = 0.0001; ms < 214_000; ms *= 1.37) {
    const histogram = histogramOf([ms, 214_000]);
    assert.ok(Math.abs(histogram.percentileMs(0.5) - ms) <= Math.max(0.0001, ms / 1000), `${ms}`);
  }
  assert.equal(histogramOf([1e9]).summary().maxMs, 1e9);
});

test("a duration recorded several times counts as often, and less than nothing as nothing", () => {
  const histogram = new LatencyHistogram();
  histogram.record(1, 9);
  histogram.record(100, 1);
  histogram.record(-5, 10);
  assert.equal(histogram.count, 20);
  assert.equal(histogram.percentileMs(0.5), 0);
  assert.ok(Math.abs(histogram.percentileMs(0.95) - 1) < 0.001);
  assert.ok(Math.abs(histogram.percentileMs(0.96) - 100) < 0.1);
});

test("histograms add up to the one that saw everything, also through JSON", () => {
  const first = [0.01, 0.5, 3, 3, 700];
  const second = [0.02, 3, 90_000];
  const sum = histogramOf(first);
  sum.add(JSON.parse(JSON.stringify(histogramOf(second).counts())));
  assert.deepEqual(sum.counts(), histogramOf([...first, ...second]).counts());
  assert.deepEqual(sum.summary(), histogramOf([...first, ...second]).summary());
});

test("without observations everything is 0, and so it is after a clear", () => {
  const histogram = histogramOf([4, 5]);
  histogram.clear();
  assert.deepEqual(histogram.summary(), new LatencyHistogram().summary());
  assert.equal(histogram.percentileMs(0.99), 0);
  assert.deepEqual(histogram.counts(), { pairs: [], maxMs: 0, sumMs: 0 });
});
