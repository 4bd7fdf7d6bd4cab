/**
 * Clients that begin and never finish: half handshakes, silent sockets, resets, half-closed
 * streams, readers that do not read. Those who behave must not notice them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { GatewayProcess } from "../support/gateway-process.ts";
import { descriptorsOf, processorMsOf } from "../support/process-limits.ts";
import { clientFrame, RawClient, upgradeHead } from "../support/raw-client.ts";
import { runSize } from "../support/seed.ts";
import { until } from "../support/until.ts";
import { Crowd } from "./crowd.ts";

const HUB = "echo: { paths: [/], service: 'echo:' }";
const TIMEOUT_MS = 4000;
const LIMITS = `handshakeTimeoutMs: ${TIMEOUT_MS}, connectTimeoutMs: 1000`;
const attackers = runSize(1000, 9000);
/** For each of them, from when it was connected. */
const GONE_MS = TIMEOUT_MS + 1000;

async function refusals(gateway: GatewayProcess, reason: string): Promise<number> {
  const text = await (await gateway.api("GET", "/metrics")).text();
  const pattern = new RegExp(
    `^headgate_handshakes_refused_total\\{.*"${reason}".*\\} (\\d+)$`,
    "m",
  );
  return Number(pattern.exec(text)?.[1] ?? 0);
}

/** One more message there and back. */
async function echo(client: RawClient): Promise<void> {
  client.sendFrame(2, "still there");
  const { payload } = await client.nextFrame();
  assert.equal(payload.toString(), "still there");
}

/** The workers' sockets, beyond those at first, and their time, as the kernel counts them. */
class Sockets {
  readonly #pids: number[];
  readonly #first: number;

  private constructor(pids: number[]) {
    this.#pids = pids;
    this.#first = this.#descriptors();
  }

  static async of(gateway: GatewayProcess): Promise<Sockets> {
    const { workers } = await gateway.status();
    return new Sockets(workers.map(({ pid }) => pid));
  }

  get count(): number {
    return this.#descriptors() - this.#first;
  }

  /** What the workers have used of processors, whatever else these had to do. */
  get busyMs(): number {
    return this.#pids.reduce((sum, pid) => sum + processorMsOf(pid), 0);
  }

  signal(signal: NodeJS.Signals): void {
    for (const pid of this.#pids) process.kill(pid, signal);
  }

  #descriptors(): number {
    return this.#pids.reduce((sum, pid) => sum + descriptorsOf(pid).length, 0);
  }
}

test("half handshakes are gone a second after their deadline, and others come in", async (t) => {
  const gateway = await GatewayProcess.start(HUB, `limits: { ${LIMITS} }`);
  const healthy = await RawClient.open(gateway.port);
  const head = Buffer.from(upgradeHead("/"));
  const sockets = await Sockets.of(gateway);
  const begunMs: number[] = [];
  // They have no end of their own: who reads its 408 and stays is not let stay either.
  const crowd = new Crowd(gateway.port, {
    allowHalfOpen: true,
    connected: () => begunMs.push(performance.now()),
  });
  await crowd.grow(attackers);
  let left = attackers;
  let lateMax = 0;
  // Some say nothing, others a byte every so often: the deadline is not moved by it.
  for (let at = 0; left > 0 && at < head.length - 1; at += 1) {
    for (const [index, socket] of crowd.sockets.entries()) {
      if (index % 2 === 0 && socket.writable) socket.write(head.subarray(at, at + 1));
    }
    const latecomer = await RawClient.open(gateway.port);
    await echo(latecomer);
    await echo(healthy);
    latecomer.destroy();
    const untilMs = performance.now() + 100;
    while (left > 0 && performance.now() < untilMs) {
      await delay(10);
      // First come, first gone: no more of them are there than may still be. One is a latecomer.
      const nowMs = performance.now();
      left = Math.max(0, sockets.count - 1);
      lateMax = Math.max(lateMax, left - begunMs.filter((ms) => nowMs - ms <= GONE_MS).length);
    }
  }
  const lastMs = performance.now() - (begunMs.at(-1) as number);
  t.diagnostic(`the last of ${attackers} was gone ${lastMs.toFixed(0)} ms after it had come`);
  assert.equal(left, 0);
  assert.equal(lateMax, 0, `at one time ${lateMax} of ${attackers} should have been gone`);
  await gateway.statusUntil(({ connections }) => connections === 1);
  assert.equal(await refusals(gateway, "handshake-timeout"), attackers);
  healthy.destroy();
  await crowd.leave();
  assert.equal(await gateway.stop(), 0);
});

