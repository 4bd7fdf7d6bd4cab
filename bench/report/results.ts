/**
 * What one run of the benchmark found, as it is kept in JSON: enough to draw every table and plot
 * again. Numbers are kept to four digits, which is more than such a machine can tell.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { Comparison } from "../workloads/comparison.ts";
import type { Workload } from "../workloads/workload.ts";

const DIGITS = 4;

export interface WorkloadResult extends Omit<Workload, "measure">, Comparison {}

export interface Results {
  /** The command that made them. */
  command: string;
  /** Of Headgate. */
  version: string;
  machine: string;
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
  return JSON.parse(readFileSync(path, "utf8")) as Results;
}
