/**
 * Where results go: always into build/bench, and into the documents only when asked. Documents
 * keep their own words; what is between the markers is replaced as a whole.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatEssence, formatResults } from "./markdown.ts";
import { plotRatios } from "./plot.ts";
import { type Results, writeResults } from "./results.ts";

const BEGIN = "<!-- figures: made by npm run bench; do not edit -->";
const END = "<!-- end of figures -->";

/** The workloads that the README has tables of; the first has its plot there too. */
const ESSENCE = ["echo", "fan-out", "idle", "round-trip"];

/** Returns the folder that holds the JSON, the report and the plots. */
export function keep(root: string, results: Results): string {
  const folder = join(root, "build/bench");
  mkdirSync(folder, { recursive: true });
  writeResults(join(folder, "latest.json"), results);
  const report = formatResults(results, (name) => `![Bars](${plotName(name)})`);
  writeFileSync(join(folder, "report.md"), `# Measured\n\n${report}\n`);
  writePlots(folder, results);
  return folder;
}

/** docs/performance.md with its plots, and the essence in the README. */
export function publish(root: string, results: Results): void {
  const report = formatResults(results, (name) => `![Ratios as bars](${plotName(name)})`);
  const documents = [
    replaceFigures(join(root, "docs/performance.md"), report),
    replaceFigures(join(root, "README.md"), essenceOf(results)),
  ];
  // Only when all of them have the markers.
  for (const { path, text } of documents) writeFileSync(path, text);
  writePlots(join(root, "docs"), results);
}

function essenceOf(results: Results): string {
  const workloads = ESSENCE.flatMap(
    (name) => results.workloads.find((workload) => workload.name === name) ?? [],
  );
  const [first] = workloads;
  const plots =
    first === undefined || plotRatios(first) === undefined
      ? []
      : [`![${first.title}: ratios as bars](docs/${plotName(first.name)})`];
  return [...plots, formatEssence({ ...results, workloads })].join("\n\n");
}

function plotName(workload: string): string {
  return `performance-${workload}.svg`;
}

function writePlots(folder: string, results: Results): void {
  for (const workload of results.workloads) {
    const plot = plotRatios(workload);
    if (plot !== undefined) writeFileSync(join(folder, plotName(workload.name)), plot);
  }
}

function replaceFigures(path: string, figures: string): { path: string; text: string } {
  const text = readFileSync(path, "utf8");
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${path} lacks the line ${BEGIN} or ${END}`);
  const head = text.slice(0, begin + BEGIN.length);
  return { path, text: `${head}\n\n${figures}\n\n${text.slice(end)}` };
}
