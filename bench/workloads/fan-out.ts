/**
 * Fan-out: what one push to many members costs the server, for each delivery, one push after the
 * other and sixteen at once. It is no test of slow readers: all take what they get.
 */
import { Generator } from "../floor/generator.ts";
import { cpuTime } from "../floor/process-usage.ts";
import { floor, headgate } from "../floor/servers.ts";
import { spreadOf } from "../floor/statistics.ts";
import { headgateWithService } from "../peers/proxies.ts";
import { type Comparison, compare, mergeComparisons, type Sample } from "./comparison.ts";
import { openPusher } from "./pushers.ts";
import { type Bench, type RunningContender, type Workload, withServers } from "./workload.ts";

interface FanOutScenario {
  name: string;
  members: number;
  payloadBytes: number;
  /** Pushes at once. */
  burst: number;
}

const scenarios: FanOutScenario[] = [
  { name: "128 B to 1,000", members: 1000, payloadBytes: 128, burst: 1 },
  { name: "128 B to 10,000", members: 10_000, payloadBytes: 128, burst: 1 },
  { name: "4 KiB to 1,000", members: 1000, payloadBytes: 4096, burst: 1 },
  { name: "4 KiB to 10,000", members: 10_000, payloadBytes: 4096, burst: 1 },
  { name: "128 B to 1,000, 16 at once", members: 1000, payloadBytes: 128, burst: 16 },
  { name: "128 B to 10,000, 16 at once", members: 10_000, payloadBytes: 128, burst: 16 },
];
const TO_A_GROUP = "Headgate, to a group";
/** A quick run has no time to open more connections. */
const quick = ["128 B to 1,000", "128 B to 1,000, 16 at once"];

export const fanOut: Workload = {
  name: "fan-out",
  title: "Fan-out",
  base: "floor",
  cost: "CPU for a delivery, µs",
  digits: 2,
  sides: [
    { key: "perCpuSecond", title: "deliveries for a second of CPU", digits: 0 },
    { key: "lastMs", title: "to the last member, ms", digits: 1 },
  ],
  note:
    "The next push is made when the last member has the one before. Headgate is pushed to by " +
    "REST, to a whole hub or to one group of it, and its supervisor, which takes the call, is " +
    "counted; the others " +
    "publish to a topic (`ws`: send to each) what one more connection sends them. The floor " +
    "sends the same bytes in C, with one `send` for each member; what came at once leaves at once.",
  main: [...quick, "128 B to 10,000", "128 B to 10,000, 16 at once"],
  measure,
};

async function measure(bench: Bench): Promise<Comparison> {
  const { rounds, progress } = bench;
  const contenders = [
    floor(bench.floorBinary, ["--fanout"]),
    headgate(bench.root),
    // A quick run has no time for a service that is asked about each of them.
    ...(bench.isQuick ? [] : [headgateWithService(bench.root, TO_A_GROUP)]),
    ...bench.peers,
  ];
  return withServers(contenders, async (running) => {
    const comparisons: Comparison[] = [];
    for (const each of scenarios.filter(({ name }) => !bench.isQuick || quick.includes(name))) {
      const plan = { scenario: each.name, rounds, base: fanOut.base, progress };
      comparisons.push(await compare(running, plan, (entry) => runFanOut(bench, entry, each)));
    }
    return mergeComparisons(comparisons);
  });
}

async function runFanOut(
  { loadBinary, seconds }: Bench,
  running: RunningContender,
  { name, members, payloadBytes, burst }: FanOutScenario,
): Promise<Sample> {
  const { contender, server } = running;
  const scenario = { name, connections: members, payloadBytes, pipeline: burst };
  const options = { raw: contender.raw, text: false, path: contender.raw ? "/" : "/group" };
  const generator = await Generator.open(loadBinary, server, scenario, options);
  try {
    const target = contender.name === TO_A_GROUP ? "group" : "hub";
    const pusher = await openPusher(running, payloadBytes, target);
    const pushAll = () => generator.expect(burst, () => pusher.push(burst));
    await pushAll();
    const before = cpuTime(server.pids);
    const startMs = performance.now();
    const spansMs: number[] = [];
    do {
      const pushedMs = performance.now();
      await pushAll();
      spansMs.push(performance.now() - pushedMs);
    } while (performance.now() - startMs < seconds * 1000);
    const after = cpuTime(server.pids);
    pusher.close();
    const deliveries = spansMs.length * burst * members;
    const cpuSeconds =
      after.userSeconds - before.userSeconds + after.systemSeconds - before.systemSeconds;
    return {
      cost: (cpuSeconds * 1e6) / deliveries,
      perCpuSecond: deliveries / cpuSeconds,
      lastMs: spreadOf(spansMs).median,
    };
  } finally {
    await generator.close();
  }
}
