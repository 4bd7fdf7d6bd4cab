/**
 * The essence of results, for the README and for the terminal: one row for each scenario that
 * stands for its workload, one column for each server. The rest is in the report.
 */
import { formatSpread, markdownTable, spreadOf } from "../floor/statistics.ts";
import type { Figure } from "../workloads/comparison.ts";
import { formatOrigin } from "./markdown.ts";
import type { Results, WorkloadResult } from "./results.ts";

interface Shown {
  workload: string;
  /** Of their scenarios, whose names alone would not tell. */
  title: string;
  /** Where a count says more than a ratio: its unit. */
  unit?: string;
}

/** Servers compared as such, in one table. */
const servers: Shown[] = [
  { workload: "echo", title: "Echo" },
  { workload: "idle", title: "Memory of an idle connection", unit: " B" },
  { workload: "handshakes", title: "Handshakes" },
  { workload: "fan-out", title: "Fan-out" },
  { workload: "latency", title: "p99 at half of saturation" },
];
/** Gateways with a service behind them, in another. */
const gateways: Shown[] = [{ workload: "round-trip", title: "To a service and back" }];

/** It is no server that one could choose. */
const FLOOR = "floor";

export function formatEssence(results: Results): string {
  const tables = [servers, gateways].flatMap((shown) => tableOf(shown, results));
  return [...tables, formatOrigin(results)].join("\n\n");
}

function tableOf(all: Shown[], results: Results): string[] {
  const parts = all.flatMap((shown) => {
    const workload = results.workloads.find(({ name }) => name === shown.workload);
    return workload === undefined ? [] : [{ shown, workload, figures: mainFigures(workload) }];
  });
  // Those of the first: what another has besides is a variant, and in the report.
  const [first] = parts;
  const columns = [...new Set(first?.figures.map(({ contender }) => contender))].filter(
    (name) => name !== FLOOR,
  );
  if (columns.length === 0) return [];
  const rows = parts.flatMap(({ shown, workload, figures }) =>
    rowsOf(shown, workload, figures, columns),
  );
  return [markdownTable(["", ...columns], rows)];
}

function mainFigures({ main, figures }: WorkloadResult): Figure[] {
  return figures.filter(({ scenario, samples }) => main.includes(scenario) && samples.length > 0);
}

function rowsOf(
  { title, unit }: Shown,
  { main, base }: WorkloadResult,
  figures: Figure[],
  columns: string[],
): string[][] {
  return main
    .filter((scenario) => figures.some((figure) => figure.scenario === scenario))
    .map((scenario) => [
      `${title}, ${scenario}${unit === undefined ? `; ${base} = 1` : ""}`,
      ...columns.map((name) => {
        const figure = figures.find(
          (each) => each.scenario === scenario && each.contender === name,
        );
        return figure === undefined ? "–" : cellOf(figure, unit);
      }),
    ]);
}

function cellOf({ ratios, samples }: Figure, unit: string | undefined): string {
  if (unit !== undefined)
    return `${formatSpread(spreadOf(samples.map(({ cost }) => cost)), 0)}${unit}`;
  return ratios.length === 0 ? "–" : formatSpread(spreadOf(ratios), 2);
}
