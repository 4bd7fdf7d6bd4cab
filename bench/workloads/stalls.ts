/**
 * Stalls: how long one loop that holds 18,000 connections is away, while it pushes to all of them
 * without a pause, answers others, and clients come and go. Seen from a client that is echoed to,
 * and in Headgate's own metric. What a delivery costs is fan-out's matter.
 */
import { Generator } from "../floor/generator.ts";
import { waitingSeconds } from "../floor/process-usage.ts";
import { answers, headgate, type Server } from "../floor/servers.ts";
import { type Comparison, compare, mergeComparisons, type Sample } from "./comparison.ts";
import { headgateBench } from "./headgate-bench.ts";
import { openPusher } from "./pushers.ts";
import { type Bench, type RunningContender, type Workload, withServers } from "./workload.ts";

const MEMBERS = 17_800;
const ECHO = { connections: 100, rate: 500 };
/** Between two clients that come and go. */
const CHURN_MS = 20;
const SECONDS_MIN = 3;
/** A round opens some 160,000 connections. */
const ROUNDS_MAX = 3;
/** Workers tell what they counted so much later at the most. */
const COUNTS_MS = 500;

const sizes = [
  { name: "128 B to 18,000", payloadBytes: 128 },
  { name: "4 KiB to 18,000", payloadBytes: 4096 },
  { name: "64 KiB to 18,000", payloadBytes: 65_536 },
];

export const stalls: Workload = {
  name: "stalls",
  title: "Stalls of a loop with 18,000 connections",
  base: "",
  cost: "longest echo, ms",
  digits: 1,
  sides: [
    { key: "p999Ms", title: "p99.9 of the echoes, ms", digits: 1 },
    { key: "turnMs", title: "longest turn of the worker, ms at the most", digits: 1 },
    { key: "turnMs", title: "the longest in all rounds, ms", digits: 1, isWorst: true },
    { key: "waitedPercent", title: "waited for its core, %", digits: 0 },
    { key: "pushes", title: "pushes", digits: 0 },
    { key: "lateMs", title: "p99 of the sender's own lateness, ms", digits: 2 },
  ],
  note:
    `One push after the other to ${MEMBERS.toLocaleString("en")} connections, beside ` +
    `${ECHO.rate} echoes a second on ${ECHO.connections} others (timed from when each was due) ` +
    `and ${1000 / CHURN_MS} connections a second that open and close. All clients share the ` +
    "generator's core and get in each other's way there, which is part of the echoes' time, so " +
    "servers are not compared; the turn is Headgate's own `headgate_turn_duration_seconds`: to " +
    "the bound of its bucket.",
  main: sizes.map(({ name }) => name),
  measure,
};

async function measure(bench: Bench): Promise<Comparison> {
  const peers = bench.peers.filter(({ name }) => name !== "ws");
  return withServers([headgate(bench.root), ...peers], async (running) => {
    const comparisons: Comparison[] = [];
    for (const { name, payloadBytes } of sizes) {
      const rounds = Math.min(bench.rounds, ROUNDS_MAX);
      const plan = { scenario: name, rounds, base: stalls.base, progress: bench.progress };
      comparisons.push(await compare(running, plan, (one) => runStalls(bench, one, payloadBytes)));
    }
    return mergeComparisons(comparisons);
  });
}

async function runStalls(
  bench: Bench,
  running: RunningContender,
  payloadBytes: number,
): Promise<Sample> {
  const { server } = running;
  const scenario = { name: "stalls", connections: MEMBERS, payloadBytes, pipeline: 1 };
  const options = { raw: false, text: false, path: "/group", addresses: 8 };
  const generator = await Generator.open(bench.loadBinary, server, scenario, options);
  try {
    const pusher = await openPusher(running, payloadBytes);
    const push = () => generator.expect(1, () => pusher.push(1));
    await push();
    const before = await readTurns(server);
    const waited = waitedPercent(server);
    const ends = sideLoads(bench, server);
    let pushes = 0;
    let isOver = false;
    const over = ends.finally(() => {
      isOver = true;
    });
    // Its failure is thrown below, when no push is under way any more.
    over.catch(() => {});
    for (; !isOver; pushes += 1) await push();
    const report = await over;
    pusher.close();
    const sides = { pushes, waitedPercent: waited() };
    const turnMs = longestTurnMs(before, await readTurns(server));
    const { maxMs, p999Ms } = report.latencyMs;
    const lateMs = report.latenessMs.p99Ms;
    return { cost: maxMs, p999Ms, ...sides, lateMs, ...(turnMs !== undefined && { turnMs }) };
  } finally {
    await generator.close();
  }
}

/** Begins to watch; how much of the time since then the server had work and no core. */
function waitedPercent({ pids: [pid] }: Server): () => number {
  const [startedAtMs, before] = [performance.now(), waitingSeconds(pid)];
  return () => ((waitingSeconds(pid) - before) / (performance.now() - startedAtMs)) * 100_000;
}

/** Echoes and clients that come and go; what was seen of the echoes. */
async function sideLoads({ root, seconds }: Bench, server: Server) {
  const asked = { ...ECHO, duration: Math.max(seconds, SECONDS_MIN) };
  const comings = setInterval(() => void answers(server.port), CHURN_MS);
  try {
    return await headgateBench(root, server, asked);
  } finally {
    clearInterval(comings);
  }
}

interface Turns {
  /** How many took so long or less, by the bound in milliseconds. */
  upTo: Map<number, number>;
  maxMs: number;
}

/** Undefined for a server that does not tell. */
async function readTurns({ adminPort }: Server): Promise<Turns | undefined> {
  if (adminPort === undefined) return undefined;
  await new Promise((resolve) => setTimeout(resolve, COUNTS_MS));
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  const max = /^headgate_turn_duration_seconds_max (\S+)$/m.exec(text)?.[1];
  const rows = text.matchAll(/^headgate_turn_duration_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm);
  const upTo = new Map<number, number>();
  for (const [, bound, count] of rows) {
    upTo.set(bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound) * 1000, Number(count));
  }
  return { upTo, maxMs: Number(max) * 1000 };
}

/** The bound that none was above between the two, or the longest ever where that was less. */
function longestTurnMs(before: Turns | undefined, after: Turns | undefined): number | undefined {
  if (before === undefined || after === undefined) return undefined;
  const growth = [...after.upTo].map(([bound, count]): [number, number] => {
    return [bound, count - (before.upTo.get(bound) ?? 0)];
  });
  const all = growth.at(-1)?.[1];
  const bound = growth.find(([, count]) => count === all)?.[0] ?? Number.POSITIVE_INFINITY;
  return Math.min(bound, after.maxMs);
}
