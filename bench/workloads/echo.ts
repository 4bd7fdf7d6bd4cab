/**
 * Echo on one worker, in a closed loop: CPU time per message there and back, against the echo in
 * C that speaks no WebSocket. No service is behind the gateway, so that engines are compared.
 */
import { Generator, type Run, type Scenario } from "../floor/generator.ts";
import { floor, headgate } from "../floor/servers.ts";
import { type Comparison, compare, mergeComparisons, type Sample } from "./comparison.ts";
import {
  type Bench,
  type RunningContender,
  type Workload,
  withOpened,
  withServers,
} from "./workload.ts";

interface EchoScenario extends Scenario {
  text: boolean;
}

interface LoadedContender extends RunningContender {
  generator: Generator;
}

/** Before the first scenario: a server compiles itself as it runs. */
const FIRST_WARM_UP_SECONDS = 1;
const QUICK_FIRST_WARM_UP_SECONDS = 0.6;
const WARM_UP_SECONDS = 0.5;
const QUICK_WARM_UP_SECONDS = 0.15;
/** Of the scenarios that are not among the main ones. */
const SIDE_ROUNDS_MAX = 2;

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
  scenario("125 B, 100 connections, 8 in flight", [125, 100, 8]),
  scenario("125 B, 5,000 connections, 8 in flight", [125, 5000, 8]),
  scenario("1 KiB, 500 connections", [1024, 500, 1]),
  scenario("1 KiB, 500 connections, text", [1024, 500, 1], true),
  scenario("1 KiB, 100 connections", [1024, 100, 1]),
  scenario("1 KiB, 5,000 connections", [1024, 5000, 1]),
  scenario("16 KiB, 100 connections", [16_384, 100, 1]),
  scenario("16 KiB, 100 connections, text", [16_384, 100, 1], true),
  scenario("16 KiB, 500 connections", [16_384, 500, 1]),
  scenario("16 KiB, 5,000 connections", [16_384, 5000, 1]),
  scenario("1 MiB, 20 connections", [1 << 20, 20, 1]),
  scenario("1 MiB, 20 connections, text", [1 << 20, 20, 1], true),
  scenario("1 MiB, 100 connections", [1 << 20, 100, 1]),
];

const main = [
  "20 B, 500 connections",
  "125 B, 500 connections, 8 in flight",
  "1 KiB, 500 connections",
  "16 KiB, 100 connections",
  "1 MiB, 20 connections",
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
    "speaks no WebSocket. 1 MiB stops at 100 connections: with 500 the floor itself took 90 to " +
    "350 messages a second, where with 200 it took 1,000, since they hold up to a gigabyte in " +
    "the kernel's buffers, near all that it has for TCP here (`tcp_mem`); 5,000 would be ten.",
  main,
  measure,
};

async function measure(bench: Bench): Promise<Comparison> {
  const contenders = [floor(bench.floorBinary), headgate(bench.root), ...bench.peers];
  return withServers(contenders, async (running) => {
    const comparisons: Comparison[] = [];
    for (const each of scenarios.filter(({ name }) => !bench.isQuick || main.includes(name)))
      comparisons.push(await measureScenario(bench, running, each));
    return mergeComparisons(comparisons);
  });
}

/** The connections of all of them stay open over all rounds, and are silent in others' turns. */
function measureScenario(
  bench: Bench,
  running: RunningContender[],
  each: EchoScenario,
): Promise<Comparison> {
  const { isQuick, loadBinary, progress, seconds } = bench;
  const isMain = main.includes(each.name.replace(/, text$/, ""));
  const rounds = isMain ? bench.rounds : Math.min(bench.rounds, SIDE_ROUNDS_MAX);
  const firstSeconds = isQuick ? QUICK_FIRST_WARM_UP_SECONDS : FIRST_WARM_UP_SECONDS;
  const usualSeconds = isQuick ? QUICK_WARM_UP_SECONDS : WARM_UP_SECONDS;
  const warmUpSeconds = each === scenarios[0] ? firstSeconds : usualSeconds;
  const plan = { scenario: each.name, rounds, base: echo.base, progress };
  const open = async ({ contender, server }: RunningContender): Promise<LoadedContender> => {
    const options = { raw: contender.raw, text: each.text };
    const generator = await Generator.open(loadBinary, server, each, options);
    await generator.run(warmUpSeconds);
    return { contender, server, generator };
  };
  const opening = {
    scenario: each.name,
    nameOf: ({ contender }: RunningContender) => contender.name,
    open,
    close: ({ generator }: LoadedContender) => generator.close(),
  };
  return withOpened(running, opening, (loaded) =>
    compare(loaded, plan, async ({ generator }) => sampleOf(await generator.run(seconds))),
  );
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
