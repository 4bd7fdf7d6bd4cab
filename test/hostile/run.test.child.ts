/**
 * The hostile run: many thousand spoiled conversations against a gateway as its users run it,
 * beside clients that behave. Fails when a process ends, a healthy client notices anything, the
 * counters do not add up, or something is left behind: a connection, a descriptor, memory.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { GatewayProcess } from "../support/gateway-process.ts";
import { seededRandom } from "../support/seed.ts";
import { attack } from "./run/attacker.ts";
import { startEchoService } from "./run/echo-service.ts";
import { HealthyClient } from "./run/healthy-client.ts";
import { describeMarks, growthFaults, type Mark, mark } from "./run/marks.ts";
import { startWeighable } from "./run/memory.ts";
import { makeAttack } from "./run/mutations.ts";
import { type Observation, observe } from "./run/observation.ts";

/** After fewer V8 still compiles, and keeps more with every thousand. */
const WARM_UP = 10_000;
const QUARTERS = 4;
const PATIENCE_MS = 60;
/** Of sockets to the service, which stay for later requests. */
const DESCRIPTORS_MORE_MAX = 260;

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "100000" },
    seed: { type: "string", default: String(randomInt(2 ** 31)) },
    seconds: { type: "string", default: "900" },
    concurrency: { type: "string", default: "200" },
  },
});
const connections = Number(values.connections);
const seed = Number(values.seed);
const startedMs = performance.now();
const deadlineMs = startedMs + Number(values.seconds) * 1000;
const outcomes = new Map<string, Map<string, number>>();
let attempted = 0;
let connected = 0;

console.log(`seed ${seed}: ${connections} connections behind ${WARM_UP} to warm up`);
const gateway = await startGateway();
const faults = await run().finally(() => gateway.stop());
for (const fault of faults) console.log(`FAILED: ${fault}`);
console.log(faults.length === 0 ? "everything held" : `again: --seed ${seed}`);
process.exit(faults.length === 0 ? 0 : 1);

async function startGateway(): Promise<GatewayProcess> {
  const service = await startEchoService();
  const hubs = [
    "echo: { paths: [/echo], service: 'echo:' }",
    "packed: { paths: [/packed], service: 'echo:', compression: on }",
    `service: { paths: ['/service/:room'], service: '${service}', auth: { connect: true } }`,
  ].join("\n");
  const limits =
    "{ handshakeTimeoutMs: 2000, connectTimeoutMs: 1500, closeTimeoutMs: 1000, " +
    "fragmentedMessageTimeoutMs: 2000 }";
  return startWeighable(() => GatewayProcess.start(hubs, `workers: 1\nlimits: ${limits}`));
}

async function run(): Promise<string[]> {
  const paths = ["/echo", "/packed", "/service/healthy"];
  const healthy = await Promise.all(paths.map((path) => HealthyClient.open(gateway.port, path)));
  await attackAll(-WARM_UP, 0);
  const before = await observe(gateway, healthy.length);
  const marks = [await mark(gateway, healthy.length, 0)];
  const attackedMs = performance.now();
  let done = 0;
  for (let quarter = 1; quarter <= QUARTERS; quarter += 1) {
    done += await attackAll(done, Math.ceil((connections * quarter) / QUARTERS));
    marks.push(await mark(gateway, healthy.length, done));
  }
  const seconds = (performance.now() - attackedMs) / 1000;
  const after = await observe(gateway, healthy.length);
  await Promise.all(healthy.map((client) => client.stop()));
  const end = await observe(gateway, 0);
  report(done, seconds, after, healthy, marks);
  return [
    ...healthyFaults(healthy),
    ...processFaults(before, end),
    ...countFaults(end, connected + healthy.length, attempted + healthy.length),
    ...leftFaults(before, end),
    ...growthFaults(marks),
    ...(done < connections ? [`only ${done} connections in ${values.seconds} s`] : []),
  ];
}

