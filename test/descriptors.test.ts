/**
 * A worker that really runs out of descriptors, or of slots: clients wait and are not reset, those
 * who are in notice nothing, nothing spins, and the log says it once.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GatewayProcess } from "./support/gateway-process.ts";
import { HttpService } from "./support/http-service.ts";
import { startInProcess } from "./support/in-process-gateway.ts";
import { leaveDescriptors, limitDescriptors, processorMsOf } from "./support/process-limits.ts";
import { Exposition } from "./support/prometheus.ts";
import { RawClient, upgradeHead } from "./support/raw-client.ts";
import { RecordingLog } from "./support/recording-log.ts";
import { until } from "./support/until.ts";

const ECHO = "main:\n  paths: [/]\n  service: 'echo:'";
const TEXT = 1;
/** What the worker had is more, and less would do. */
const PLENTY = 2000;
const SPIN_MS = 600;
const PAUSED = /^out of descriptors or slots/;
const OVER = "accepting clients again";

async function roundTrip(client: RawClient, text: string): Promise<void> {
  client.sendFrame(TEXT, text);
  assert.equal((await client.nextFrame()).payload.toString(), text);
}

function openMany(gateway: GatewayProcess, count: number, path = "/"): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: count }, () => RawClient.open(gateway.port, path)));
}

/** Clients who have sent their handshake, and of whom nobody knows whether they are accepted. */
async function knock(port: number, count: number): Promise<RawClient[]> {
  const connecting = Array.from({ length: count }, () => RawClient.connect(port));
  const clients = await Promise.all(connecting);
  for (const client of clients) client.send(upgradeHead("/"));
  return clients;
}

async function pidOf(gateway: GatewayProcess, worker = 0): Promise<number> {
  const { workers } = await gateway.status();
  return (workers[worker] as (typeof workers)[number]).pid;
}

/** Takes so much processor time, and does nothing. */
function spin(processorMs: number): void {
  const start = process.cpuUsage();
  for (let spentMs = 0; spentMs < processorMs; ) {
    const { user, system } = process.cpuUsage(start);
    spentMs = (user + system) / 1000;
  }
}

function waitingOf(clients: RawClient[]): RawClient[] {
  return clients.filter(({ head }) => head === undefined);
}

function assertUnhurt(clients: RawClient[]): void {
  for (const { closed, ended, error } of clients) {
    assert.deepEqual({ closed, ended, error }, { closed: false, ended: false, error: undefined });
  }
}

async function pausesOf(gateway: GatewayProcess): Promise<number> {
  const text = await (await gateway.api("GET", "/metrics")).text();
  return new Exposition(text).value("headgate_accept_pauses_total");
}

function linesOf(gateway: GatewayProcess): string[] {
  const isOfIt = (msg: string) => PAUSED.test(msg) || msg === OVER;
  return gateway.records.filter(({ msg }) => isOfIt(msg)).map(({ level }) => level);
}

test("out of descriptors clients wait, one gets in for each who leaves, then all do", async () => {
  const gateway = await GatewayProcess.start(ECHO, "workers: 1");
  const pid = await pidOf(gateway);
  const insiders = await openMany(gateway, 10);
  leaveDescriptors(pid, 3);
  const knocking = await knock(gateway.port, 15);
  const paused = await gateway.record(({ msg }) => PAUSED.test(msg));
  assert.deepEqual([paused.level, paused.code], ["warn", "EMFILE"]);
  await gateway.statusUntil(({ connections }) => connections === 13);

  // Nothing spins: beside one that does, whatever else the machine has to do, it takes little.
  const before = processorMsOf(pid);
  spin(SPIN_MS);
  const share = (processorMsOf(pid) - before) / SPIN_MS;
  assert.ok(share < 0.3, `the worker takes ${share.toFixed(2)} of what a loop without end takes`);

  assert.equal(waitingOf(knocking).length, 12);
  assertUnhurt(knocking);
  for (const client of insiders) await roundTrip(client, "still here");
  const push = await gateway.api("POST", "/api/hubs/main/:send", "to all");
  assert.deepEqual([push.status, push.headers.get("headgate-matched")], [202, "13"]);
  for (const client of insiders) {
    assert.equal((await client.nextFrame()).payload.toString(), "to all");
  }

  // At the limit accepting goes well and fails by turns; that is one episode.
  for (let left = 11; left >= 8; left -= 1) {
    insiders.pop()?.destroy();
    await until(() => waitingOf(knocking).length === left, `${left} wait`);
  }
  assert.deepEqual(linesOf(gateway), ["warn"]);
  limitDescriptors(pid, PLENTY);
  for (const client of knocking) {
    await client.until(() => client.head !== undefined, "an answer");
    client.frames.length = 0;
    await roundTrip(client, "in at last");
  }
  assertUnhurt(knocking);
  const over = await gateway.record(({ msg }) => msg === OVER);
  assert.deepEqual(linesOf(gateway), ["warn", "info"]);
  // It was tried four times a second, and the log holds none of these.
  assert.ok((over.pauses as number) >= 4 && (over.pausedForMs as number) >= 1000);
  assert.ok((await pausesOf(gateway)) >= (over.pauses as number));
  for (const client of [...insiders, ...knocking]) client.destroy();
  assert.equal(await gateway.stop(), 0);
});

