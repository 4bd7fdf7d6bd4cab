/**
 * Latency at half of what the servers can take, in an open loop: from when a message was due, not
 * from when it left. Throughput is not compared here: all get the same rate.
 */
import { headgate } from "../floor/servers.ts";
import { type Comparison, compare } from "./comparison.ts";
import { headgateBench } from "./headgate-bench.ts";
import { type Bench, type RunningContender, type Workload, withServers } from "./workload.ts";

const PAYLOAD_BYTES = 125;
const CONNECTIONS = 10_000;
const SATURATION_SECONDS = 2;
/** Percentiles take more messages than costs do. */
const SECONDS_MIN = 3;
const scenario = "10,000 connections";
/** It would have all others measured far below what they take. */
const SLOW = "ws";

export const latency: Workload = {
  name: "latency",
  title: "Latency at half of saturation",
  base: "uWebSockets.js",
  cost: "p99, ms",
  digits: 2,
  sides: [
    { key: "p50Ms", title: "p50 ms", digits: 2 },
    { key: "p999Ms", title: "p99.9 ms", digits: 2 },
    { key: "rate", title: "messages/s", digits: 0 },
    { key: "saturation", title: "saturation, messages/s", digits: 0 },
    { key: "probePercent", title: "generator's core at saturation, %", digits: 0 },
    { key: "lateMs", title: "p99 of the sender's own lateness, ms", digits: 2 },
    { key: "generatorPercent", title: "generator's core, %", digits: 0 },
  ],
  note:
    `${PAYLOAD_BYTES} B, by \`headgate bench --rate\`. The rate is the same for all, half of the ` +
    "least that Headgate, uWebSockets.js and Bun took in a closed loop, and for `ws` half of its " +
    "own where that is less. Where the generator's core was more than 90 % busy at saturation, " +
    "the saturation is the generator's, and the server may take more; the rate is half of it " +
    "all the same.",
  main: [scenario],
  measure,
};

async function measure(bench: Bench): Promise<Comparison> {
  const { rounds, progress, root } = bench;
  return withServers([headgate(root), ...bench.peers], async (running) => {
    const saturations = await saturationsOf(bench, running);
    const plan = { scenario, rounds, base: latency.base, progress };
    const seconds = Math.max(bench.seconds, SECONDS_MIN);
    return compare(running, plan, async ({ contender, server }) => {
      const saturation = saturations.get(contender.name);
      if (saturation === undefined) throw new Error("its saturation could not be found");
      const rate = rateFor(saturation, saturations);
      const report = await headgateBench(root, server, { ...load(seconds), rate });
      return {
        cost: report.latencyMs.p99Ms,
        p50Ms: report.latencyMs.p50Ms,
        p999Ms: report.latencyMs.p999Ms,
        rate: report.messagesPerSecond,
        saturation: saturation.perSecond,
        probePercent: saturation.generatorShare * 100,
        lateMs: report.latenessMs.p99Ms,
        generatorPercent: report.generator.cpuShare * 100,
      };
    });
  });
}

function load(seconds: number) {
  return { connections: CONNECTIONS, payload: PAYLOAD_BYTES, duration: seconds };
}

interface Saturation {
  perSecond: number;
  /** Of its core that the generator used; near 1 it may be what was saturated. */
  generatorShare: number;
}

type Saturations = Map<string, Saturation>;

async function saturationsOf(bench: Bench, running: RunningContender[]): Promise<Saturations> {
  const found: Saturations = new Map();
  for (const { contender, server } of running) {
    try {
      const report = await headgateBench(bench.root, server, load(SATURATION_SECONDS));
      const { messagesPerSecond: perSecond, generator } = report;
      found.set(contender.name, { perSecond, generatorShare: generator.cpuShare });
    } catch (error) {
      bench.progress(`${contender.name}: no saturation: ${(error as Error).message}`);
    }
  }
  return found;
}

/** Half of the least that is taken, of all but the slow one; half of its own where that is less. */
export function rateFor(own: Saturation, saturations: Saturations): number {
  const fast = [...saturations].filter(([name]) => name !== SLOW).map(([, each]) => each.perSecond);
  return Math.round(Math.min(own.perSecond, ...fast) / 2);
}
