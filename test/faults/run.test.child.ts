/**
 * A run of the delivery promise (docs/delivery.md): clients talk through a gateway as its users
 * run it, the service and the broker are killed, stopped and rude, the way there spoiled, and in
 * the end every message is accounted for. Fails with a sentence for each place where the promise
 * was broken.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { natsMissing } from "../support/nats-server.ts";
import { seededRandom } from "../support/seed.ts";
import { findViolations, type Span } from "./history.ts";
import { carriers } from "./run/carriers.ts";
import { type Fault, planFaults } from "./run/faults.ts";
import { Scene } from "./run/scene.ts";
import { findRewritten } from "./run/stored.ts";
import type { Talker } from "./run/talker.ts";

const CONNECTIONS_MAX = 500;
/** The promise: recovery begins within so long. */
const RECOVERY_MS_MAX = 5000;
/** A connection whose turn comes late is not lost; one that gets nothing for so long is. */
const GO_ON_MS_MAX = 20_000;
/** Before each fault: the last one is over when there are so many answers more for each. */
const ANSWERS_BETWEEN = 1;
const LEAVING_SHARE = 0.03;
const BROKER_KILLS = { short: 3, long: 20 };
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
// It has said so, and what to install.
if (carrier.broker !== "none" && natsMissing !== false) process.exit(0);

const random = seededRandom(seed);
const violations: string[] = [];
const deaths: Span[] = [];
/** From the faults in which a process died, each until the next fault begins. */
let lossesByDeath = 0;
let lossesSeen = 0;
let isDeath = false;
let slowestRecoveryMs = 0;
let slowestMs = 0;
let left = 0;

const extent = {
  isShort: values.short,
  kills: values.short ? carrier.kills.short : carrier.kills.long,
  brokerKills: values.short ? BROKER_KILLS.short : BROKER_KILLS.long,
};
const ofBroker = carrier.broker === "none" ? "" : `, ${extent.brokerKills} of the broker`;
console.log(
  `seed ${seed}: ${connections} connections over ${values.carrier}, ` +
    `${extent.kills} kills${ofBroker}`,
);
const startedMs = performance.now();
const scene = await Scene.start(carrier, connections, random);
const { crowd, gateway, proxy } = scene;
try {
  await run();
} finally {
  await scene.stop();
}
report();
process.exit(violations.length === 0 ? 0 : 1);

async function run(): Promise<void> {
  await crowd.enter(connections);
  for (const publisher of scene.publishers) publisher.start();
  for (const fault of planFaults(scene.carrier, extent)) await undergo(fault);
  await end();
}

async function undergo(fault: Fault): Promise<void> {
  const wanted = crowd.answers + crowd.open.length * ANSWERS_BETWEEN;
  if ((await crowd.until(() => crowd.answers >= wanted, GO_ON_MS_MAX)) === undefined) {
    violations.push(`before "${fault.name}": answers stay out`);
  }
  const ended = crowd.everybody.filter(isEnded).length;
  proxy.peak = proxy.connections;
  left += crowd.leave(LEAVING_SHARE);
  const fromUs = nowUs();
  attributeLosses(fault);
  await fault.run(scene);
  if (fault.isDeath) deaths.push({ fromUs, toUs: nowUs() });
  const before = crowd.answers;
  const recoveryMs = await crowd.until(() => crowd.answers > before, GO_ON_MS_MAX);
  const ms = await crowd.untilAllGoOn(GO_ON_MS_MAX);
  judge(fault, recoveryMs, ms, ended);
  await crowd.enter(Math.max(0, connections - crowd.open.length));
}

/** What was counted since the last fault began. */
function attributeLosses(next: Fault): void {
  const losses = scene.countLosses();
  if (isDeath) lossesByDeath += losses - lossesSeen;
  lossesSeen = losses;
  isDeath = next.isDeath;
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
  // Those that were broken off may be there for a moment beside their successors.
  if (proxy.peak > 2 * scene.socketsMax) {
    violations.push(`${about} ${proxy.peak} connections came at once`);
  }
  for (const { name: client, end } of crowd.everybody.filter(isEnded).slice(endedBefore)) {
    violations.push(`${about} ${client} was closed: ${JSON.stringify(end)}`);
  }
  const shown = `${recoveryMs?.toFixed(0)} ms, all ${ms?.toFixed(0)} ms, ${proxy.peak} sockets`;
  console.log(`${name}: first answer ${shown}`);
}

/** Some leave in the middle of it, and the gateway stops under the others. */
async function end(): Promise<void> {
  await Promise.all(scene.publishers.map((publisher) => publisher.stop()));
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
  for (const { faults } of scene.publishers) violations.push(...faults);
  for (const { name, oddities } of crowd.everybody) {
    for (const text of oddities.slice(0, 3)) violations.push(`${name} got "${text.slice(0, 80)}"`);
  }
  const clients = crowd.everybody.map((talker) => talker.story((one) => !closed.has(one)));
  const { taken, recorded } = await scene.collect();
  if (carrier?.broker === "stream") violations.push(...findRewritten(taken, recorded));
  const { promised } = scene.carrier;
  // Those that died with a process are excused, counted or not, where that is not promised.
  const abandoned = scene.countLosses() - (promised.atLeastOnce ? 0 : lossesByDeath);
  violations.push(...findViolations({ clients, taken, abandoned, promised, deaths }));
  const again = taken.length - new Set(taken.map(({ id }) => id)).size;
  console.log(`${taken.length} events were taken, ${again} of them more than once`);
}

function isEnded({ end }: Talker): boolean {
  return end.kind === "closed";
}

/** As instances write it. */
function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

function report(): void {
  const { everybody, sent, answers, pushes } = crowd;
  console.log(
    `${everybody.length} clients, ${left} left by themselves; ${sent} messages, ` +
      `${answers} answers, ${pushes} pushes; ${scene.instances.count} instances; ` +
      `${scene.countLosses()} events given up or counted as lost, ` +
      `${lossesByDeath} of them around a death`,
  );
  console.log(
    `slowest first answer ${slowestRecoveryMs.toFixed(0)} ms, ` +
      `slowest client ${slowestMs.toFixed(0)} ms, ` +
      `${((performance.now() - startedMs) / 1000).toFixed(0)} s in all`,
  );
  for (const violation of violations.slice(0, VIOLATIONS_SHOWN))
    console.log(`FAILED: ${violation}`);
  const more = violations.length - VIOLATIONS_SHOWN;
  if (more > 0) console.log(`FAILED: ${more} more`);
  const again = `again: --carrier ${values.carrier} --seed ${seed}`;
  console.log(violations.length === 0 ? "everything held" : again);
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
