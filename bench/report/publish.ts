/**
 * Where results go: always into build/bench, and into the documents only when asked. Documents
 * keep their own words; what is between the markers is replaced as a whole.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatEssence } from "./essence.ts";
import { formatResults } from "./markdown.ts";
import { type Part, wholeParts } from "./parts.ts";
import { plotRatios } from "./plot.ts";
import { type Results, writeResults } from "./results.ts";

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
  dropPlots(join(folder, "plots"), () => true);
  addPlots(join(folder, "plots"), results);
  return folder;
}

/**
 * docs/performance.md with its plots, and the essence in the README: the parts that were measured
 * as a whole, of the workloads with these names. Returns their names.
 */
export function publish(root: string, results: Results, names: string[]): string[] {
  const documents = new Map(
    ["docs/performance.md", "README.md"].map((name) => {
      const path = join(root, name);
      return [name, { path, text: readFileSync(path, "utf8") }];
    }),
  );
  const whole = wholeParts(results, names);
  for (const [part, own] of whole) {
    const plotOf = (name: string) => `![Ratios as bars](performance/${name}.svg)`;
    const figures = {
      "docs/performance.md": formatResults(own, plotOf, part.heading),
      "README.md": essenceOf(own),
    };
    for (const [name, text] of Object.entries(figures)) {
      replaceFigures(documents.get(name) as Document, part, text);
    }
  }
  // Only when all of them have the markers.
  for (const { path, text } of documents.values()) writeFileSync(path, text);
  const folder = join(root, "docs/performance");
  dropPlots(folder, (name) => !names.includes(name) || whole.some(([{ holds }]) => holds(name)));
  for (const [, own] of whole) addPlots(folder, own);
  return whole.map(([{ name }]) => name);
}

interface Document {
  path: string;
  text: string;
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
function dropPlots(folder: string, isOld: (workload: string) => boolean): void {
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(folder)) {
    if (isOld(file.replace(/\.svg$/, ""))) rmSync(join(folder, file));
  }
}

function addPlots(folder: string, results: Results): void {
  for (const workload of results.workloads) {
    const plot = plotRatios(workload);
    if (plot !== undefined) writeFileSync(join(folder, `${workload.name}.svg`), plot);
  }
}

function replaceFigures(document: Document, { name }: Part, figures: string): void {
  const { path, text } = document;
  const begin = `<!-- figures of ${name}: made by npm run bench; do not edit -->`;
  const at = text.indexOf(begin);
  const end = text.indexOf(END, at);
  if (at < 0 || end < 0) throw new Error(`${path} lacks the line ${begin}, or ${END} behind it`);
  document.text = `${text.slice(0, at)}${begin}\n\n${figures}\n\n${text.slice(end)}`;
}
