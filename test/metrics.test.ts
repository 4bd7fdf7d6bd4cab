/** `/metrics` of a gateway with two workers and a real service, against traffic that is known. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { disconnects } from "../src/gateway/disconnect.ts";
import { refusalReasons } from "../src/gateway/refusal.ts";
import { GatewayProcess } from "./support/gateway-process.ts";
import { HttpService } from "./support/http-service.ts";
import { Exposition } from "./support/prometheus.ts";
import { RawClient, upgradeHead } from "./support/raw-client.ts";

const TEXT = 1;
const CLOSE = 8;
const NORMAL_CLOSE = Buffer.from([3, 232]);
const POLL_MS = 20;
const TIMEOUT_MS = 15_000;

let service: HttpService;
let gateway: GatewayProcess;

before(async () => {
  service = await HttpService.start();
  const hubs = [
    "echo: { paths: [/echo], service: 'echo:' }",
    `chat: { paths: [/chat], service: '${service.url}' }`,
  ];
  gateway = await GatewayProcess.start(hubs.join("\n"), "workers: 2");
});

async function scrape(): Promise<Exposition> {
  const response = await gateway.api("GET", "/metrics");
  assert.equal(response.status, 200);
  const type = response.headers.get("content-type");
  assert.equal(type, "text/plain; version=0.0.4; charset=utf-8");
  return new Exposition(await response.text());
}

/** Workers tell what they counted a moment later. */
async function scrapeUntil(expected: Record<string, number>): Promise<Exposition> {
  const deadlineMs = performance.now() + TIMEOUT_MS;
  for (;;) {
    const series = await scrape();
    const actual = Object.fromEntries(
      Object.keys(expected).map((name) => [name, series.find(name)]),
    );
    const isSame = Object.entries(expected).every(([name, value]) => actual[name] === value);
    if (isSame || performance.now() > deadlineMs) {
      assert.deepEqual(actual, expected);
      return series;
    }
    await delay(POLL_MS);
  }
}

/** Those that traffic alone decides. */
function exactCounters(series: Exposition): Map<string, number> {
  const counters = [...series.counters()];
  return new Map(counters.filter(([name]) => !name.startsWith("headgate_turn_duration_")));
}

/** What changed, of all series of counters. */
function growth(before: Exposition, after: Exposition): Record<string, number> {
  const old = exactCounters(before);
  const changes = [...exactCounters(after)].map(([name, value]): [string, number] => {
    return [name, value - (old.get(name) ?? 0)];
  });
  return Object.fromEntries(changes.filter(([, change]) => change !== 0));
}

async function close(client: RawClient): Promise<void> {
  client.sendFrame(CLOSE, NORMAL_CLOSE);
  await client.until(() => client.closed || client.ended, "the end");
  client.destroy();
}

test("every series is there from the beginning, at 0", async () => {
  const series = await scrape();
  const of = (family: string) => [...(series.families.get(family)?.series.keys() ?? [])].sort();
  const labelled = (family: string, label: string, values: readonly string[]) => {
    assert.deepEqual(of(family), values.map((value) => `${family}{${label}="${value}"}`).sort());
  };
  labelled("headgate_connections", "hub", ["echo", "chat"]);
  labelled("headgate_connections_closed_total", "reason", Object.keys(disconnects));
  labelled("headgate_handshakes_refused_total", "reason", refusalReasons);
  labelled("headgate_events_dropped_total", "event", ["connected", "message", "disconnected"]);
  labelled("headgate_worker_up", "worker", ["1", "2"]);
  const events = ["connect", "connected", "message", "disconnected"];
  for (const event of events) {
    const labels = `{hub="chat",carrier="http",event="${event}"}`;
    assert.equal(series.value(`headgate_upstream_duration_seconds_count${labels}`), 0);
  }
  const begun = [...exactCounters(series)].filter(([, value]) => value !== 0);
  assert.deepEqual(begun, []);
  assert.equal(series.sum("headgate_worker_up"), 2);
  assert.ok(series.value('headgate_memory_budget_bytes{state="max"}') > 0);
});

