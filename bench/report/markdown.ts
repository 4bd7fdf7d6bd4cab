/**
 * Results as Markdown: a table for each workload, the essence for the README, and what both stand
 * in. Every figure is a median over rounds; ratios have their range beside them.
 */
import { formatSpread, markdownTable, spreadOf } from "../floor/statistics.ts";
import type { Figure, Sample } from "../workloads/comparison.ts";
import type { Results, WorkloadResult } from "./results.ts";

export function formatResults(results: Results, plotOf: (name: string) => string): string {
  const parts = results.workloads.map((workload) => formatWorkload(workload, plotOf));
  return [formatOrigin(results), ...parts].join("\n\n");
}

/** One row for each scenario that stands for its workload, one column for each server. */
export function formatEssence(results: Results): string {
  const tables = results.workloads.flatMap((workload) => {
    const figures = workload.figures.filter(({ scenario, ratios }) => {
      return workload.main.includes(scenario) && ratios.length > 0;
    });
    const shown = figures.filter(({ contender }) => contender !== workload.base);
    const servers = [...new Set(shown.map(({ contender }) => contender))];
    if (servers.length === 0) return [];
    const rows = workload.main
      .filter((scenario) => shown.some((figure) => figure.scenario === scenario))
      .map((scenario) => [scenario, ...servers.map((name) => ratioOf(shown, scenario, name))]);
    const head = [`${workload.title}: ${workload.base} = 1`, ...servers];
    return [markdownTable(head, rows)];
  });
  return [...tables, formatOrigin(results)].join("\n\n");
}

function ratioOf(figures: Figure[], scenario: string, contender: string): string {
  const figure = figures.find((each) => each.scenario === scenario && each.contender === contender);
  return figure === undefined ? "–" : formatSpread(spreadOf(figure.ratios), 2);
}

function formatOrigin(results: Results): string {
  const { version, machine, command, rounds, seconds, versions, missing } = results;
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const absent = Object.entries(missing).map(([name, reason]) => `${name} (${reason})`);
  return [
    `\`${command}\`; ${machine.replace("\n", "; ")}; ${rounds} rounds in turns of ` +
      `${seconds} s each; medians, with the lowest and the highest round.`,
    `Beside Headgate ${version}: ${named.length === 0 ? "nobody" : named.join(", ")}.`,
    ...(absent.length === 0 ? [] : [`Not there, and so not measured: ${absent.join(", ")}.`]),
  ].join(" ");
}

function formatWorkload(workload: WorkloadResult, plotOf: (name: string) => string): string {
  const { title, note, base, cost, digits, sides, figures, failures } = workload;
  const rows = figures.map(({ scenario, contender, samples, ratios }) => [
    scenario,
    contender,
    ratios.length === 0 ? "–" : formatSpread(spreadOf(ratios), 2),
    medianOf(samples, "cost", digits),
    ...sides.map(({ key, digits: sideDigits }) => medianOf(samples, key, sideDigits)),
  ]);
  const head = ["", "server", `${base} = 1`, cost, ...sides.map((side) => side.title)];
  const failed = failures.map(
    ({ scenario, contender, reason }) => `- ${scenario}: ${contender} failed: ${reason}`,
  );
  return [
    `## ${title}`,
    note,
    ...(figures.some(({ ratios }) => ratios.length > 0) ? [plotOf(workload.name)] : []),
    markdownTable(head, rows),
    ...(failed.length === 0 ? [] : [failed.join("\n")]),
  ].join("\n\n");
}

function medianOf(samples: Sample[], key: string, digits: number): string {
  const values = samples.flatMap((sample) => sample[key] ?? []);
  if (values.length === 0) return "–";
  const { median } = spreadOf(values);
  return median.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}
