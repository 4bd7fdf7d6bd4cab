/**
 * How the time of a piece of work grows when its input doubles. It compares and never says how
 * long anything took: the same on a slow machine, and, since only the quickest of several runs
 * counts, on a busy one.
 */
import assert from "node:assert/strict";

export interface Work {
  readonly name: string;
  /**
   * Of the smaller input: large enough that what is not linear outweighs all else, and no larger,
   * since memory in large pieces costs more than twice as much for twice as much.
   */
  readonly size: number;
  /** Prepares an input; what it returns can be run again and again. */
  prepare(size: number): () => void;
}

/** A linear one doubles; the rest is room for caches, which a larger input fits less well. */
export const GROWTH_MAX = 2.3;

const RUNS = 4;
const ATTEMPTS_MAX = 8;
/** With inputs made anew: where they lie in memory can be one's bad luck for as long as they do. */
const PREPARATIONS_MAX = 4;
/** Shorter runs are repeated: clocks and interruptions would be most of what is measured. */
const RUN_MICROSECONDS_MIN = 3000;
const REPEATS_MAX = 10_000;

export function assertLinear(work: Work): void {
  let growth = Number.POSITIVE_INFINITY;
  for (let count = 0; count < PREPARATIONS_MAX && growth > GROWTH_MAX; count += 1) {
    growth = growthOf(work.prepare(work.size), work.prepare(2 * work.size));
  }
  const text = growth.toFixed(2);
  assert.ok(growth <= GROWTH_MAX, `${work.name}: twice the input took ${text} times as long`);
}

/** Measures until it is small enough, or often enough. */
function growthOf(small: () => void, large: () => void): number {
  // Both are compiled before either counts.
  small();
  large();
  const once = Math.max(1, microsecondsOf(small, 1));
  const repeats = Math.min(REPEATS_MAX, Math.ceil(RUN_MICROSECONDS_MIN / once));
  let [quickestSmall, quickestLarge] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    for (let run = 0; run < RUNS; run += 1) {
      quickestSmall = Math.min(quickestSmall, microsecondsOf(small, repeats));
      quickestLarge = Math.min(quickestLarge, microsecondsOf(large, repeats));
    }
    if (quickestLarge <= GROWTH_MAX * quickestSmall) break;
  }
  return quickestLarge / quickestSmall;
}

/** Of the processor, so that time in which others had it does not count. */
function microsecondsOf(run: () => void, repeats: number): number {
  const before = process.cpuUsage();
  for (let repeat = 0; repeat < repeats; repeat += 1) run();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
