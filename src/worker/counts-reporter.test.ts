import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyCounts, type WorkerCounts } from "../metrics/worker-counts.ts";
import { CountsReporter } from "./counts-reporter.ts";

function countsOf(connections: number): WorkerCounts {
  return { ...emptyCounts(), connections, openedTotal: connections };
}

test("counts are told at once, then once in 100 ms at the most, the latest of them", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told: number[] = [];
  const reporter = new CountsReporter(({ connections }) => void told.push(connections));
  reporter.report(countsOf(1));
  reporter.report(countsOf(2));
  reporter.report(countsOf(3));
  assert.deepEqual(told, [1]);
  t.mock.timers.tick(99);
  assert.deepEqual(told, [1]);
  t.mock.timers.tick(1);
  assert.deepEqual(told, [1, 3]);
  t.mock.timers.tick(1000);
  reporter.report(countsOf(4));
  assert.deepEqual(told, [1, 3, 4]);
});

test("counts that did not change are not told again", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told: number[] = [];
  const reporter = new CountsReporter(({ connections }) => void told.push(connections));
  const counts = countsOf(5);
  reporter.report(counts);
  t.mock.timers.tick(100);
  reporter.report(counts);
  reporter.report(countsOf(5));
  t.mock.timers.tick(100);
  assert.deepEqual(told, [5]);
  reporter.report(countsOf(6));
  assert.deepEqual(told, [5, 6]);
});

test("stopping tells the last counts without waiting", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told: number[] = [];
  const reporter = new CountsReporter(({ connections }) => void told.push(connections));
  reporter.report(countsOf(1));
  reporter.report(countsOf(0));
  reporter.stop();
  assert.deepEqual(told, [1, 0]);
  t.mock.timers.tick(1000);
  assert.deepEqual(told, [1, 0]);
});
