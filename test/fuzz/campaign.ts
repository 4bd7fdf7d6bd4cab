/**
 * Runs one target: first the cases that are kept, then generated ones, until one fails or there
 * is no more time. It knows neither processes nor the command line.
 */
import type { CaseFailure, Report } from "../../scripts/fuzz/messages.ts";
import { regressionsOf } from "./regressions.ts";
import { shrink } from "./shrink.ts";
import { type AnyTarget, caseSeed, failureOf, generate, writeCase } from "./target.ts";

/** Between two of these, everything that waits for its turn in the event loop gets one. */
const UNYIELDING_MS = 5;

/** Before a target of fake time takes its place. */
const now = performance.now.bind(performance);
const nextTurn = setImmediate;

export interface Campaign {
  seed: number;
  /** Indexes of cases: `first`, and every `stride`-th behind it, below `runs`. */
  first: number;
  stride: number;
  runs: number;
  timeMs: number;
  /** Told the seed of each case before it is tried; below zero for a regression. */
  mark: (seed: number) => void;
}

export async function runRegressions(
  name: string,
  target: AnyTarget,
  mark: (seed: number) => void,
): Promise<CaseFailure | undefined> {
  for (const [index, { sentence, case: each }] of regressionsOf(name, target).entries()) {
    mark(-1 - index);
    const message = await failureOf(target, each);
    if (message !== undefined)
      return { seed: undefined, sentence, message, written: writeCase(each) };
  }
  return undefined;
}

export async function runCampaign(target: AnyTarget, campaign: Campaign): Promise<Report> {
  const { seed: base, first, stride, runs, timeMs, mark } = campaign;
  const startedMs = now();
  let yieldedMs = startedMs;
  const report: Report = {
    ...{ cases: 0, elapsedMs: 0, slowestMs: 0, slowestSeed: base, tally: [], failure: undefined },
  };
  for (let index = first; index < runs; index += stride) {
    const seed = caseSeed(base, index);
    const caseStartedMs = now();
    if (caseStartedMs - startedMs > timeMs) break;
    if (caseStartedMs - yieldedMs > UNYIELDING_MS) {
      await new Promise((resolve) => nextTurn(resolve));
      yieldedMs = now();
    }
    mark(seed);
    const failing = generate(target, seed);
    const message = await failureOf(target, failing);
    report.cases += 1;
    const elapsedMs = now() - caseStartedMs;
    if (elapsedMs > report.slowestMs) {
      report.slowestMs = elapsedMs;
      report.slowestSeed = seed;
    }
    if (message === undefined) continue;
    const small = await shrink(target, { message, failing });
    const written = writeCase(small.failing);
    report.failure = { seed, sentence: undefined, message: small.message, written };
    break;
  }
  report.elapsedMs = now() - startedMs;
  report.tally = [...target.tally];
  return report;
}