test("half handshakes that all expire at once take at most four times their coming", async (t) => {
  // All of them are to come before the first is too late.
  const timeoutMs = 1500 + attackers / 2;
  const limits = `limits: { handshakeTimeoutMs: ${timeoutMs}, connectTimeoutMs: 1000 }`;
  const gateway = await GatewayProcess.start(HUB, `workers: 1\n${limits}`);
  const sockets = await Sockets.of(gateway);
  const crowd = new Crowd(gateway.port, { allowHalfOpen: true });
  const busyAtFirstMs = sockets.busyMs;
  await crowd.grow(attackers);
  while (sockets.count < attackers) await delay(20);
  const comingMs = sockets.busyMs - busyAtFirstMs;
  // A worker that did not run for so long finds all of them too late in one look.
  sockets.signal("SIGSTOP");
  await delay(timeoutMs + 500);
  const busyBeforeMs = sockets.busyMs;
  sockets.signal("SIGCONT");
  const wokenMs = performance.now();
  while (sockets.count > 0 && performance.now() - wokenMs < 10_000) await delay(20);
  const tookMs = performance.now() - wokenMs;
  const busyMs = sockets.busyMs - busyBeforeMs;
  t.diagnostic(`${attackers} were gone in ${tookMs.toFixed(0)} ms, busy ${busyMs} ms`);
  assert.equal(sockets.count, 0);
  // Clock ticks of 10 ms, by which a short measurement may be off.
  assert(busyMs <= 4 * comingMs + 50, `the worker was busy for ${busyMs} ms, first ${comingMs} ms`);
  await crowd.leave();
  assert.equal(await gateway.stop(), 0);
});

test("who is too late with its head is told so by a 408", async () => {
  const limits = "limits: { handshakeTimeoutMs: 1000, connectTimeoutMs: 500 }";
  const gateway = await GatewayProcess.start(HUB, limits);
  const client = await RawClient.connect(gateway.port);
  client.send("GET / HTTP/1.1\r\nHost: a");
  await client.until(() => client.ended, "the end");
  assert.equal(client.status, 408);
  client.destroy();
  assert.equal(await gateway.stop(), 0);
});

test("above handshakesPendingMax newcomers get a 503, until pending ones are over", async () => {
  const limits = `limits: { ${LIMITS}, handshakesPendingMax: 50 }`;
  const gateway = await GatewayProcess.start(HUB, limits);
  const healthy = await RawClient.open(gateway.port);
  const crowd = new Crowd(gateway.port);
  await crowd.grow(50);
  const refused = await RawClient.open(gateway.port);
  assert.equal(refused.status, 503);
  assert.match(refused.head ?? "", /^Retry-After: 1$/m);
  await echo(healthy);
  await until(() => crowd.sockets.every((socket) => socket.closed), "they are gone");
  const admitted = await RawClient.open(gateway.port);
  assert.equal(admitted.status, 101);
  for (const client of [healthy, refused, admitted]) client.destroy();
  assert.equal(await gateway.stop(), 0);
});

test("a flood of connections that are reset at once leaves nothing, and harms nobody", async () => {
  const gateway = await GatewayProcess.start(HUB);
  const healthy = await RawClient.open(gateway.port);
  for (let round = 0; round < 10; round += 1) {
    const crowd = new Crowd(gateway.port);
    await crowd.grow(100, round % 2 === 0 ? undefined : "/");
    await crowd.leave();
    await echo(healthy);
  }
  await gateway.statusUntil(({ connections }) => connections === 1);
  const counted = async () => await refusals(gateway, "client-gone");
  while ((await counted()) < 500) await delay(20);
  healthy.destroy();
  assert.equal(await gateway.stop(), 0);
});

test("half-closed clients are let go, whatever they had said", async () => {
  const gateway = await GatewayProcess.start(HUB);
  const beginnings = ["", "GET / HT", upgradeHead("/")].map((text) => Buffer.from(text));
  const half = clientFrame(2, Buffer.alloc(100)).subarray(0, 50);
  beginnings.push(Buffer.concat([Buffer.from(upgradeHead("/")), half]));
  for (const beginning of beginnings) {
    const client = await RawClient.connect(gateway.port);
    client.socket.end(beginning);
    await client.until(() => client.closed, "the end of the other half");
  }
  await gateway.statusUntil(({ connections }) => connections === 0);
  assert.equal(await gateway.stop(), 0);
});

test("who never reads the 101 and floods is read no further, and others are served", async () => {
  const gateway = await GatewayProcess.start(HUB, "limits: { writeStallTimeoutMs: 1000 }");
  const deaf = await RawClient.connect(gateway.port);
  deaf.socket.pause();
  deaf.send(upgradeHead("/"));
  const frame = clientFrame(2, Buffer.alloc(100_000));
  for (let index = 0; index < 200; index += 1) deaf.send(frame);
  const healthy = await RawClient.open(gateway.port);
  await echo(healthy);
  await gateway.statusUntil(({ connections }) => connections === 1);
  await echo(healthy);
  for (const client of [deaf, healthy]) client.destroy();
  assert.equal(await gateway.stop(), 0);
});
