/**
 * Contenders in turns: each round measures all of them once, so that what the machine does to one
 * it does to the others too, and ratios are of one round. One that fails is named and left out of
 * the rest of its scenario; the others go on.
 */
import type { Contender } from "../floor/servers.ts";

/** What one run found: its cost, and what is told beside it, all in the workload's units. */
export interface Sample {
  cost: number;
  [side: string]: number;
}

/** One contender in one scenario, over all rounds. */
export interface Figure {
  scenario: string;
  contender: string;
  samples: Sample[];
  /** To the base of the same round; empty where the base failed or is absent. */
  ratios: number[];
}

export interface Failure {
  scenario: string;
  contender: string;
  reason: string;
}

export interface Comparison {
  figures: Figure[];
  failures: Failure[];
}

interface Plan {
  scenario: string;
  rounds: number;
  /** The contender that the others are put in relation to. */
  base: string;
  /** Rounds at the beginning that do not count, for what compiles itself as it runs. */
  warmUpRounds?: number;
  progress(text: string): void;
}

export async function compare<Entry extends { contender: Contender }>(
  entries: Entry[],
  plan: Plan,
  measure: (entry: Entry) => Promise<Sample>,
): Promise<Comparison> {
  const rounds: Map<string, Sample>[] = [];
  const failures: Failure[] = [];
  for (let round = 1 - (plan.warmUpRounds ?? 0); round <= plan.rounds; round++) {
    const samples = new Map<string, Sample>();
    for (const entry of entries) {
      const { name } = entry.contender;
      if (failures.some(({ contender }) => contender === name)) continue;
      try {
        samples.set(name, await measure(entry));
      } catch (error) {
        failures.push({ scenario: plan.scenario, contender: name, reason: reasonOf(error) });
        plan.progress(`${plan.scenario}: ${name} failed: ${(error as Error).message}`);
      }
    }
    if (round > 0) rounds.push(samples);
    const costs = [...samples].map(([name, { cost }]) => `${name} ${Number(cost.toPrecision(3))}`);
    const name = round > 0 ? `round ${round} of ${plan.rounds}` : "warming up";
    plan.progress(`${plan.scenario}, ${name}: ${costs.join(", ")}`);
  }
  const figures = entries.map(({ contender }) => figureOf(contender.name, plan, rounds));
  return { figures: figures.filter(({ samples }) => samples.length > 0), failures };
}

function figureOf(name: string, plan: Plan, rounds: Map<string, Sample>[]): Figure {
  const samples = rounds.flatMap((round) => round.get(name) ?? []);
  const ratios = rounds.flatMap((round) => {
    const [own, base] = [round.get(name)?.cost, round.get(plan.base)?.cost];
    return own === undefined || base === undefined || base <= 0 ? [] : [own / base];
  });
  return { scenario: plan.scenario, contender: name, samples, ratios };
}

export function mergeComparisons(comparisons: Comparison[]): Comparison {
  return {
    figures: comparisons.flatMap(({ figures }) => figures),
    failures: comparisons.flatMap(({ failures }) => failures),
  };
}

/** The last line of what a process had to say, which is why it ended. */
export function reasonOf(error: unknown): string {
  return (error as Error).message.trim().split("\n").at(-1) ?? "no reason";
}
