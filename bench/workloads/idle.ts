/**
 * Memory for an idle connection: the slope between two counts, each in a fresh process, untouched
 * and after one message each; anonymous, and with a user and a group.
 */
import { type MemoryPlan, type MemorySample, measureMemory } from "../floor/memory.ts";
import { type Contender, headgate } from "../floor/servers.ts";
import { spreadOf } from "../floor/statistics.ts";
import { headgateWithService } from "../peers/proxies.ts";
import {
  type Comparison,
  type Figure,
  mergeComparisons,
  reasonOf,
  type Sample,
} from "./comparison.ts";
import type { Bench, Workload } from "./workload.ts";

/** Of Headgate where it has a target: V8 has its own idea of when to collect. */
const ROUNDS = 3;
/** Of the others, whose figures are several times the noise. */
const PEER_ROUNDS = 1;

export const idle: Workload = {
  name: "idle",
  title: "Memory of an idle connection",
  base: "uWebSockets.js",
  cost: "bytes for a connection, untouched",
  digits: 0,
  sides: [
    { key: "touched", title: "after one message each", digits: 0 },
    { key: "whole", title: "with what the server takes once, untouched", digits: 0 },
    { key: "emptyMegabytes", title: "the empty server, MB", digits: 0 },
    { key: "supervisorMegabytes", title: "its supervisor, MB", digits: 0 },
  ],
  note:
    "Anonymous resident memory of the process that holds the connections, 2,000 and 18,000 of " +
    "them (or as many as the limit of open files allows), each in a fresh process that is at " +
    "rest: for 3 s it has neither worked nor changed its size, and nobody made it collect its " +
    "garbage. A connection costs the difference of the two, divided by the connections " +
    "between; two processes with the same connections differ by up to a megabyte or two, " +
    "which is 100 B for each of 16,000, so that a figure near nothing, or below, only says " +
    "that it is little. As a cross-check there is all that the larger process has more than " +
    "an empty one, for each of its connections. With a user and a group, Headgate asks a " +
    "service, which names them, and the other servers keep a string and subscribe to a topic " +
    "(`ws`: a Set): one for all, or for Headgate also one for each hundred. Compressed means " +
    "that permessage-deflate was agreed on without any of its parameters asked for; each " +
    "server keeps what it thinks best. The empty server is Headgate's worker, of which there " +
    "can be many to one supervisor.",
  main: ["anonymous", "with a user and a group", "compressed"],
  measure,
};

interface Variant {
  scenario: string;
  rounds: number;
  path?: string;
  deflate?: boolean;
}

async function measure(bench: Bench): Promise<Comparison> {
  const rounds = Math.min(bench.rounds, ROUNDS);
  const withService = headgateWithService(bench.root, "Headgate");
  const anonymous = [headgate(bench.root), ...bench.peers];
  const named = [withService, ...bench.peers];
  const compressing = [headgate(bench.root, { compression: true }), ...bench.compressingPeers];
  const variants: [Variant, Contender[]][] = [
    [{ scenario: "anonymous", rounds }, anonymous],
    [{ scenario: "with a user and a group", rounds, path: "/group" }, named],
    [{ scenario: "with a user and a group of 100", rounds, path: "/groups" }, [withService]],
    [{ scenario: "anonymous, behind a service", rounds: 1, path: "/anonymous" }, [withService]],
    [{ scenario: "compressed", rounds: 1, deflate: true }, compressing],
  ];
  const comparisons: Comparison[] = [];
  for (const [variant, contenders] of variants)
    comparisons.push(await measureVariant(bench, variant, contenders));
  return mergeComparisons(comparisons);
}

async function measureVariant(
  bench: Bench,
  { scenario, rounds, ...kind }: Variant,
  contenders: Contender[],
): Promise<Comparison> {
  const [own, ...others] = contenders;
  if (own === undefined) throw new Error("nobody to measure");
  const comparisons = [await attempt(bench, scenario, own, { ...kind, rounds })];
  for (const other of others)
    comparisons.push(await attempt(bench, scenario, other, { ...kind, rounds: PEER_ROUNDS }));
  const comparison = mergeComparisons(comparisons);
  relate(comparison.figures);
  return comparison;
}

/** A figure, or why there is none. */
export async function attempt(
  { loadBinary, progress }: Pick<Bench, "loadBinary" | "progress">,
  scenario: string,
  contender: Contender,
  plan: MemoryPlan,
): Promise<Comparison> {
  const { name } = contender;
  const told = (text: string) => progress(`${scenario}: ${text}`);
  try {
    const { samples } = await measureMemory(loadBinary, contender, plan, told);
    const figure = { scenario, contender: name, samples: samples.map(columnsOf), ratios: [] };
    return { figures: [figure], failures: [] };
  } catch (error) {
    const reason = reasonOf(error);
    told(`${name} failed: ${reason}`);
    return { figures: [], failures: [{ scenario, contender: name, reason }] };
  }
}

function columnsOf({ untouched, touched, whole, empty, supervisor }: MemorySample): Sample {
  return {
    cost: untouched,
    ...{ touched, whole, emptyMegabytes: empty / 1e6 },
    ...(supervisor === undefined ? {} : { supervisorMegabytes: supervisor / 1e6 }),
  };
}

/** To the median of the base: rounds of memory have nothing in common, unlike those of CPU time. */
export function relate(figures: Figure[]): void {
  const base = figures.find(({ contender }) => contender === idle.base);
  if (base === undefined) return;
  const { median } = spreadOf(base.samples.map(({ cost }) => cost));
  if (median <= 0) return;
  for (const figure of figures) figure.ratios = figure.samples.map(({ cost }) => cost / median);
}
