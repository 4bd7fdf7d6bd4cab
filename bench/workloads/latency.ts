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
    { key: "lateMs", title: "p99 of the sender's own lateness, ms", digits: 2 },
    { key: "generatorPercent", title: "generator's core, %", digits: 0 },
  ],
  note:
    `${PAYLOAD_BYTES} B, by \`headgate bench --rate\`. The rate is the same for all, half of the ` +
    "least that Headgate, uWebSockets.js and Bun took in a closed loop, and for `ws` half of its " +
    "own where that is less.",
  main: [scenario],
  measure,
};

async function measure(bench: Bench): Promise<Comparison> {
  const { rounds, progress, root } = bench;
  return withServers([headgate(root), ...bench.peers], async (running) => {
    const rates = await ratesFor(bench, running);
    const plan = { scenario, rounds, base: latency.base, progress };
    const seconds = Math.max(bench.seconds, SECONDS_MIN);
    return compare(running, plan, async ({ contender, server }) => {
      const rate = rates.get(contender.name);
      if (rate === undefined) throw new Error("its saturation could not be found");
      const report = await headgateBench(root, server, load(seconds, ["--rate", String(rate)]));
      return {
        cost: report.latencyMs.p99Ms,
        p50Ms: report.latencyMs.p50Ms,
        p999Ms: report.latencyMs.p999Ms,
        rate: report.messagesPerSecond,
        lateMs: report.latenessMs.p99Ms,
        generatorPercent: report.generator.cpuShare * 100,
      };
    });
  });
}

function load(seconds: number, more: string[] = []): string[] {
  const asked = { connections: CONNECTIONS, payload: PAYLOAD_BYTES, duration: seconds };
  return [...Object.entries(asked).flatMap(([name, value]) => [`--${name}`, `${value}`]), ...more];
}

async function ratesFor(bench: Bench, running: RunningContender[]): Promise<Map<string, number>> {
  const halves = new Map<string, number>();
  for (const { contender, server } of running) {
    try {
      const report = await headgateBench(bench.root, server, load(SATURATION_SECONDS));
      halves.set(contender.name, Math.round(report.messagesPerSecond / 2));
    } catch (error) {
      bench.progress(`${contender.name}: no saturation: ${(error as Error).message}`);
    }
  }
  const fast = [...halves].filter(([name]) => name !== "ws").map(([, half]) => half);
  const common = Math.min(...fast);
  return new Map([...halves].map(([name, half]) => [name, Math.min(half, common)]));
}
