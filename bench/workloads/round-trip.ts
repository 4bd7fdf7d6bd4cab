/**
 * A message through a gateway to a service and back: CPU time of gateway and service together,
 * one message at a time and eight in flight on each connection.
 */
import { Generator, type Scenario } from "../floor/generator.ts";
import type { Contender } from "../floor/servers.ts";
import { headgateOverLink } from "../peers/carriers.ts";
import { headgateWithService } from "../peers/proxies.ts";
import { type Comparison, compare, mergeComparisons, type Sample } from "./comparison.ts";
import { sampleOf } from "./echo.ts";
import { type Bench, type RunningContender, type Workload, withServers } from "./workload.ts";

const PAYLOAD_BYTES = 125;
/** Fewer are too few messages for Node to have compiled all that takes them. */
const WARM_UP_ROUNDS = 4;
const QUICK_WARM_UP_ROUNDS = 2;
const WARM_UP_SECONDS = 0.5;
const busy = { name: "8 in flight", connections: 100, pipeline: 8 };
const scenarios = [
  { name: "one at a time", connections: 100, pipeline: 1 },
  { name: "one at a time, 500 connections", connections: 500, pipeline: 1 },
  busy,
];

export const roundTrip: Workload = {
  name: "round-trip",
  title: "Through a gateway to a service and back",
  base: "nginx and ws",
  cost: "CPU of gateway and service for a message, µs",
  digits: 1,
  sides: [
    { key: "perSecond", title: "messages/s", digits: 0 },
    { key: "p50Ms", title: "p50 ms", digits: 1 },
    { key: "p99Ms", title: "p99 ms", digits: 1 },
    { key: "generatorPercent", title: "generator's core, %", digits: 0 },
  ],
  note:
    `${PAYLOAD_BYTES} B on 100 connections, or as many as are named; gateway and service share ` +
    "a core. Headgate and Pushpin make HTTP requests of messages, to a service on `node:http`; " +
    "with `batch: on` a request holds those that wait, of many connections. Over the link the " +
    "service uses the SDK, over NATS that broker's own client, and nats-server is counted too. " +
    "The proxies carry WebSocket to a `ws` service, which holds every connection a second time.",
  main: scenarios.map(({ name }) => name),
  measure,
};

async function measure(bench: Bench): Promise<Comparison> {
  const { rounds, progress, root } = bench;
  const contenders: Contender[] = [
    // It has no target, and takes the longest to come to its speed.
    ...(bench.isQuick ? [] : [headgateWithService(root, "Headgate and node:http")]),
    headgateWithService(root, "Headgate, batch: on", { batch: true }),
    headgateOverLink(root),
    ...bench.gateways,
  ];
  const warmUpRounds = bench.isQuick ? QUICK_WARM_UP_ROUNDS : WARM_UP_ROUNDS;
  return withServers(contenders, async (running) => {
    const comparisons: Comparison[] = [];
    for (const each of scenarios.filter((scenario) => !bench.isQuick || scenario === busy)) {
      const { base } = roundTrip;
      const plan = { scenario: each.name, rounds, base, warmUpRounds, progress };
      const scenario = { ...each, payloadBytes: PAYLOAD_BYTES };
      const run = (entry: RunningContender) => runRoundTrip(bench, entry, scenario);
      comparisons.push(await compare(running, plan, run));
    }
    return mergeComparisons(comparisons);
  });
}

async function runRoundTrip(
  { loadBinary, seconds }: Bench,
  { server }: RunningContender,
  scenario: Scenario,
): Promise<Sample> {
  const generator = await Generator.open(loadBinary, server, scenario, { raw: false, text: false });
  try {
    await generator.run(WARM_UP_SECONDS);
    return sampleOf(await generator.run(seconds));
  } finally {
    await generator.close();
  }
}
