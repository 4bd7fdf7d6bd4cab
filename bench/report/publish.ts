/**
 * Where results go: always into build/bench, and into the documents only when asked. Documents
 * keep their own words; what is between the markers is replaced as a whole.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatEssence } from "./essence.ts";
import { formatResults } from "./markdown.ts";
import { plotRatios } from "./plot.ts";
import { type Results, writeResults } from "./results.ts";

const BEGIN = "<!-- figures: made by npm run bench; do not edit -->";
const END = "<!-- end of figures -->";

/** The workload whose plot the README has. */
const SHOWN = "echo";

/**
 * Returns the folder that holds the JSON, the report and the plots: one for whole runs, and another
 * for parts of one, which overwrite none.
 */
export function keep(root: string, results: Results, whole: "whole" | "partial"): string {
  const folder = join(root, whole === "whole" ? "build/bench" : "build/bench/partial");
  mkdirSync(folder, { recursive: true });
  writeResults(join(folder, "latest.json"), results);
  const report = formatResults(results, (name) => `![Bars](plots/${name}.svg)`);
  writeFileSync(join(folder, "report.md"), `# Measured\n\n${report}\n`);
  writePlots(join(folder, "plots"), results);
  return folder;
}

/** docs/performance.md with its plots, and the essence in the README. */
export function publish(root: string, results: Results): void {
  const report = formatResults(results, (name) => `![Ratios as bars](performance/${name}.svg)`);
  const documents = [
    replaceFigures(join(root, "docs/performance.md"), report),
    replaceFigures(join(root, "README.md"), essenceOf(results)),
  ];
  // Only when all of them have the markers.
  for (const { path, text } of documents) writeFileSync(path, text);
  writePlots(join(root, "docs/performance"), results);
}

function essenceOf(results: Results): string {
  const shown = results.workloads.find(({ name }) => name === SHOWN);
  const plots =
    shown === undefined || plotRatios(shown) === undefined
      ? []
      : [`![${shown.title}: ratios as bars](docs/performance/${SHOWN}.svg)`];
  return [...plots, formatEssence(results)].join("\n\n");
}

/** Those of an earlier run would stand beside figures that they do not show. */
function writePlots(folder: string, results: Results): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const workload of results.workloads) {
    const plot = plotRatios(workload);
    if (plot !== undefined) writeFileSync(join(folder, `${workload.name}.svg`), plot);
  }
}

function replaceFigures(path: string, figures: string): { path: string; text: string } {
  const text = readFileSync(path, "utf8");
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${path} lacks the line ${BEGIN} or ${END}`);
  const head = text.slice(0, begin + BEGIN.length);
  return { path, text: `${head}\n\n${figures}\n\n${text.slice(end)}` };
}
