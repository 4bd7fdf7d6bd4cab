/**
 * Memory for an idle connection: the slope between two counts, each in a fresh process, untouched
 * and after one message each; anonymous, and with a user and a group.
 */
import { measureMemory } from "../floor/memory.ts";
import { type Contender, headgate } from "../floor/servers.ts";
import { headgateWithService } from "../peers/proxies.ts";
import { type Comparison, type Figure, mergeComparisons, reasonOf } from "./comparison.ts";
import type { Bench, Workload } from "./workload.ts";

/** A round takes each server two starts and twenty seconds of waiting. */
const ANONYMOUS_ROUNDS_MAX = 2;

export const idle: Workload = {
  name: "idle",
  title: "Memory of an idle connection",
  base: "uWebSockets.js",
  cost: "bytes for a connection, untouched",
  digits: 0,
  sides: [
    { key: "touched", title: "after one message each", digits: 0 },
    { key: "emptyMegabytes", title: "the empty server, MB", digits: 0 },
  ],
  note:
    "Anonymous resident memory of the process that holds the connections, 2,000 and 18,000 of " +
    "them (or as many as the limit of open files allows), each in a fresh process and after 5 s " +
    "in which nothing happens. With a user and a group, Headgate asks a service, which names " +
    "them, and the other servers keep a string and subscribe to a topic (`ws`: a Set). " +
    "Compressed means that permessage-deflate was agreed on without any of its parameters asked " +
    "for; each server keeps what it thinks best.",
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
  const anonymous = [headgate(bench.root), ...bench.peers];
  const named = [headgateWithService(bench.root, "Headgate"), ...bench.peers];
  const compressing = [headgate(bench.root, { compression: true }), ...bench.compressingPeers];
  const variants: [Variant, Contender[]][] = [
    [{ scenario: "anonymous", rounds: Math.min(bench.rounds, ANONYMOUS_ROUNDS_MAX) }, anonymous],
    [{ scenario: "with a user and a group", rounds: 1, path: "/group" }, named],
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
  const comparison: Comparison = { figures: [], failures: [] };
  for (const contender of contenders) {
    const { name } = contender;
    try {
      const { loadBinary, progress } = bench;
      const memory = await measureMemory(loadBinary, contender, rounds, progress, kind);
      const samples = memory.untouched.map((cost, round) => ({
        cost,
        touched: memory.touched[round] ?? Number.NaN,
        emptyMegabytes: (memory.empty[round] ?? Number.NaN) / 1e6,
      }));
      comparison.figures.push({ scenario, contender: name, samples, ratios: [] });
    } catch (error) {
      comparison.failures.push({ scenario, contender: name, reason: reasonOf(error) });
    }
  }
  relate(comparison.figures);
  return comparison;
}

function relate(figures: Figure[]): void {
  const base = figures.find(({ contender }) => contender === idle.base);
  for (const figure of figures) {
    figure.ratios = figure.samples.flatMap(({ cost }, round) => {
      const other = base?.samples[round]?.cost;
      return other === undefined || other <= 0 ? [] : [cost / other];
    });
  }
}
