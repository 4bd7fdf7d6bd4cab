/**
 * Clients that begin and never finish: half handshakes, silent sockets, resets, half-closed
 * streams, readers that do not read. Those who behave must not notice them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { GatewayProcess } from "../support/gateway-process.ts";
import { clientFrame, RawClient, upgradeHead } from "../support/raw-client.ts";
import { propertyRuns } from "../support/seed.ts";
import { until } from "../support/until.ts";
import { Crowd } from "./crowd.ts";

const HUB = "echo: { paths: [/], service: 'echo:' }";
const TIMEOUT_MS = 4000;
const LIMITS = `handshakeTimeoutMs: ${TIMEOUT_MS}, connectTimeoutMs: 1000`;
const attackers = propertyRuns(1000, 9000);
/** Of the deadline, which is counted in ticks, and one second as promised. */
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

test("half handshakes are gone by their deadline, and meanwhile others come in", async () => {
  const gateway = await GatewayProcess.start(HUB, `limits: { ${LIMITS} }`);
  const healthy = await RawClient.open(gateway.port);
  const head = Buffer.from(upgradeHead("/"));
  // Some say nothing, others a byte every so often: the deadline is not moved by it.
  const started = performance.now();
  const crowd = new Crowd(gateway.port);
  await crowd.grow(attackers);
  const grown = performance.now();
  let gone = 0;
  for (const socket of crowd.sockets) socket.once("close", () => (gone += 1));
  for (let at = 0; gone < attackers && at < head.length - 1; at += 1) {
    for (const [index, socket] of crowd.sockets.entries()) {
      if (index % 2 === 0 && socket.writable) socket.write(head.subarray(at, at + 1));
    }
    const latecomer = await RawClient.open(gateway.port);
    await echo(latecomer);
    await echo(healthy);
    latecomer.destroy();
    await delay(100);
  }
  const latestMs = performance.now() - grown;
  assert.equal(gone, attackers, `after ${performance.now() - started} ms`);
  assert(latestMs <= GONE_MS + 500, `the last one was gone ${latestMs} ms after it came`);
  await gateway.statusUntil(({ connections }) => connections <= 2);
  assert.equal(await refusals(gateway, "handshake-timeout"), attackers);
  healthy.destroy();
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
