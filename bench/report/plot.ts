/**
 * A workload's ratios as bars in SVG, which follows the reader's light or dark: Headgate in
 * colour, everybody else in grey, a mark at 1 and a whisker from the lowest to the highest round.
 * Bars that would leave the picture are cut, and say how long they are.
 */
import { type Spread, spreadOf } from "../floor/statistics.ts";
import type { WorkloadResult } from "./results.ts";

const WIDTH = 760;
const LEFT = 180;
const RIGHT = 72;
const ROW = 20;
const BAR = 12;
const GROUP_GAP = 34;
const TOP = 52;
const BOTTOM = 30;
/** Bars beyond it are cut: `ws` would squeeze the others into nothing. */
const AXIS_MAX = 4;
const OWN = "Headgate";

const STYLE = `
  .page { fill: #ffffff; stroke: #d1d9e0; }
  .figure { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
  text { font: 12px system-ui, "Segoe UI", sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .scenario { font-weight: 600; }
  .faint { fill: #59636e; }
  .grid { stroke: #d1d9e0; }
  .one { stroke: #59636e; stroke-dasharray: 3 3; }
  .bar { fill: #b1bac4; }
  .own { fill: #0969da; }
  .whisker { stroke: #1f2328; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #3d444d; }
    .figure { stroke: #0d1117; }
    text { fill: #f0f6fc; }
    .faint { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .one { stroke: #9198a1; }
    .bar { fill: #656c76; }
    .own { fill: #4493f8; }
    .whisker { stroke: #f0f6fc; }
  }
`;

interface Bar {
  name: string;
  spread: Spread;
  isOwn: boolean;
}

interface Group {
  scenario: string;
  bars: Bar[];
}

/** Undefined when there is nothing to compare. */
export function plotRatios(workload: WorkloadResult): string | undefined {
  const groups = groupsOf(workload);
  const all = groups.flatMap(({ bars }) => bars);
  if (all.length === 0) return undefined;
  const largest = Math.max(...all.map(({ spread }) => spread.median));
  const axisMax = Math.min(AXIS_MAX, Math.max(1.5, Math.ceil(largest * 2) / 2));
  const height = TOP + BOTTOM + groups.length * GROUP_GAP + all.length * ROW;
  const parts = [
    `<text class="title" x="12" y="22">${escapeXml(workload.title)}</text>`,
    `<text class="faint" x="12" y="40">${escapeXml(subtitleOf(workload))}</text>`,
    ...axisMarks(axisMax, height),
  ];
  let y = TOP;
  for (const { scenario, bars } of groups) {
    parts.push(`<text class="scenario" x="12" y="${y + 22}">${escapeXml(scenario)}</text>`);
    y += GROUP_GAP;
    parts.push(...grid(axisMax, y - ROW / 4, y + bars.length * ROW));
    for (const bar of bars) {
      parts.push(...drawBar(bar, y, axisMax));
      y += ROW;
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
      `viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeXml(labelOf(workload))}">`,
    `<style>${STYLE}</style>`,
    // A page that is dark though the reader's system is not would swallow the text.
    `<path class="page" d="M.5 .5h${WIDTH - 1}v${height - 1}h-${WIDTH - 1}z"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function groupsOf({ main, figures, base }: WorkloadResult): Group[] {
  return main
    .map((scenario) => ({
      scenario,
      bars: figures
        .filter((figure) => figure.scenario === scenario && figure.contender !== base)
        .filter(({ ratios }) => ratios.length > 0)
        .map(({ contender, ratios }) => ({
          name: contender,
          spread: spreadOf(ratios),
          // In growth the scenario is the server.
          isOwn: [contender, scenario].some((text) => text.startsWith(OWN)),
        })),
    }))
    .filter(({ bars }) => bars.length > 0);
}

function subtitleOf({ cost, base }: WorkloadResult): string {
  return `${cost.replace(/, [^,]*$/, "")}; ${base} = 1, less is better`;
}

function labelOf(workload: WorkloadResult): string {
  return `${workload.title}: ${subtitleOf(workload)}`;
}

function xOf(ratio: number, axisMax: number): number {
  const x = LEFT + (Math.min(Math.max(ratio, 0), axisMax) / axisMax) * (WIDTH - LEFT - RIGHT);
  return Number(x.toFixed(1));
}

function marksOf(axisMax: number): number[] {
  const step = axisMax > 2 ? 1 : 0.5;
  return Array.from({ length: Math.floor(axisMax / step) + 1 }, (_, at) => at * step);
}

function axisMarks(axisMax: number, height: number): string[] {
  return marksOf(axisMax).map((mark) => {
    const place = `x="${xOf(mark, axisMax)}" y="${height - BOTTOM + 18}"`;
    return `<text class="faint" ${place} text-anchor="middle">${mark} ×</text>`;
  });
}

/** Beside the bars only: scenarios are written across it. */
function grid(axisMax: number, top: number, bottom: number): string[] {
  return marksOf(axisMax).map((mark) => {
    const x = xOf(mark, axisMax);
    const line = `x1="${x}" x2="${x}" y1="${top}" y2="${bottom}"`;
    return `<line class="${mark === 1 ? "one" : "grid"}" ${line}/>`;
  });
}

function drawBar({ name, spread, isOwn }: Bar, y: number, axisMax: number): string[] {
  const { median, min, max } = spread;
  const end = xOf(median, axisMax);
  const [low, high] = [xOf(min, axisMax), xOf(max, axisMax)];
  const [middle, baseline] = [y + BAR / 2, y + BAR - 2];
  const bar = `class="${isOwn ? "own" : "bar"}" x="${LEFT}" y="${y}" width="${end - LEFT}"`;
  const whisker = `x1="${low}" x2="${high}" y1="${middle}" y2="${middle}"`;
  const figure = `${median.toFixed(2)}${median > axisMax ? " →" : ""}`;
  return [
    `<text x="${LEFT - 8}" y="${baseline}" text-anchor="end">${escapeXml(name)}</text>`,
    `<rect ${bar} height="${BAR}" rx="2"/>`,
    ...(high > low ? [`<line class="whisker" ${whisker}/>`] : []),
    `<text class="figure" x="${Math.max(end, high) + 6}" y="${baseline}">${figure}</text>`,
  ];
}

function escapeXml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
}
