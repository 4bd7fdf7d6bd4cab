/**
 * What the command and its processes say to each other: one job for each process, and one
 * report from it, whatever the end. Where a process is, it writes into a file beside.
 */

import type { TargetName } from "./target-names.ts";

export interface Job {
  target: TargetName;
  /** Of the whole run; the case with index i has the seed + i. */
  seed: number;
  /** The cases of this process: `first`, and every `stride`-th behind it. */
  first: number;
  stride: number;
  /** Cases of all processes together, or as many as there is time for. */
  runs: number | undefined;
  timeMs: number;
  /** The seed being tried stands there, so that it is known when nothing else is said. */
  markFile: string;
}

export interface Report {
  cases: number;
  elapsedMs: number;
  slowestMs: number;
  slowestSeed: number;
  /** What came up, and how often. */
  tally: [kind: string, times: number][];
  failure: CaseFailure | undefined;
}

export interface CaseFailure {
  /** Undefined for a case that is kept as a regression. */
  seed: number | undefined;
  /** Of a regression: what it once broke. */
  sentence: string | undefined;
  message: string;
  /** As JSON, made as small as it got. */
  written: string;
}

/** Bytes of the mark file: one number, a seed, or below zero: the regression with index -1 - n. */
export const MARK_BYTES = 8;
