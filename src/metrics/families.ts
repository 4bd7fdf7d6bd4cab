/**
 * Every metric of the gateway, one row each: its name, what it means, its labels, and how it is
 * read from what the workers have counted. Nothing is counted here.
 */
import type { Family, Labels } from "./exposition.ts";
import type { HubCounts, UpstreamCounts, WorkerCounts } from "./worker-counts.ts";

/** What the supervisor knows when it is asked. */
export interface MetricsSource {
  version: string;
  workers: { index: number; isReady: boolean; restarts: number }[];
  /** Connections that ended with a worker that died. */
  connectionsLostTotal: number;
  /** Of all workers, those included that have ended. */
  counts: WorkerCounts;
}

export const families: readonly Family<MetricsSource>[] = [
  {
    name: "headgate_connections",
    type: "gauge",
    labels: ["hub"],
    help: "Open connections",
    samples: ({ counts }) => ofHubs(counts, (hub) => hub.connections),
  },
  {
    name: "headgate_connections_opened_total",
    type: "counter",
    labels: [],
    help: "Connections that were opened",
    samples: ({ counts }) => [[{}, counts.openedTotal]],
  },
  {
    name: "headgate_connections_closed_total",
    type: "counter",
    labels: ["reason"],
    help: "Connections that ended, by the reason that the service is told",
    samples: ({ counts }) => by("reason", counts.closedTotal),
  },
  {
    name: "headgate_connections_lost_total",
    type: "counter",
    labels: [],
    help: "Connections that ended with a worker that died",
    samples: ({ connectionsLostTotal }) => [[{}, connectionsLostTotal]],
  },
  {
    name: "headgate_accept_pauses_total",
    type: "counter",
    labels: [],
    help: "Times that accepting paused for want of descriptors or slots, for 250 ms each",
    samples: ({ counts }) => [[{}, counts.acceptPausesTotal]],
  },
  {
    name: "headgate_handshakes_pending",
    type: "gauge",
    labels: [],
    help: "Handshakes under way, connect events included",
    samples: ({ counts }) => [[{}, counts.handshakesPending]],
  },
  {
    name: "headgate_handshakes_refused_total",
    type: "counter",
    labels: ["reason"],
    help: "Handshakes without a connection, by a name or the status of the answer",
    samples: ({ counts }) => by("reason", counts.refusedTotal),
  },
  {
    name: "headgate_messages_received_total",
    type: "counter",
    labels: ["hub"],
    help: "Messages from clients",
    samples: ({ counts }) => ofHubs(counts, (hub) => hub.messagesReceivedTotal),
  },
  {
    name: "headgate_messages_received_bytes_total",
    type: "counter",
    labels: ["hub"],
    help: "Bytes of payload in messages from clients",
    samples: ({ counts }) => ofHubs(counts, (hub) => hub.bytesReceivedTotal),
  },
  {
    name: "headgate_messages_sent_total",
    type: "counter",
    labels: [],
    help: "Messages to clients, written or queued, one for each receiver",
    samples: ({ counts }) => [[{}, counts.messagesSentTotal]],
  },
  {
    name: "headgate_messages_sent_bytes_total",
    type: "counter",
    labels: [],
    help: "Bytes of payload in messages to clients",
    samples: ({ counts }) => [[{}, counts.bytesSentTotal]],
  },
  {
    name: "headgate_messages_dropped_total",
    type: "counter",
    labels: ["policy"],
    help: "Messages to clients that slowConsumer dropped",
    samples: ({ counts }) => by("policy", counts.messagesDroppedTotal),
  },
  {
    name: "headgate_messages_abandoned_total",
    type: "counter",
    labels: ["reason"],
    help: "Messages from clients that were given up before their service took them",
    samples: ({ counts }) =>
      by(
        "reason",
        sumOf(upstreamsOf(counts), (upstream) => upstream.abandoned),
      ),
  },
  {
    name: "headgate_events_dropped_total",
    type: "counter",
    labels: ["event"],
    help: "Events that were given up before their service took them, messages included",
    samples: ({ counts }) =>
      by(
        "event",
        sumOf(upstreamsOf(counts), (upstream) => upstream.dropped),
      ),
  },
  {
    name: "headgate_upstream_duration_seconds",
    type: "histogram",
    labels: ["hub", "carrier", "event"],
    help: "How long requests to services took, failed ones included",
    *samples({ counts }) {
      for (const [hub, { upstream }] of Object.entries(counts.hubs)) {
        if (upstream === undefined) continue;
        const { carrier } = upstream;
        for (const [event, durations] of Object.entries(upstream.durations)) {
          yield [{ hub, carrier, event }, durations];
        }
      }
    },
  },
  {
    name: "headgate_upstream_inflight",
    type: "gauge",
    labels: [],
    help: "Requests to services under way, connect events included",
    samples: ({ counts }) => [[{}, total(upstreamsOf(counts), ({ inflight }) => inflight)]],
  },
  {
    name: "headgate_upstream_retries_total",
    type: "counter",
    labels: [],
    help: "Attempts after the first one of an event",
    samples: ({ counts }) => [[{}, total(upstreamsOf(counts), ({ retries }) => retries)]],
  },
  {
    name: "headgate_upstream_incidents_total",
    type: "counter",
    labels: ["hub", "carrier", "incident"],
    help: "What befell connections to services: lost, made again, errors, nobody there",
    samples: ({ counts }) => ofCarriers(counts, "incident", (upstream) => upstream.incidents),
  },
  {
    name: "headgate_upstream_pushes_total",
    type: "counter",
    labels: ["hub", "carrier", "result"],
    help: "Pushes that came over a carrier, and not by REST, by what became of them",
    samples: ({ counts }) => ofCarriers(counts, "result", (upstream) => upstream.pushes),
  },
  {
    name: "headgate_held_connections",
    type: "gauge",
    labels: [],
    help: "Connections that wait for a service that failed them",
    samples: ({ counts }) => [
      [{}, total(upstreamsOf(counts), ({ heldConnections }) => heldConnections)],
    ],
  },
  {
    name: "headgate_turn_duration_seconds",
    type: "histogram",
    labels: [],
    help: "How long a worker's event loop was held at a time",
    samples: ({ counts }) => [[{}, counts.turns]],
  },
  {
    name: "headgate_turn_duration_seconds_max",
    type: "gauge",
    labels: [],
    help: "The longest time since their start that a worker's event loop was held",
    samples: ({ counts }) => [[{}, counts.turnSecondsMax]],
  },
  {
    name: "headgate_memory_budget_bytes",
    type: "gauge",
    labels: ["state"],
    help: "Bytes held for peers, by what holds them, and the max that bufferBudgetBytes allows",
    samples: ({ counts }) => by("state", counts.memory),
  },
  {
    name: "headgate_worker_up",
    type: "gauge",
    labels: ["worker"],
    help: "Whether the worker is ready: 1 or 0",
    samples: ({ workers }) => workers.map(({ index, isReady }) => [workerOf(index), +isReady]),
  },
  {
    name: "headgate_worker_restarts_total",
    type: "counter",
    labels: ["worker"],
    help: "Times that the worker was replaced after its death",
    samples: ({ workers }) => workers.map(({ index, restarts }) => [workerOf(index), restarts]),
  },
  {
    name: "headgate_build_info",
    type: "gauge",
    labels: ["version"],
    help: "Always 1; the label tells the version",
    samples: ({ version }) => [[{ version }, 1]],
  },
];