test("new clients go to the worker that has descriptors left", async () => {
  const gateway = await GatewayProcess.start(ECHO, "workers: 2");
  const pid = await pidOf(gateway);
  leaveDescriptors(pid, 0);
  const knocking = await knock(gateway.port, 40);
  await gateway.record(({ msg }) => PAUSED.test(msg));
  const waiting = waitingOf(knocking).length;
  await gateway.status();
  const later = await openMany(gateway, 40);
  for (const client of later) await roundTrip(client, "served by the other");
  assert.ok(waiting > 0 && waitingOf(knocking).length > 0, "some wait for the one that is out");
  limitDescriptors(pid, PLENTY);
  for (const client of knocking) await client.until(() => client.head !== undefined, "an answer");
  assertUnhurt(knocking);
  // It is given its share again, though it had none while the other one had descriptors left.
  await gateway.record(({ msg }) => msg === OVER);
  const counts = async () => (await gateway.status()).workers.map((each) => each.connections);
  await gateway.statusUntil(({ connections }) => connections === 80);
  const [before] = await counts();
  const last = await openMany(gateway, 40);
  await gateway.statusUntil(({ connections }) => connections === 120);
  const [after] = await counts();
  assert.ok((after as number) > (before as number));
  for (const client of [...knocking, ...later, ...last]) client.destroy();
  assert.equal(await gateway.stop(), 0);
});

describe("a service that needs a descriptor when there is none", () => {
  const hub = (service: HttpService) =>
    `${ECHO}\nserved:\n  paths: [/served]\n  service: '${service.url}'`;

  test("is not reached: the client gets 503, and comes in when there are some again", async () => {
    const service = await HttpService.start();
    const gateway = await GatewayProcess.start(hub(service), "workers: 1");
    const pid = await pidOf(gateway);
    const insider = await RawClient.open(gateway.port);
    leaveDescriptors(pid, 1);
    const client = await RawClient.open(gateway.port, "/served");
    assert.equal(client.status, 503);
    assert.deepEqual(service.events, []);
    await gateway.record(({ cause }) => JSON.stringify(cause ?? "").includes("EMFILE"));
    await roundTrip(insider, "still here");
    limitDescriptors(pid, PLENTY);
    const again = await RawClient.open(gateway.port, "/served");
    assert.equal(again.status, 101);
    for (const each of [insider, client, again]) each.destroy();
    assert.equal(await gateway.stop(), 0);
    await service.stop();
  });

  test("has a connection's messages later, all of them and in order", async () => {
    const service = await HttpService.start(({ name, text }) =>
      name === "message" ? { body: text, headers: { "content-type": "text/plain" } } : undefined,
    );
    const gateway = await GatewayProcess.start(hub(service), "workers: 1");
    const pid = await pidOf(gateway);
    const client = await RawClient.open(gateway.port, "/served");
    await roundTrip(client, "first");
    // The service goes and comes, so that a connection to it would have to be made anew.
    await service.stop();
    client.sendFrame(TEXT, "a");
    await gateway.record(({ msg }) => msg.startsWith("the service cannot be reached"));
    leaveDescriptors(pid, 0);
    await service.listen();
    for (const text of ["b", "c"]) client.sendFrame(TEXT, text);
    const [waiting] = await knock(gateway.port, 1);
    await gateway.record(({ msg }) => PAUSED.test(msg));
    assert.deepEqual(client.frames, []);
    limitDescriptors(pid, PLENTY);
    const texts: string[] = [];
    while (texts.length < 3) texts.push((await client.nextFrame()).payload.toString());
    assert.deepEqual(texts, ["a", "b", "c"]);
    client.destroy();
    waiting?.destroy();
    assert.equal(await gateway.stop(), 0);
    await service.stop();
  });
});

test("out of slots clients wait too, and are told the truth when some are free", async () => {
  const log = new RecordingLog();
  const gateway = await startInProcess({ limits: "{ connectionsMax: 1 }", log });
  const insider = await RawClient.open(gateway.port);
  // There are 64 slots more, for telling those who come too late.
  const knocking = await knock(gateway.port, 70);
  const [line] = await log.find(PAUSED);
  assert.equal(line?.fields.code, "ENOBUFS");
  await until(() => waitingOf(knocking).length === 6, "64 have their answer");
  await roundTrip(insider, "still here");
  for (const client of knocking) if (client.head !== undefined) client.destroy();
  for (const client of waitingOf(knocking)) {
    await client.until(() => client.head !== undefined, "an answer");
    assert.deepEqual([client.status, client.error], [503, undefined]);
    client.destroy();
  }
  assert.equal(gateway.gateway.counts().acceptPausesTotal > 0, true);
  assert.equal((await log.find(PAUSED)).length, 1);
  insider.destroy();
  await gateway.stop();
});
