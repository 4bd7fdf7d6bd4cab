/**
 * Events over JetStream, at least once: acknowledged when the stream has stored them. Of one
 * connection one is under way at a time, so that a retry cannot be overtaken; its id lets the
 * stream leave out what it has already.
 */
import { JetStreamApiError, jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import type { HubLimits } from "../../config/configuration.ts";
import { nowMs } from "../delivery/agenda.ts";
import { Inflight } from "../delivery/inflight.ts";
import type { Lane, QueuedEvent } from "../delivery/lane.ts";
import type { Lanes } from "../delivery/lanes.ts";
import type { QuietLog } from "../delivery/quiet-log.ts";
import type { ReadyLanes } from "../delivery/ready-lanes.ts";
import type { Verdict } from "../delivery/verdict.ts";
import type { NatsClient } from "./client.ts";
import { isNobodyThere, judgeError, type Outgoing, PUBLISHED } from "./outgoing.ts";

export interface StreamDeliveryParts {
  lanes: Lanes;
  ready: ReadyLanes;
  client: NatsClient;
  /** The stream's name. */
  stream: string;
  log: QuietLog;
  fields: object;
  outgoing: (event: QueuedEvent, lane: Lane) => Outgoing;
  limits: Pick<HubLimits, "holdTimeoutMs" | "serviceTimeoutMs" | "serviceInflightMax">;
  observe: (event: QueuedEvent["name"], durationMs: number) => void;
  /** Something may begin that could not before. */
  wake: () => void;
}

/** A stream that does not answer as it should is looked at no more often than that. */
const LOOK_INTERVAL_MS = 5000;

interface Shipment {
  lane: Lane;
  startMs: number;
}

const LOST: Verdict = {
  kind: "held",
  reached: false,
  retryAfterMs: undefined,
  cause: "the connection to NATS was lost",
};

export class StreamDelivery {
  readonly #parts: StreamDeliveryParts;
  readonly #inflight: Inflight;
  /** Published and not answered; what is not in here any more is settled. */
  readonly #shipments = new Set<Shipment>();
  #lookedMs = Number.NEGATIVE_INFINITY;
  /** What the log was told last of events that are not stored; undefined while they are. */
  #told: string | undefined;

  constructor(parts: StreamDeliveryParts) {
    this.#parts = parts;
    this.#inflight = new Inflight(parts.limits.serviceInflightMax);
  }

  get inflight(): number {
    return this.#shipments.size;
  }

  start(): void {
    const { client, lanes, ready } = this.#parts;
    for (;;) {
      const connection = client.ready;
      if (connection === undefined || !this.#inflight.mayBeginEvent()) return;
      const [lane] = ready.next(true);
      if (lane === undefined) return;
      lanes.begin(lane, 1);
      this.#publish(connection, lane);
    }
  }

  /** What was under way may have been stored: it is sent again, and its id tells. */
  lost(): void {
    for (const shipment of this.#shipments) this.#settle(shipment, LOST);
  }

  #publish(connection: NatsConnection, lane: Lane): void {
    const event = lane.events[0] as QueuedEvent;
    const { subject, headers, body } = this.#parts.outgoing(event, lane);
    const shipment = { lane, startMs: nowMs() };
    this.#shipments.add(shipment);
    this.#inflight.events = this.#shipments.size;
    const options = { msgID: event.id, headers, timeout: this.#timeoutMs(lane, shipment.startMs) };
    jetstream(connection)
      .publish(subject, body, options)
      .then(
        ({ stream }) => {
          if (stream === this.#parts.stream) this.#stored(shipment);
          else this.#unstored(shipment, anothersAnswer(this.#parts.stream));
        },
        (error: unknown) => this.#unstored(shipment, error),
      );
  }

  #stored(shipment: Shipment): void {
    this.#told = undefined;
    this.#answered(shipment, PUBLISHED);
  }

  /** It may be that the stream is gone, or was changed: then the client is not ready any more. */
  #unstored(shipment: Shipment, error: unknown): void {
    const { client, lanes, stream } = this.#parts;
    if (!this.#shipments.has(shipment)) return;
    if (isNobodyThere(error)) client.check();
    // The library reads as JSON what came, whoever sent it.
    const isUnread = error instanceof SyntaxError || error instanceof TypeError;
    const verdict = judgeError(isUnread ? anothersAnswer(stream) : error);
    const isHeld = this.#shipments.has(shipment) && verdict.kind === "held";
    this.#answered(shipment, verdict);
    if (!isHeld || lanes.isClosed) return;
    this.#tell(verdict.cause);
    // What the stream itself refuses, it is there for.
    if (!(error instanceof JetStreamApiError)) this.#look();
  }

  #tell(cause: string): void {
    const { fields, log, stream } = this.#parts;
    const sentence = "the stream does not store events; they are held until it does";
    if (cause !== this.#told) log.say("error", { ...fields, stream, cause }, sentence);
    this.#told = cause;
  }

  #look(): void {
    const now = nowMs();
    if (now - this.#lookedMs < LOOK_INTERVAL_MS) return;
    this.#lookedMs = now;
    this.#parts.client.look();
  }

  /** An answer to what was settled when the connection was lost comes too late. */
  #answered(shipment: Shipment, verdict: Verdict): void {
    const { lanes, observe, wake } = this.#parts;
    if (!this.#shipments.has(shipment)) return;
    if (!lanes.isClosed) {
      const event = shipment.lane.events[0] as QueuedEvent;
      observe(event.name, nowMs() - shipment.startMs);
    }
    this.#settle(shipment, verdict);
    wake();
  }

  #settle(shipment: Shipment, verdict: Verdict): void {
    const { lanes } = this.#parts;
    this.#shipments.delete(shipment);
    this.#inflight.events = this.#shipments.size;
    if (!lanes.isClosed) lanes.settle(shipment.lane, () => verdict);
  }

  #timeoutMs({ heldSinceMs }: Lane, now: number): number {
    const { holdTimeoutMs, serviceTimeoutMs } = this.#parts.limits;
    if (heldSinceMs === undefined) return serviceTimeoutMs;
    const leftMs = Math.ceil(heldSinceMs + holdTimeoutMs - now);
    return Math.max(1, Math.min(serviceTimeoutMs, leftMs));
  }
}

/** Who subscribes to the subject can answer as well, and another stream may have been given it. */
function anothersAnswer(stream: string): Error {
  return new Error(`what answers is not the stream "${stream}"; a service or another stream does`);
}
