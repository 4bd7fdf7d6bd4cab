/**
 * A target beside what was measured: values of the rounds, their median, and whether it is met.
 * Made from results alone; which targets there are is told in targets.ts.
 */
import {
  formatNumber,
  formatSpread,
  markdownTable,
  type Spread,
  spreadOf,
} from "../floor/statistics.ts";
import type { Results } from "./results.ts";

export interface Target {
  workload: string;
  what: string;
  /** Undefined for what stands beside the targets and has none of its own. */
  bound?: { most: number; goal?: number } | { less: number } | { least: number };
  /** Behind every number, with its space. */
  unit: string;
  digits: number;
  /** One value a round; none where it was not measured. */
  values(find: FindSamples): number[];
}

/** The samples of a contender in a scenario, by round. */
export type FindSamples = (scenario: string, contender: string) => Record<string, number>[];

export interface Judgement {
  target: Target;
  spread: Spread | undefined;
  /** Of the median. */
  verdict: Verdict;
  /** Not all rounds say the same. */
  isWithinNoise: boolean;
}

type Verdict = "met" | "goal met" | "missed" | "no target" | "not measured";

export function judge(targets: Target[], results: Results): Judgement[] {
  return targets.map((target) => {
    const workload = results.workloads.find(({ name }) => name === target.workload);
    const find: FindSamples = (scenario, contender) =>
      workload?.figures.find(
        (figure) => figure.scenario === scenario && figure.contender === contender,
      )?.samples ?? [];
    const values = target.values(find).filter(Number.isFinite);
    if (values.length === 0)
      return { target, spread: undefined, verdict: "not measured", isWithinNoise: false };
    const spread = spreadOf(values);
    const verdict = verdictOf(target, spread.median);
    const isWithinNoise = ![spread.min, spread.max].every((value) => holds(verdict, target, value));
    return { target, spread, verdict, isWithinNoise };
  });
}

function verdictOf({ bound }: Target, value: number): Verdict {
  if (bound === undefined) return "no target";
  if ("least" in bound) return value >= bound.least ? "met" : "missed";
  if ("less" in bound) return value < bound.less ? "met" : "missed";
  if (bound.goal !== undefined && value <= bound.goal) return "goal met";
  return value <= bound.most ? "met" : "missed";
}

/** Whether the verdict is true of this value too; who meets the goal meets the bound. */
function holds(verdict: Verdict, target: Target, value: number): boolean {
  const own = verdictOf(target, value);
  return own === verdict || (verdict === "met" && own === "goal met");
}

export function formatJudgements(judgements: Judgement[]): string {
  const rows = judgements.map((judgement) => [
    judgement.target.what,
    formatBound(judgement.target),
    formatMeasured(judgement),
    formatVerdict(judgement),
  ]);
  return markdownTable(["", "target", "measured: median (range)", ""], rows);
}

function formatMeasured({ target: { unit, digits }, spread }: Judgement): string {
  return spread === undefined ? "–" : `${formatSpread(spread, digits)}${unit}`;
}

function formatVerdict({ verdict, isWithinNoise }: Judgement): string {
  if (verdict === "no target") return "";
  const text = verdict === "missed" ? "**missed**" : verdict;
  return isWithinNoise ? `${text}, within the noise` : text;
}

function formatBound({ bound, unit, digits }: Target): string {
  if (bound === undefined) return "–";
  const number = (value: number) => `${formatNumber(value, digits)}${unit}`;
  if ("least" in bound) return `≥ ${number(bound.least)}`;
  if ("less" in bound) return `< ${number(bound.less)}`;
  const goal = bound.goal === undefined ? "" : `, goal ${formatNumber(bound.goal, digits)}`;
  return `≤ ${number(bound.most)}${goal}`;
}
