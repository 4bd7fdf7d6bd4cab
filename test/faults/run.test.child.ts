/**
 * A run of the delivery promise (docs/delivery.md): clients talk through a gateway as its users
 * run it, the service is killed, stopped and rude, the way to it spoiled, and in the end every
 * message is accounted for. Fails with a sentence for each place where the promise was broken.
 */
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { GatewayProcess } from "../support/gateway-process.ts";
import { seededRandom } from "../support/seed.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { findViolations } from "./history.ts";
import { carriers, SOCKETS_PER_HUB_MAX } from "./run/carriers.ts";
import { Crowd } from "./run/crowd.ts";
import { type Fault, planFaults, type Stage } from "./run/faults.ts";
import { Instances } from "./run/instances.ts";
import { Publisher } from "./run/publisher.ts";
import { readRecords } from "./run/record.ts";
import type { Talker } from "./run/talker.ts";

const WORKERS = 2;
const CONNECTIONS_MAX = 500;
/** The promise: recovery begins within so long. */
const RECOVERY_MS_MAX = 5000;
/** A connection whose turn comes late is not lost; one that gets nothing for so long is. */
const GO_ON_MS_MAX = 20_000;
/** Before each fault: the last one is over when there are so many answers more for each. */
const ANSWERS_BETWEEN = 1;
/** Together some 1,000 messages a second: a smaller machine has to keep up with all of it. */
const THINK_MS_EACH = 6;
const LEAVING_SHARE = 0.03;
const VIOLATIONS_SHOWN = 50;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(randomInt(2 ** 31)) },
    carrier: { type: "string", default: "http" },
    connections: { type: "string" },
    short: { type: "boolean", default: false },
  },
});
const seed = readNumber("seed", values.seed, 2 ** 31);
const connections = readNumber(
  "connections",
  values.connections ?? (values.short ? "120" : "500"),
  CONNECTIONS_MAX,
);
const carrier = carriers[values.carrier];
if (carrier === undefined) {
  fail(`--carrier ${values.carrier} is none of ${Object.keys(carriers).join(", ")}`);
}

const random = seededRandom(seed);
const violations: string[] = [];
let slowestRecoveryMs = 0;
let slowestMs = 0;
let left = 0;

const kills = values.short ? 8 : 50;
console.log(`seed ${seed}: ${connections} connections over ${values.carrier}, ${kills} kills`);
const folder = mkdtempSync(join(tmpdir(), "headgate-faults-"));
const instances = new Instances(carrier, folder);
await instances.start();
const proxy = await FaultProxy.start(instances.port, random);
const hubs = Object.entries(carrier.hubs(proxy.port));
const gateway = await GatewayProcess.start(
  hubs.map(([name, hub]) => `${name}: { paths: [/${name}], ${hub} }`).join("\n"),
  `workers: ${WORKERS}`,
);
const publishers = hubs.map(([name]) => new Publisher(gateway, name));
const crowd = new Crowd(
  hubs.map(([name], index) => ({
    url: `ws://127.0.0.1:${gateway.port}/${name}`,
    publisher: publishers[index] as Publisher,
  })),
  { random, thinkMsMax: connections * THINK_MS_EACH },
);

try {
  await run();
} finally {
  await gateway.stop();
  await proxy.stop();
  await instances.kill();
  rmSync(folder, { recursive: true });
}
report();
process.exit(violations.length === 0 ? 0 : 1);

async function run(): Promise<void> {
  await crowd.enter(connections);
  for (const publisher of publishers) publisher.start();
  const stage: Stage = { proxy, instances, random };
  const faults = planFaults(carrier?.behaviours ?? [], kills, values.short ? 600 : 1500);
  for (const fault of faults) await undergo(fault, stage);
  await end();
}

async function undergo(fault: Fault, stage: Stage): Promise<void> {
  const wanted = crowd.answers + crowd.open.length * ANSWERS_BETWEEN;
  if ((await crowd.until(() => crowd.answers >= wanted, GO_ON_MS_MAX)) === undefined) {
    violations.push(`before "${fault.name}": answers stay out`);
  }
  const ended = crowd.everybody.filter(isEnded).length;
  proxy.peak = proxy.connections;
  left += crowd.leave(LEAVING_SHARE);
  await fault.run(stage);
  const before = crowd.answers;
  const recoveryMs = await crowd.until(() => crowd.answers > before, GO_ON_MS_MAX);
  const ms = await crowd.untilAllGoOn(GO_ON_MS_MAX);
  judge(fault, recoveryMs, ms, ended);
  await crowd.enter(Math.max(0, connections - crowd.open.length));
}

