/**
 * Results as Markdown: the targets, a table for each workload, and where they come from. Every
 * figure is a median over rounds unless its column says otherwise; ratios have their range.
 */
import { formatNumber, formatSpread, markdownTable, spreadOf } from "../floor/statistics.ts";
import type { Sample } from "../workloads/comparison.ts";
import type { Side } from "../workloads/workload.ts";
import { formatJudgements, judge } from "./judge.ts";
import type { Results, WorkloadResult } from "./results.ts";
import { targets } from "./targets.ts";

const TARGETS = "Targets";

export function formatResults(
  results: Results,
  plotOf: (name: string) => string,
  heading = TARGETS,
): string {
  const parts = results.workloads.map((workload) => formatWorkload(workload, plotOf));
  return [formatOrigin(results), formatTargets(results, false, heading), ...parts].join("\n\n");
}

/** Of the workloads that were measured; `isQuick` leaves out what a quick run has no part in. */
export function formatTargets(results: Results, isQuick = false, heading = TARGETS): string {
  const names = results.workloads.map(({ name }) => name);
  const judgements = judge(targets, results)
    .filter(({ target }) => names.includes(target.workload))
    .filter(({ verdict }) => !isQuick || verdict !== "not measured");
  return `## ${heading}\n\n${formatJudgements(judgements)}`;
}

export function formatOrigin(results: Results): string {
  const { version, machine, loadAverage, command, rounds, seconds, versions, missing } = results;
  const before = loadAverage === undefined ? "" : `load average before it ${loadAverage}; `;
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const absent = Object.entries(missing).map(([name, reason]) => `${name} (${reason})`);
  return [
    `\`${command}\`; ${machine.replace("\n", "; ")}; ${before}up to ${rounds} rounds in ` +
      `turns of ${seconds} s each; medians, with the lowest and the highest round.`,
    `Beside Headgate ${version}: ${named.length === 0 ? "nobody" : named.join(", ")}.`,
    ...(absent.length === 0 ? [] : [`Not there, and so not measured: ${absent.join(", ")}.`]),
  ].join(" ");
}

function formatWorkload(workload: WorkloadResult, plotOf: (name: string) => string): string {
  const { title, note, base, cost, digits, sides, figures, failures } = workload;
  const isCompared = base !== "";
  const rows = figures.map(({ scenario, contender, samples, ratios }) => [
    ...[scenario, contender],
    ...(isCompared ? [ratios.length === 0 ? "–" : formatSpread(spreadOf(ratios), 2)] : []),
    formatSide(samples, { key: "cost", digits }),
    ...sides.map((side) => formatSide(samples, side)),
  ]);
  const ratioHead = isCompared ? [`${base} = 1`] : [];
  const head = ["", "server", ...ratioHead, cost, ...sides.map((side) => side.title)];
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

/** The median, or where it is what counts the worst. */
function formatSide(samples: Sample[], { key, digits, isWorst }: Omit<Side, "title">): string {
  const values = samples.flatMap((sample) => sample[key] ?? []);
  if (values.length === 0) return "–";
  const { median, max } = spreadOf(values);
  return formatNumber(isWorst === true ? max : median, digits);
}