/** Those from `first` to below `end`, a few at a time; how many there were time for. */
async function attackAll(first: number, end: number): Promise<number> {
  let next = first;
  const lane = async () => {
    while (next < end && performance.now() < deadlineMs) {
      const index = next;
      next += 1;
      attempted += 1;
      const plan = makeAttack(seededRandom((seed + index) | 0));
      const outcome = await attack(gateway.port, index + WARM_UP, plan, PATIENCE_MS);
      if (outcome.connected) connected += 1;
      if (first >= 0) count(plan.kind, outcome.verdict);
      if (index > 0 && index % 10_000 === 9999) console.log(`${index + 1} connections`);
    }
  };
  await Promise.all(Array.from({ length: Number(values.concurrency) }, lane));
  return next - first;
}

function count(kind: string, verdict: string): void {
  const verdicts = outcomes.get(kind) ?? new Map<string, number>();
  verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
  outcomes.set(kind, verdicts);
}

function healthyFaults(healthy: HealthyClient[]): string[] {
  return healthy.flatMap(({ path, echoed, wrongs }) => [
    ...wrongs.map((wrong) => `the healthy client of ${path}: ${wrong}`),
    ...(echoed === 0 ? [`the healthy client of ${path} echoed nothing`] : []),
  ]);
}

function processFaults(before: Observation, end: Observation): string[] {
  const faults: string[] = [];
  if (gateway.child.exitCode !== null) faults.push("the supervisor has ended");
  if (String(end.workerPids) !== String(before.workerPids) || end.restarts > 0)
    faults.push(`a worker was replaced: ${before.workerPids} is ${end.workerPids}`);
  for (const line of gateway.outcries) faults.push(`on stderr: ${line}`);
  for (const record of gateway.records) {
    if (record.level === "error" || record.level === "fatal")
      faults.push(`in the log: ${JSON.stringify(record)}`);
  }
  return faults;
}

function countFaults(end: Observation, connectedAll: number, attemptedAll: number): string[] {
  const faults: string[] = [];
  if (end.connections !== 0 || end.handshakesPending !== 0)
    faults.push(`${end.connections} connections, ${end.handshakesPending} handshakes are left`);
  if (end.opened !== end.closed)
    faults.push(`${end.opened} connections were opened and ${end.closed} closed`);
  const counted = end.opened + end.refused;
  // Whoever lost patience before it heard of its connection may have had one.
  if (counted < connectedAll || counted > attemptedAll)
    faults.push(`${connectedAll} clients: ${end.opened} opened and ${end.refused} refused`);
  return faults;
}

function leftFaults(before: Observation, end: Observation): string[] {
  const faults: string[] = [];
  if (end.descriptors > before.descriptors + DESCRIPTORS_MORE_MAX)
    faults.push(`${end.descriptors} descriptors are open, ${before.descriptors} were`);
  for (const [kind, bytes] of Object.entries(end.held)) {
    if (bytes !== 0) faults.push(`${bytes} bytes are held as ${kind}`);
  }
  return faults;
}

function report(
  done: number,
  seconds: number,
  after: Observation,
  healthy: HealthyClient[],
  marks: Mark[],
): void {
  for (const [kind, verdicts] of [...outcomes].sort()) {
    const sorted = [...verdicts].sort(([, a], [, b]) => b - a);
    console.log(`${kind}: ${sorted.map(([verdict, times]) => `${times} ${verdict}`).join("; ")}`);
  }
  console.log(`${done} connections in ${seconds.toFixed(0)} s`);
  const { opened, closed, refused, connections: open } = after;
  console.log(`opened ${opened}, closed ${closed}, open ${open}, refused ${refused}`);
  for (const { path, echoed, slowestMs } of healthy) {
    console.log(`healthy on ${path}: ${echoed} echoed, the slowest in ${slowestMs.toFixed(0)} ms`);
  }
  for (const [sentence, times] of warnings()) console.log(`logged ${times} times: ${sentence}`);
  for (const line of describeMarks(marks)) console.log(line);
}

/** How often the gateway warned of what, whatever the numbers in it. */
function warnings(): Map<string, number> {
  const times = new Map<string, number>();
  for (const { level, msg } of gateway.records) {
    if (level !== "warn") continue;
    const sentence = msg.replaceAll(/\d+/g, "N");
    times.set(sentence, (times.get(sentence) ?? 0) + 1);
  }
  return times;
}
