/**
 * Memory for an idle connection in a few seconds: one slope for each server, all of them at the
 * same time, since memory does not depend on who else is busy. Fewer connections, less rest and
 * one round make it coarser than idle.ts, which is what is published.
 */
import { headgate } from "../floor/servers.ts";
import { type Comparison, mergeComparisons } from "./comparison.ts";
import { attempt, idle, relate } from "./idle.ts";
import type { Bench, Workload } from "./workload.ts";

const PLAN: { rounds: number; counts: [number, number]; quietMs: number } = {
  rounds: 1,
  counts: [1000, 9000],
  quietMs: 1500,
};
const [scenario = ""] = idle.main;

export const quickIdle: Workload = {
  ...idle,
  note:
    `Anonymous resident memory at ${PLAN.counts.join(" and ")} connections, each in a fresh ` +
    "process.",
  main: [scenario],
  measure,
};

async function measure(bench: Bench): Promise<Comparison> {
  const contenders = [headgate(bench.root), ...bench.peers];
  const comparison = mergeComparisons(
    await Promise.all(contenders.map((each) => attempt(bench, scenario, each, PLAN))),
  );
  relate(comparison.figures);
  return comparison;
}
