/**
 * Growth: what a message costs as connections become more, all of them busy. Each server is
 * compared with itself at 1,000; Headgate and the floor also over several processes, few
 * connections and many, so that what the kernel and the processes cost can be told apart.
 */
import { Generator, type Report, runOf, type Scenario } from "../floor/generator.ts";
import { cpuTime, descriptorLimit } from "../floor/process-usage.ts";
import { type Contender, floors, headgate, type Server } from "../floor/servers.ts";
import { type Comparison, compare, mergeComparisons, type Sample } from "./comparison.ts";
import { sampleOf } from "./echo.ts";
import { type Bench, type Workload, withServers } from "./workload.ts";

const BASE = "1,000";
const PAYLOAD_BYTES = 125;
const WARM_UP_SECONDS = 1;
/** Descriptors that a process needs besides those of its connections. */
const DESCRIPTORS_KEPT = 1000;
const ADDRESSES = 64;
/** A round opens 125,000 connections. */
const ROUNDS_MAX = 3;

interface Size {
  name: string;
  connections: number;
  workers: number;
}

const sizes: Size[] = [
  { name: BASE, connections: 1000, workers: 1 },
  { name: "5,000", connections: 5000, workers: 1 },
  { name: "19,000", connections: 19_000, workers: 1 },
];
const overWorkers: Size[] = [
  { name: "1,000 on 6 workers", connections: 1000, workers: 6 },
  { name: "100,000 on 6 workers", connections: 100_000, workers: 6 },
];

export const growth: Workload = {
  name: "growth",
  title: "Growth: from 1,000 connections to many",
  base: BASE,
  cost: "CPU for a message, µs",
  digits: 2,
  sides: [
    { key: "userUs", title: "of it user, µs", digits: 2 },
    { key: "perSecond", title: "messages/s", digits: 0 },
    { key: "generatorPercent", title: "generator's core, %", digits: 0 },
  ],
  note:
    `Echo of ${PAYLOAD_BYTES} B on all connections in a closed loop; on one worker, but where it ` +
    "says otherwise. All workers share the servers' core here, so that six of them pay for being " +
    "six too, as six floors do. What the floor grows by is the kernel's; a server can only add.",
  main: ["Headgate", "uWebSockets.js"],
  measure,
};

async function measure(bench: Bench): Promise<Comparison> {
  const comparisons: Comparison[] = [];
  const peers = bench.peers.filter(({ name }) => growth.main.includes(name));
  const all = [...sizes, ...overWorkers].filter(fits);
  const onFloors = (workers: number) => floors(bench.floorBinary, workers);
  comparisons.push(await measureSizes(bench, onFloors, all));
  const onWorkers = (workers: number) => headgate(bench.root, { workers });
  comparisons.push(await measureSizes(bench, onWorkers, all));
  for (const peer of peers)
    comparisons.push(await measureSizes(bench, () => peer, sizes.filter(fits)));
  return mergeComparisons(comparisons);
}

function fits({ connections, workers }: Size): boolean {
  return connections / workers <= descriptorLimit() - DESCRIPTORS_KEPT;
}

/** The sizes are the contenders here, and the server is the scenario. */
async function measureSizes(
  bench: Bench,
  serverOn: (workers: number) => Contender,
  all: Size[],
): Promise<Comparison> {
  const { progress } = bench;
  const rounds = Math.min(bench.rounds, ROUNDS_MAX);
  const contenders = all.map(({ name, workers }) => ({ ...serverOn(workers), name }));
  return withServers(contenders, (running) => {
    const entries = running.flatMap((each) => {
      const size = all.find(({ name }) => name === each.contender.name);
      return size === undefined ? [] : [{ ...each, size }];
    });
    const plan = { scenario: serverOn(1).name, rounds, base: BASE, progress };
    return compare(entries, plan, (entry) => runSize(bench, entry, entry.size));
  });
}

/** As many generators as their limit of open files asks for, all on one core. */
async function runSize(
  { loadBinary, seconds }: Bench,
  { contender, server }: { contender: Contender; server: Server },
  size: Size,
): Promise<Sample> {
  const { name, connections, workers } = size;
  const each = Math.ceil(connections / workers);
  const scenario: Scenario = { name, connections: each, payloadBytes: PAYLOAD_BYTES, pipeline: 1 };
  const options = { raw: contender.raw, text: false, addresses: ADDRESSES };
  const generators: Generator[] = [];
  try {
    for (let at = 0; at < workers; at++)
      generators.push(await Generator.open(loadBinary, server, scenario, options));
    await Promise.all(generators.map((generator) => generator.load(WARM_UP_SECONDS)));
    const before = cpuTime(server.pids);
    const reports = await Promise.all(generators.map((generator) => generator.load(seconds)));
    return sampleOf(runOf(sumOf(reports), before, cpuTime(server.pids)));
  } finally {
    for (const generator of generators) await generator.close();
  }
}

function sumOf(reports: Report[]): Report {
  const sum = (pick: (report: Report) => number) =>
    reports.reduce((total, report) => total + pick(report), 0);
  const most = (pick: (report: Report) => number) => Math.max(...reports.map(pick));
  return {
    messages: sum(({ messages }) => messages),
    seconds: most(({ seconds }) => seconds),
    cpuShare: sum(({ cpuShare }) => cpuShare),
    p50Us: most(({ p50Us }) => p50Us),
    p99Us: most(({ p99Us }) => p99Us),
  };
}
