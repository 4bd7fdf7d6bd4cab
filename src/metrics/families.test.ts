import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Exposition } from "../../test/support/prometheus.ts";
import { formatFamilies } from "./exposition.ts";
import { families, type MetricsSource } from "./families.ts";
import { Histogram } from "./histogram.ts";
import { emptyCounts, type UpstreamCounts } from "./worker-counts.ts";

function upstream(inflight: number): UpstreamCounts {
  const durations = new Histogram();
  durations.observe(inflight);
  return {
    carrier: "http",
    inflight,
    heldConnections: 2,
    retries: 3,
    dropped: { connected: 0, message: 4 },
    abandoned: { "service-error": 4 },
    incidents: { disconnect: inflight, error: 0 },
    pushes: { executed: 2 * inflight },
    durations: { message: durations.counts() },
  };
}

const turns = new Histogram();
for (const seconds of [0.002, 0.25, 0.001]) turns.observe(seconds);

const source: MetricsSource = {
  version: "1.2.3",
  workers: [
    { index: 1, isReady: true, restarts: 0 },
    { index: 2, isReady: false, restarts: 5 },
  ],
  connectionsLostTotal: 6,
  counts: {
    ...emptyCounts(),
    connections: 3,
    handshakesPending: 7,
    acceptPausesTotal: 17,
    openedTotal: 8,
    closedTotal: { "client-gone": 9, "idle-timeout": 0 },
    refusedTotal: { 400: 1 },
    messagesSentTotal: 10,
    bytesSentTotal: 11,
    messagesDroppedTotal: { "drop-oldest": 12 },
    memory: { parked: 13, max: 14 },
    turns: turns.counts(),
    turnSecondsMax: turns.max,
    hubs: {
      chat: {
        connections: 1,
        messagesReceivedTotal: 15,
        bytesReceivedTotal: 16,
        upstream: upstream(1),
      },
      news: {
        connections: 2,
        messagesReceivedTotal: 0,
        bytesReceivedTotal: 0,
        upstream: upstream(4),
      },
      echo: {
        connections: 0,
        messagesReceivedTotal: 0,
        bytesReceivedTotal: 0,
        upstream: undefined,
      },
    },
  },
};

test("every family is told, each of its series with its value", () => {
  const text = formatFamilies(families, source);
  const series = new Exposition(text);
  assert.deepEqual(
    [...series.families.keys()],
    families.map(({ name }) => name),
  );
  const expected = `
headgate_connections{hub="chat"} 1
headgate_connections{hub="news"} 2
headgate_connections{hub="echo"} 0
headgate_connections_opened_total 8
headgate_connections_closed_total{reason="client-gone"} 9
headgate_connections_closed_total{reason="idle-timeout"} 0
headgate_connections_lost_total 6
headgate_accept_pauses_total 17
headgate_handshakes_pending 7
headgate_handshakes_refused_total{reason="400"} 1
headgate_messages_received_total{hub="chat"} 15
headgate_messages_received_total{hub="news"} 0
headgate_messages_received_total{hub="echo"} 0
headgate_messages_received_bytes_total{hub="chat"} 16
headgate_messages_received_bytes_total{hub="news"} 0
headgate_messages_received_bytes_total{hub="echo"} 0
headgate_messages_sent_total 10
headgate_messages_sent_bytes_total 11
headgate_messages_dropped_total{policy="drop-oldest"} 12
headgate_messages_abandoned_total{reason="service-error"} 8
headgate_events_dropped_total{event="connected"} 0
headgate_events_dropped_total{event="message"} 8
headgate_upstream_inflight 5
headgate_upstream_retries_total 6
headgate_upstream_incidents_total{hub="chat",carrier="http",incident="disconnect"} 1
headgate_upstream_incidents_total{hub="chat",carrier="http",incident="error"} 0
headgate_upstream_incidents_total{hub="news",carrier="http",incident="disconnect"} 4
headgate_upstream_incidents_total{hub="news",carrier="http",incident="error"} 0
headgate_upstream_pushes_total{hub="chat",carrier="http",result="executed"} 2
headgate_upstream_pushes_total{hub="news",carrier="http",result="executed"} 8
headgate_held_connections 4
headgate_turn_duration_seconds_max 0.25
headgate_memory_budget_bytes{state="parked"} 13
headgate_memory_budget_bytes{state="max"} 14
headgate_worker_up{worker="1"} 1
headgate_worker_up{worker="2"} 0
headgate_worker_restarts_total{worker="1"} 0
headgate_worker_restarts_total{worker="2"} 5
headgate_build_info{version="1.2.3"} 1`;
  const told = text
    .split("\n")
    .filter((line) => /^headgate_(?!upstream_duration|turn_duration_seconds_[bsc])/.test(line));
  assert.deepEqual(told, expected.trim().split("\n"));
});

test("how long requests took is told for each hub with a service, its carrier and event", () => {
  const series = new Exposition(formatFamilies(families, source));
  const of = (kind: string, hub: string) =>
    series.find(
      `headgate_upstream_duration_seconds_${kind}{hub="${hub}",carrier="http",event="message"}`,
    );
  assert.deepEqual([of("sum", "chat"), of("count", "chat")], [1, 1]);
  assert.deepEqual([of("sum", "news"), of("count", "news")], [4, 1]);
  assert.equal(of("count", "echo"), undefined);
});

test("how long event loops were held is told", () => {
  const series = new Exposition(formatFamilies(families, source));
  const upTo = (bound: string) =>
    series.find(`headgate_turn_duration_seconds_bucket{le="${bound}"}`);
  assert.deepEqual(["0.001", "0.0025", "0.1", "0.25", "+Inf"].map(upTo), [1, 2, 2, 3, 3]);
});

test("before any worker has counted there is still something to read", () => {
  const nothing = { version: "1", workers: [], connectionsLostTotal: 0, counts: emptyCounts() };
  const series = new Exposition(formatFamilies(families, nothing));
  assert.equal(series.value("headgate_connections_opened_total"), 0);
  assert.equal(series.value("headgate_upstream_inflight"), 0);
});

test("names, helps and labels keep Prometheus' conventions", () => {
  for (const { name, help, labels, type } of families) {
    assert.match(name, /^headgate_[a-z]+(?:_[a-z]+)*$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.match(help, /^[A-Z].*[^.]$/);
    for (const label of labels) assert.match(label, /^[a-z]+$/);
  }
});

test("docs/operations.md has every metric with its labels and type, and no other", () => {
  const url = new URL("../../../docs/operations.md", import.meta.url);
  const rows = readFileSync(url, "utf8").matchAll(
    /^\| `(headgate_\w+)(?:\{([\w, ]+)\})?` +\| (counter|gauge|histogram) /gm,
  );
  const documented = [...rows].map(([, name, labels = "", type]) => `${name}{${labels}} ${type}`);
  const existing = families.map(
    ({ name, labels, type }) => `${name}{${labels.join(", ")}} ${type}`,
  );
  assert.deepEqual(documented, existing);
});