function by(label: string, values: Readonly<Record<string, number>>): [Labels, number][] {
  return Object.entries(values).map(([name, value]) => [{ [label]: name }, value]);
}

function ofHubs(counts: WorkerCounts, read: (hub: HubCounts) => number): [Labels, number][] {
  return Object.entries(counts.hubs).map(([hub, hubCounts]) => [{ hub }, read(hubCounts)]);
}

function ofCarriers(
  { hubs }: WorkerCounts,
  label: string,
  read: (upstream: UpstreamCounts) => Readonly<Record<string, number>>,
): [Labels, number][] {
  return Object.entries(hubs).flatMap(([hub, { upstream }]) => {
    if (upstream === undefined) return [];
    const { carrier } = upstream;
    return by(label, read(upstream)).map(([labels, count]): [Labels, number] => {
      return [{ hub, carrier, ...labels }, count];
    });
  });
}

function upstreamsOf(counts: WorkerCounts): UpstreamCounts[] {
  return Object.values(counts.hubs).flatMap(({ upstream }) => upstream ?? []);
}

function total(upstreams: UpstreamCounts[], read: (upstream: UpstreamCounts) => number): number {
  return upstreams.reduce((sum, upstream) => sum + read(upstream), 0);
}

function sumOf(
  upstreams: UpstreamCounts[],
  read: (upstream: UpstreamCounts) => Readonly<Record<string, number>>,
): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const upstream of upstreams) {
    for (const [name, value] of Object.entries(read(upstream))) {
      sums[name] = (sums[name] ?? 0) + value;
    }
  }
  return sums;
}

function workerOf(index: number): Labels {
  return { worker: String(index) };
}
