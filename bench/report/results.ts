/**
 * What one run of the benchmark found, as it is kept in JSON: enough to draw every table and plot
 * again. Numbers are kept to four digits, which is more than such a machine can tell.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { HeadgateError } from "../../src/core/error.ts";
import type { Comparison } from "../workloads/comparison.ts";
import type { Workload } from "../workloads/workload.ts";

const DIGITS = 4;

export interface WorkloadResult extends Omit<Workload, "measure">, Comparison {}

export interface Results {
  /** The command that made them. */
  command: string;
  /** They are of a quick run, and say where one stands and no more. */
  isQuick: boolean;
  /** Of Headgate. */
  version: string;
  machine: string;
  /** Of the last minute, just before it began: what else the machine did. */
  loadAverage?: number;
  rounds: number;
  seconds: number;
  versions: Record<string, string>;
  missing: Record<string, string>;
  workloads: WorkloadResult[];
}

export function resultOf(workload: Workload, comparison: Comparison): WorkloadResult {
  const { measure: _, ...described } = workload;
  return { ...described, ...comparison };
}

export function writeResults(path: string, results: Results): void {
  const text = JSON.stringify(
    results,
    (_, value) => (typeof value === "number" ? Number(value.toPrecision(DIGITS)) : value),
    1,
  );
  writeFileSync(path, `${text}\n`);
}

export function readResults(path: string): Results {
  try {
    const results = JSON.parse(readFileSync(path, "utf8")) as Results;
    if (!Array.isArray(results?.workloads)) throw new Error("it has no workloads");
    return results;
  } catch (cause) {
    throw new HeadgateError(
      "HG_BENCH_RESULTS",
      `${path} cannot be read as results (${(cause as Error).message}); ` +
        "name the JSON that an earlier run wrote.",
      { cause },
    );
  }
}

/** Which of these workloads it lacks: they were not measured, or without what a page shows. */
export function missingWorkloads({ workloads }: Results, names: string[]): string[] {
  const measured = workloads.filter(isMeasured).map(({ name }) => name);
  return names.filter((name) => !measured.includes(name));
}

/** Growth has its contenders as scenarios, each being compared with itself. */
function isMeasured({ figures, main }: WorkloadResult): boolean {
  const isOwn = figures.some(({ scenario, contender }) =>
    [scenario, contender].some((name) => name.startsWith("Headgate")),
  );
  return isOwn && main.every((name) => figures.some(({ scenario }) => scenario === name));
}

/** What failed, a line each. */
export function failureLines({ workloads }: Results): string[] {
  return workloads.flatMap(({ title, failures }) =>
    failures.map(
      ({ scenario, contender, reason }) => `${title}, ${scenario}: ${contender} failed: ${reason}`,
    ),
  );
}

/** Whether they are all that is measured, of a run that took its time. */
export function isWhole(results: Results, names: string[]): boolean {
  return results.isQuick !== true && missingWorkloads(results, names).length === 0;
}
