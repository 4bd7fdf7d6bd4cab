/**
 * Fuzzes what reads input from outside, with seeded generators, on two cores. `--target NAME`
 * (repeatable) chooses, `--seconds N` is for all targets together, `--runs N` for each instead,
 * `--seed S` repeats a run. What fails is shown with the command that repeats that case alone.
 */
import { randomInt } from "node:crypto";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import type { CaseFailure, Report } from "./fuzz/messages.ts";
import { fuzz } from "./fuzz/process.ts";
import { type TargetName, targetNames } from "./fuzz/target-names.ts";

const SECONDS = 300;
const SEEDS = 2 ** 31;
const MESSAGE_CHARACTERS_MAX = 3000;

interface Options {
  targets: readonly TargetName[];
  seed: number;
  /** Cases of each target, or undefined: as many as there is time for. */
  runs: number | undefined;
  timeMs: number;
  processes: number;
}

const options = readOptions();
const { targets, seed, runs, timeMs, processes } = options;
const bound = runs === undefined ? `${Math.round(timeMs / 1000)} s` : `${runs} cases each`;
console.log(`seed ${seed}: ${targets.length} targets in ${processes} processes, ${bound}`);
let failures = 0;
for (const target of targets) if (!(await fuzzTarget(target))) failures += 1;
console.log(failures === 0 ? "nothing was found" : `FAILED: ${failures} of ${targets.length}`);
process.exitCode = failures === 0 ? 0 : 1;

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      target: { type: "string", multiple: true, default: [...targetNames] },
      seconds: { type: "string" },
      runs: { type: "string" },
      seed: { type: "string" },
    },
  });
  const unknown = values.target.find((name) => !targetNames.includes(name as TargetName));
  if (unknown !== undefined) fail(`there is no target ${unknown}; there are: ${targetNames}`);
  const targets = values.target as TargetName[];
  const runs = values.runs === undefined ? undefined : wholeNumber("--runs", values.runs);
  const seconds = wholeNumber("--seconds", values.seconds ?? String(SECONDS));
  const seed = values.seed === undefined ? randomInt(SEEDS) : wholeNumber("--seed", values.seed);
  const processes = Math.max(1, Math.min(2, availableParallelism(), runs ?? 2));
  return { targets, seed: seed % SEEDS, runs, timeMs: seconds * 1000, processes };
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) fail(`${option} takes a whole number, not ${text}`);
  return Number(text);
}

function fail(sentence: string): never {
  console.error(sentence);
  process.exit(2);
}

/** On all processes at once, each with its share of the cases. */
async function fuzzTarget(target: TargetName): Promise<boolean> {
  const found = new AbortController();
  const share = runs === undefined ? timeMs / targets.length : Number.MAX_SAFE_INTEGER;
  const jobs = Array.from({ length: processes }, async (_, first) => {
    const job = { target, seed, first, stride: processes, runs, timeMs: share };
    const report = await fuzz(job, found.signal);
    if (report.failure !== undefined) found.abort();
    return report;
  });
  const reports = await Promise.all(jobs);
  show(target, reports);
  const failure = reports.find((report) => report.failure !== undefined)?.failure;
  if (failure !== undefined) showFailure(target, failure);
  return failure === undefined;
}

function show(target: TargetName, reports: Report[]): void {
  const cases = reports.reduce((sum, report) => sum + report.cases, 0);
  const seconds = Math.max(...reports.map(({ elapsedMs }) => elapsedMs)) / 1000;
  const [slowest] = reports.toSorted((a, b) => b.slowestMs - a.slowestMs);
  const rate = Math.round(cases / Math.max(seconds, 0.001));
  const slow = `slowest ${slowest?.slowestMs.toFixed(1)} ms (seed ${slowest?.slowestSeed})`;
  console.log(`\n${target}: ${cases} cases in ${seconds.toFixed(1)} s, ${rate}/s, ${slow}`);
  const tally = new Map<string, number>();
  for (const [kind, times] of reports.flatMap((report) => report.tally)) {
    tally.set(kind, (tally.get(kind) ?? 0) + times);
  }
  const rows = [...tally].sort(([a], [b]) => a.localeCompare(b));
  for (const [kind, times] of rows) console.log(`  ${String(times).padStart(9)}  ${kind}`);
}

function showFailure(target: TargetName, failure: CaseFailure): void {
  const { seed, sentence, message, written } = failure;
  const which = seed === undefined ? `a case that is kept: ${sentence}` : `seed ${seed}`;
  const again = seed === undefined ? "--runs 0" : `--seed ${seed} --runs 1`;
  console.log(`FAILED: ${target}, ${which}`);
  console.log(message.slice(0, MESSAGE_CHARACTERS_MAX));
  console.log(`case: ${written}`);
  console.log(`again: npm run fuzz -- --target ${target} ${again}`);
}
