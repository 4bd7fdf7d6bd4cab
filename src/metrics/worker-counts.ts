/**
 * What a worker has counted, as plain data: told by its gateway, sent to the supervisor, and
 * added up there. What is named `…Total`, or said to be of ever, has been counted since the
 * worker's start and outlives it; everything else is of now.
 */
import { addHistograms, Histogram, type HistogramCounts } from "./histogram.ts";

export interface WorkerCounts {
  /** Open ones, of all hubs. */
  connections: number;
  handshakesPending: number;
  /** For want of descriptors or slots. */
  acceptPausesTotal: number;
  openedTotal: number;
  /** By the name of the way in which they ended, every one of which is there. */
  closedTotal: Record<string, number>;
  /** Handshakes that ended without a connection, by the reason. */
  refusedTotal: Record<string, number>;
  messagesSentTotal: number;
  /** Of payload. */
  bytesSentTotal: number;
  /** Messages to clients, by the policy of their hub for slow consumers. */
  messagesDroppedTotal: Record<string, number>;
  /** Of the budget in bytes, by what holds it; `max` is all that may be held. */
  memory: Record<string, number>;
  hubs: Record<string, HubCounts>;
  /** How long the event loop was held at a time, ever. */
  turns: HistogramCounts;
  /** The longest of them, of a worker that is still there. */
  turnSecondsMax: number;
}

export interface HubCounts {
  connections: number;
  messagesReceivedTotal: number;
  /** Of payload. */
  bytesReceivedTotal: number;
  /** Undefined for a hub without a service outside the worker. */
  upstream: UpstreamCounts | undefined;
}

export interface UpstreamCounts {
  /** How events travel: `http` or `nats`. */
  carrier: string;
  /** Requests under way. */
  inflight: number;
  /** Connections that wait for a service that failed them. */
  heldConnections: number;
  /** Attempts after the first one of an event, ever. */
  retries: number;
  /** Events given up, ever, by their kind. */
  dropped: Readonly<Record<string, number>>;
  /** Of those the messages, by the reason. */
  abandoned: Readonly<Record<string, number>>;
  /** What befell the connection to the service, ever, by its name; {} where there is not one. */
  incidents: Readonly<Record<string, number>>;
  /** Pushes that came over this carrier, ever, by what became of them; {} where none can. */
  pushes: Readonly<Record<string, number>>;
  /** How long requests took, ever, by the kind of their event. */
  durations: Readonly<Record<string, HistogramCounts>>;
}

export function emptyCounts(): WorkerCounts {
  return {
    connections: 0,
    handshakesPending: 0,
    acceptPausesTotal: 0,
    openedTotal: 0,
    closedTotal: {},
    refusedTotal: {},
    messagesSentTotal: 0,
    bytesSentTotal: 0,
    messagesDroppedTotal: {},
    memory: {},
    hubs: {},
    turns: new Histogram().counts(),
    turnSecondsMax: 0,
  };
}

/** A counter for each of these, so that what never happened is told as well. */
export function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

/** What two workers, or two lives of one, have counted together. */
export function addCounts(a: WorkerCounts, b: WorkerCounts): WorkerCounts {
  return {
    connections: a.connections + b.connections,
    handshakesPending: a.handshakesPending + b.handshakesPending,
    acceptPausesTotal: a.acceptPausesTotal + b.acceptPausesTotal,
    openedTotal: a.openedTotal + b.openedTotal,
    closedTotal: addEach(a.closedTotal, b.closedTotal, add),
    refusedTotal: addEach(a.refusedTotal, b.refusedTotal, add),
    messagesSentTotal: a.messagesSentTotal + b.messagesSentTotal,
    bytesSentTotal: a.bytesSentTotal + b.bytesSentTotal,
    messagesDroppedTotal: addEach(a.messagesDroppedTotal, b.messagesDroppedTotal, add),
    memory: addEach(a.memory, b.memory, add),
    hubs: addEach(a.hubs, b.hubs, addHubs),
    turns: addHistograms(a.turns, b.turns),
    turnSecondsMax: Math.max(a.turnSecondsMax, b.turnSecondsMax),
  };
}

/** What stays of a worker that ended: its totals. */
export function totalsOf(counts: WorkerCounts): WorkerCounts {
  const hubs = Object.entries(counts.hubs).map(([name, hub]): [string, HubCounts] => {
    const upstream = hub.upstream && { ...hub.upstream, inflight: 0, heldConnections: 0 };
    return [name, { ...hub, connections: 0, upstream }];
  });
  return {
    ...counts,
    connections: 0,
    handshakesPending: 0,
    memory: {},
    turnSecondsMax: 0,
    hubs: Object.fromEntries(hubs),
  };
}

function addHubs(a: HubCounts, b: HubCounts): HubCounts {
  return {
    connections: a.connections + b.connections,
    messagesReceivedTotal: a.messagesReceivedTotal + b.messagesReceivedTotal,
    bytesReceivedTotal: a.bytesReceivedTotal + b.bytesReceivedTotal,
    upstream:
      a.upstream && b.upstream ? addUpstreams(a.upstream, b.upstream) : (a.upstream ?? b.upstream),
  };
}

function addUpstreams(a: UpstreamCounts, b: UpstreamCounts): UpstreamCounts {
  return {
    carrier: a.carrier,
    inflight: a.inflight + b.inflight,
    heldConnections: a.heldConnections + b.heldConnections,
    retries: a.retries + b.retries,
    dropped: addEach(a.dropped, b.dropped, add),
    abandoned: addEach(a.abandoned, b.abandoned, add),
    incidents: addEach(a.incidents, b.incidents, add),
    pushes: addEach(a.pushes, b.pushes, add),
    durations: addEach(a.durations, b.durations, addHistograms),
  };
}

function add(a: number, b: number): number {
  return a + b;
}

/** Entry by entry; one that only one of them has stays as it is. */
function addEach<Value>(
  a: Readonly<Record<string, Value>>,
  b: Readonly<Record<string, Value>>,
  addValues: (a: Value, b: Value) => Value,
): Record<string, Value> {
  const sums = new Map(Object.entries(a));
  for (const [name, value] of Object.entries(b)) {
    const other = sums.get(name);
    sums.set(name, other === undefined ? value : addValues(other, value));
  }
  return Object.fromEntries(sums);
}
