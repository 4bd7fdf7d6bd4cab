/**
 * What the gateway must look like when an attack is over, seen from outside: its processes, its
 * own counters and its descriptors. What it weighs is for others to find out.
 */
import { readdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { GatewayProcess } from "../../support/gateway-process.ts";
import { Exposition } from "../../support/prometheus.ts";

const QUIET_TIMEOUT_MS = 40_000;
const INTERVAL_MS = 250;

export interface Observation {
  supervisorPid: number | undefined;
  workerPids: number[];
  restarts: number;
  descriptors: number;
  connections: number;
  handshakesPending: number;
  opened: number;
  closed: number;
  refused: number;
  /** Bytes that the worker says it holds for its peers, by what holds them. */
  held: Record<string, number>;
}

/** Once nobody but so many clients is connected, or after 40 s in vain. */
export async function observe(gateway: GatewayProcess, clients: number): Promise<Observation> {
  const deadlineMs = performance.now() + QUIET_TIMEOUT_MS;
  let seen = await look(gateway);
  while (!isQuiet(seen, clients) && performance.now() < deadlineMs) {
    await delay(INTERVAL_MS);
    seen = await look(gateway);
  }
  return seen;
}

function isQuiet({ connections, handshakesPending, held }: Observation, clients: number): boolean {
  const isEmpty = Object.values(held).every((bytes) => bytes === 0);
  return connections === clients && handshakesPending === 0 && isEmpty;
}

async function look(gateway: GatewayProcess): Promise<Observation> {
  const { workers } = await gateway.status();
  const text = await (await gateway.api("GET", "/metrics")).text();
  const metrics = new Exposition(text);
  const kinds = ["parked", "unfinished", "queued", "unacknowledged"];
  const held = kinds.map((kind) => {
    const series = `headgate_memory_budget_bytes{worker="1",kind="${kind}"}`;
    return [kind, metrics.find(series) ?? valueWith(metrics, kind)];
  });
  return {
    supervisorPid: gateway.child.pid,
    workerPids: workers.map(({ pid }) => pid),
    restarts: workers.reduce((sum, { restarts }) => sum + restarts, 0),
    descriptors: workers.reduce((sum, { pid }) => sum + readdirSync(`/proc/${pid}/fd`).length, 0),
    connections: metrics.sum("headgate_connections"),
    handshakesPending: metrics.sum("headgate_handshakes_pending"),
    opened: metrics.sum("headgate_connections_opened_total"),
    closed: metrics.sum("headgate_connections_closed_total"),
    refused: metrics.sum("headgate_handshakes_refused_total"),
    held: Object.fromEntries(held),
  };
}

function valueWith(metrics: Exposition, kind: string): number {
  const { series } = metrics.families.get("headgate_memory_budget_bytes") ?? { series: new Map() };
  for (const [name, value] of series) if (name.includes(`"${kind}"`)) return value;
  throw new Error(`headgate_memory_budget_bytes says nothing of ${kind}`);
}