test("after known traffic over two workers every counter is exact", async () => {
  service.answer = ({ name, text }) => {
    if (name !== "message") return undefined;
    return { body: `${text}!`, headers: { "content-type": "text/plain" } };
  };
  const before = await scrape();
  const open = (path: string, count: number) =>
    Promise.all(Array.from({ length: count }, () => RawClient.open(gateway.port, path)));
  const echoes = await open("/echo", 40);
  const chats = await open("/chat", 10);
  for (const client of [...echoes, ...chats]) client.sendFrame(TEXT, "12345");
  for (const client of [...echoes, ...chats]) await client.nextFrame();
  const pushed = await gateway.api("POST", "/api/hubs/chat/:send", "1234567");
  assert.equal(pushed.headers.get("headgate-matched"), "10");
  const refused = await RawClient.open(gateway.port, "/nowhere");
  assert.equal(refused.status, 404);
  const left = await RawClient.connect(gateway.port);
  left.send(upgradeHead("/echo").slice(0, 20));
  left.destroy();
  const { workers } = await gateway.statusUntil(({ connections }) => connections === 50);
  assert.ok(
    workers.every(({ connections }) => connections > 0),
    "both workers have clients",
  );
  const open50 = await scrapeUntil({
    'headgate_connections{hub="echo"}': 40,
    'headgate_connections{hub="chat"}': 10,
    'headgate_handshakes_refused_total{reason="client-gone"}': 1,
    headgate_handshakes_pending: 0,
    headgate_upstream_inflight: 0,
  });
  assert.equal(open50.value("headgate_connections_opened_total"), 50);
  for (const client of chats) await close(client);
  for (const client of echoes.slice(0, 30)) await close(client);
  for (const client of echoes.slice(30)) client.sendFrame(3, "a reserved opcode");
  const count = (event: string) =>
    `headgate_upstream_duration_seconds_count{hub="chat",carrier="http",event="${event}"}`;
  const after = await scrapeUntil({
    [count("disconnected")]: 10,
    'headgate_connections_closed_total{reason="protocol-error"}': 10,
    'headgate_connections_closed_total{reason="client-closed"}': 40,
    'headgate_connections{hub="echo"}': 0,
    'headgate_connections{hub="chat"}': 0,
  });
  const changes = Object.entries(growth(before, after));
  const told = changes.filter(([name]) => !/_seconds_(?:bucket|sum)/.test(name));
  assert.deepEqual(Object.fromEntries(told), {
    headgate_connections_opened_total: 50,
    'headgate_connections_closed_total{reason="client-closed"}': 40,
    'headgate_connections_closed_total{reason="protocol-error"}': 10,
    'headgate_handshakes_refused_total{reason="client-gone"}': 1,
    'headgate_handshakes_refused_total{reason="path-unknown"}': 1,
    'headgate_messages_received_total{hub="echo"}': 40,
    'headgate_messages_received_total{hub="chat"}': 10,
    'headgate_messages_received_bytes_total{hub="echo"}': 40 * 5,
    'headgate_messages_received_bytes_total{hub="chat"}': 10 * 5,
    headgate_messages_sent_total: 40 + 10 + 10,
    headgate_messages_sent_bytes_total: 40 * 5 + 10 * 6 + 10 * 7,
    [count("connect")]: 10,
    [count("connected")]: 10,
    [count("message")]: 10,
    [count("disconnected")]: 10,
  });
  for (const client of echoes) client.destroy();
});

test("messages that a service refuses are abandoned, with their reason", async () => {
  service.answer = ({ name }) => (name === "message" ? { status: 400 } : undefined);
  const before = await scrape();
  const client = await RawClient.open(gateway.port, "/chat");
  client.sendFrame(TEXT, "refused");
  assert.equal((await client.closeFrame()).code, 1008);
  client.destroy();
  const reason = 'headgate_messages_abandoned_total{reason="service-refused"}';
  const after = await scrapeUntil({
    [reason]: before.value(reason) + 1,
    'headgate_events_dropped_total{event="message"}': 1,
    'headgate_connections_closed_total{reason="service-refused"}': 1,
  });
  assert.equal(after.sum("headgate_messages_abandoned_total"), 1);
  service.answer = () => undefined;
});

test("a connection that waits for its service is held, its message unacknowledged", async () => {
  service.answer = ({ name }) => (name === "message" ? { status: 503 } : undefined);
  const client = await RawClient.open(gateway.port, "/chat");
  client.sendFrame(TEXT, "12345678");
  await scrapeUntil({
    headgate_held_connections: 1,
    'headgate_memory_budget_bytes{state="unacknowledged"}': 8 + 450,
  });
  service.answer = () => undefined;
  const after = await scrapeUntil({
    headgate_held_connections: 0,
    'headgate_memory_budget_bytes{state="unacknowledged"}': 0,
  });
  assert.ok(after.value("headgate_upstream_retries_total") >= 1);
  await close(client);
});

test("when a worker is killed no total goes backwards, and its clients are lost", async () => {
  await scrapeUntil({ 'headgate_connections{hub="chat"}': 0 });
  const clients = await Promise.all(
    Array.from({ length: 40 }, () => RawClient.open(gateway.port, "/echo")),
  );
  for (const client of clients) client.sendFrame(TEXT, "before");
  for (const client of clients) await client.nextFrame();
  const before = await scrapeUntil({
    'headgate_connections{hub="echo"}': 40,
    'headgate_messages_received_total{hub="echo"}': 80,
  });
  const [victim, other] = (await gateway.status()).workers;
  assert.ok(victim !== undefined && other !== undefined);
  assert.ok(victim.connections > 0 && other.connections > 0, "both workers have clients");
  process.kill(victim.pid, "SIGKILL");
  const restarts = 'headgate_worker_restarts_total{worker="1"}';
  const up = 'headgate_worker_up{worker="1"}';
  const deadlineMs = performance.now() + TIMEOUT_MS;
  let last = before;
  let wasDown = false;
  while (last.value(restarts) === 0 || last.value(up) === 0) {
    assert.ok(performance.now() < deadlineMs, "the worker comes back");
    const now = await scrape();
    for (const [series, change] of Object.entries(growth(last, now))) {
      assert.ok(change > 0, `${series} went back by ${-change}`);
    }
    assert.deepEqual([...now.counters().keys()], [...before.counters().keys()]);
    wasDown ||= now.value(up) === 0;
    last = now;
  }
  assert.ok(wasDown, "the worker was seen to be down");
  assert.deepEqual(growth(before, last), {
    headgate_connections_lost_total: victim.connections,
    [restarts]: 1,
  });
  assert.equal(last.value('headgate_connections{hub="echo"}'), other.connections);
  const opened = last.value("headgate_connections_opened_total");
  const closed = last.sum("headgate_connections_closed_total");
  assert.equal(opened, closed + victim.connections + other.connections);
  const news = await RawClient.open(gateway.port, "/echo");
  news.sendFrame(TEXT, "after");
  await news.nextFrame();
  await scrapeUntil({ 'headgate_messages_received_total{hub="echo"}': 81 });
  for (const client of [...clients, news]) client.destroy();
  assert.equal(await gateway.stop(), 0);
});
