/**
 * Echo on one worker, in a closed loop: CPU time per message there and back, against the echo in
 * C that speaks no WebSocket. No service is behind the gateway, so that engines are compared.
 */
import { Generator, type Run, type Scenario } from "../floor/generator.ts";
import { floor, headgate } from "../floor/servers.ts";
import { type Comparison, compare, mergeComparisons, type Sample } from "./comparison.ts";
import { type Bench, type RunningContender, type Workload, withServers } from "./workload.ts";

interface EchoScenario extends Scenario {
  text: boolean;
}

const WARM_UP_SECONDS = 0.5;
const QUICK_WARM_UP_SECONDS = 0.2;

function scenario(
  name: string,
  numbers: [payloadBytes: number, connections: number, pipeline: number],
  text = false,
): EchoScenario {
  const [payloadBytes, connections, pipeline] = numbers;
  return { name, payloadBytes, connections, pipeline, text };
}

const scenarios = [
  scenario("20 B, 500 connections", [20, 500, 1]),
  scenario("20 B, 500 connections, text", [20, 500, 1], true),
  scenario("20 B, 100 connections", [20, 100, 1]),
  scenario("20 B, 5,000 connections", [20, 5000, 1]),
  scenario("125 B, 500 connections, 8 in flight", [125, 500, 8]),
  scenario("125 B, 500 connections, 8 in flight, text", [125, 500, 8], true),
  scenario("1 KiB, 500 connections", [1024, 500, 1]),
  scenario("1 KiB, 500 connections, text", [1024, 500, 1], true),
  scenario("16 KiB, 100 connections", [16_384, 100, 1]),
  scenario("16 KiB, 100 connections, text", [16_384, 100, 1], true),
  scenario("1 MiB, 20 connections", [1 << 20, 20, 1]),
];

const main = [
  "20 B, 500 connections",
  "125 B, 500 connections, 8 in flight",
  "1 KiB, 500 connections",
  "16 KiB, 100 connections",
];

export const echo: Workload = {
  name: "echo",
  title: "Echo on one worker",
  base: "floor",
  cost: "CPU for a message, µs",
  digits: 2,
  sides: [
    { key: "userUs", title: "of it user, µs", digits: 2 },
    { key: "perSecond", title: "messages/s", digits: 0 },
    { key: "p50Ms", title: "p50 ms", digits: 2 },
    { key: "p99Ms", title: "p99 ms", digits: 2 },
    { key: "generatorPercent", title: "generator's core, %", digits: 0 },
  ],
  note:
    "Each connection sends again when its messages have come back (a closed loop: messages/s and " +
    "latencies are of server and generator together). The floor is an echo in C over epoll that " +
    "speaks no WebSocket.",
  main,
  measure,
};

async function measure(bench: Bench): Promise<Comparison> {
  const contenders = [floor(bench.floorBinary), headgate(bench.root), ...bench.peers];
  return withServers(contenders, async (running) => {
    const comparisons: Comparison[] = [];
    for (const each of scenarios.filter(({ name }) => !bench.isQuick || main.includes(name))) {
      const { rounds, progress } = bench;
      const plan = { scenario: each.name, rounds, base: echo.base, progress };
      comparisons.push(await compare(running, plan, (entry) => runEcho(bench, entry, each)));
    }
    return mergeComparisons(comparisons);
  });
}

async function runEcho(
  { loadBinary, seconds, isQuick }: Bench,
  { contender, server }: RunningContender,
  each: EchoScenario,
): Promise<Sample> {
  const { text } = each;
  const generator = await Generator.open(loadBinary, server, each, { raw: contender.raw, text });
  try {
    await generator.run(isQuick ? QUICK_WARM_UP_SECONDS : WARM_UP_SECONDS);
    return sampleOf(await generator.run(seconds));
  } finally {
    await generator.close();
  }
}

export function sampleOf(run: Run): Sample {
  return {
    cost: run.cpuUs,
    userUs: run.userUs,
    perSecond: run.messagesPerSecond,
    p50Ms: run.p50Us / 1000,
    p99Ms: run.p99Us / 1000,
    generatorPercent: run.generatorShare * 100,
  };
}