/** The fourth line. */
function judge(
  { name }: Fault,
  recoveryMs: number | undefined,
  ms: number | undefined,
  endedBefore: number,
): void {
  const about = `behind "${name}"`;
  if (recoveryMs === undefined || recoveryMs > RECOVERY_MS_MAX) {
    violations.push(`${about} the first answer took ${recoveryMs?.toFixed(0) ?? "too many"} ms`);
  }
  if (ms === undefined) violations.push(`${about} some got no answer within ${GO_ON_MS_MAX} ms`);
  slowestRecoveryMs = Math.max(slowestRecoveryMs, recoveryMs ?? 0);
  slowestMs = Math.max(slowestMs, ms ?? 0);
  const peakMax = WORKERS * hubs.length * SOCKETS_PER_HUB_MAX;
  // Those that were broken off may be there for a moment beside their successors.
  if (proxy.peak > 2 * peakMax) violations.push(`${about} ${proxy.peak} connections came at once`);
  for (const { name: client, end } of crowd.everybody.filter(isEnded).slice(endedBefore)) {
    violations.push(`${about} ${client} was closed: ${JSON.stringify(end)}`);
  }
  const shown = `${recoveryMs?.toFixed(0)} ms, all ${ms?.toFixed(0)} ms, ${proxy.peak} sockets`;
  console.log(`${name}: first answer ${shown}`);
}

/** Some leave in the middle of it, and the gateway stops under the others. */
async function end(): Promise<void> {
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  left += crowd.leave(LEAVING_SHARE * 3);
  const closed = new Set(crowd.everybody.filter(isEnded));
  for (const talker of crowd.open) talker.say();
  const code = await gateway.stop();
  if (code !== 0) violations.push(`the gateway exited with ${code}`);
  const isOver = () => crowd.open.length === 0;
  if ((await crowd.until(isOver, GO_ON_MS_MAX)) === undefined) {
    violations.push(`${crowd.open.length} clients were never closed`);
  }
  for (const talker of crowd.everybody) talker.hush();
  for (const { faults } of publishers) violations.push(...faults);
  for (const { name, oddities } of crowd.everybody) {
    for (const text of oddities.slice(0, 3)) violations.push(`${name} got "${text.slice(0, 80)}"`);
  }
  const clients = crowd.everybody.map((talker) => talker.story((one) => !closed.has(one)));
  const taken = readRecords(folder);
  violations.push(...findViolations({ clients, taken, abandoned: countAbandoned() }));
  const redelivered = taken.length - new Set(taken.map(({ id }) => id)).size;
  console.log(`${taken.length} events were taken, ${redelivered} of them more than once`);
}

function isEnded({ end }: Talker): boolean {
  return end.kind === "closed";
}

/** The log tells of everything that was given up, with its count. */
function countAbandoned(): number {
  return gateway.records
    .filter(({ msg }) => msg.startsWith("events were dropped"))
    .reduce((sum, { count }) => sum + Number(count), 0);
}

function report(): void {
  const { everybody, sent, answers, pushes } = crowd;
  console.log(
    `${everybody.length} clients, ${left} left by themselves; ${sent} messages, ` +
      `${answers} answers, ${pushes} pushes; ${instances.count} instances; ` +
      `${countAbandoned()} events given up`,
  );
  console.log(
    `slowest first answer ${slowestRecoveryMs.toFixed(0)} ms, ` +
      `slowest client ${slowestMs.toFixed(0)} ms`,
  );
  for (const violation of violations.slice(0, VIOLATIONS_SHOWN))
    console.log(`FAILED: ${violation}`);
  const more = violations.length - VIOLATIONS_SHOWN;
  if (more > 0) console.log(`FAILED: ${more} more`);
  console.log(violations.length === 0 ? "everything held" : `again: --seed ${seed}`);
}

function readNumber(name: string, text: string, max: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= max) return number;
  return fail(`--${name} ${text} is no whole number from 0 to ${max}`);
}

function fail(sentence: string): never {
  console.error(sentence);
  process.exit(2);
}
