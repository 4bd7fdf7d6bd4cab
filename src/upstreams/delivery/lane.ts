/**
 * The events of one connection that are not acknowledged yet, in their order. A lane exists only
 * while there are some, so an idle connection owns nothing here. It is plain state: delivery.ts
 * moves it.
 */
import type { ConnectionFacts } from "../upstream.ts";
import type { Appointment } from "./agenda.ts";
import type { ServiceEvent } from "./event.ts";

/** The next event waits for its turn, or for the service to be there. */
export const READY = 0;
/** The first of its events are under way, or their answers are being dealt with. */
export const SENDING = 1;
/** The first event failed, and waits before it is tried again. */
export const BACKING_OFF = 2;
/** Nothing waits: only a lane whose client is being closed stays so, until its disconnected. */
export const IDLE = 3;

export interface QueuedEvent extends ServiceEvent {
  readonly name: "connected" | "message" | "disconnected";
  /** Monotonic, unlike `timeMs`. */
  readonly queuedAtMs: number;
  /** How often it was sent, and when the last time. */
  attempts: number;
  sentAtMs: number;
  /** How many of the answers were failures that are not worth more than a few attempts. */
  failures: number;
}

export class Lane {
  /** Negative for a client that never had a place. */
  readonly place: number;
  readonly #readFacts: () => ConnectionFacts;
  #facts: ConnectionFacts | undefined;
  readonly events: QueuedEvent[] = [];
  state: typeof READY | typeof SENDING | typeof BACKING_OFF | typeof IDLE = IDLE;
  /** Since when the first event has been held for the service; undefined while all is well. */
  heldSinceMs: number | undefined;
  /** Backing off ends, or the hold time does. Present in READY (if held) and BACKING_OFF only. */
  appointment: Appointment | undefined;
  /** Attempts of the first event that failed. */
  backoffs = 0;
  /** How many events a batch may have in which the first one goes; others may have more. */
  batchMax = Number.POSITIVE_INFINITY;
  /** How many of the first events are under way; above 0 in SENDING only. */
  sent = 0;
  /** When the first event was sent or, if that was later, the one before it was settled. */
  progressMs = 0;
  /** The number of the link by which its events go, and its channel there; 0 for none. */
  link = 0;
  channel = 0;
  /** The client is being closed for what its service did: its messages are not taken any more. */
  failed = false;
  /** `disconnected` was called: the sink does not know the place any more. */
  gone = false;

  constructor(place: number, readFacts: () => ConnectionFacts) {
    this.place = place;
    this.#readFacts = readFacts;
  }

  /** Read when they are first asked for, which must be before the sink forgets the place. */
  get facts(): ConnectionFacts {
    this.#facts ??= { ...this.#readFacts() };
    return this.#facts;
  }

  /** The sink is about to forget the place. */
  leave(): void {
    void this.facts;
    this.gone = true;
  }
}
