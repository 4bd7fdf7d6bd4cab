/**
 * Events over core NATS, at most once: acknowledged as soon as they are published. What the
 * server has not read yet is bounded, by asking it now and then whether it has (PING); past the
 * bound, and without a connection, events wait in their lanes, and so their clients.
 */
import type { NatsConnection } from "@nats-io/transport-node";
import type { Lane, QueuedEvent } from "../delivery/lane.ts";
import type { Lanes } from "../delivery/lanes.ts";
import type { QuietLog } from "../delivery/quiet-log.ts";
import type { ReadyLanes } from "../delivery/ready-lanes.ts";
import type { Verdict } from "../delivery/verdict.ts";
import type { NatsClient } from "./client.ts";
import { judgeError, type Outgoing, PUBLISHED } from "./outgoing.ts";

/** Published, and not known to have been read by the server. */
const UNREAD_BYTES_MAX = 1024 * 1024;
/** For the headers of an event, about. */
const HEADER_BYTES = 512;

export interface CoreDeliveryParts {
  lanes: Lanes;
  ready: ReadyLanes;
  client: NatsClient;
  outgoing: (event: QueuedEvent, lane: Lane) => Outgoing;
  log: QuietLog;
  fields: object;
  /** Something may begin that could not before. */
  wake: () => void;
}

export class CoreDelivery {
  /** Nothing waits for an answer. */
  readonly inflight = 0;
  /** Events that were acknowledged, and were on their way when a connection was lost. */
  unread = 0;
  readonly #parts: CoreDeliveryParts;
  /** Of events, on this connection. */
  #published = { count: 0, bytes: 0 };
  #read = { count: 0, bytes: 0 };
  #isAsking = false;
  #isGathering = false;

  constructor(parts: CoreDeliveryParts) {
    this.#parts = parts;
  }

  /**
   * At the end of this iteration of the event loop, with what else it brings: the gateway counts
   * a message as held only when `message` has returned, so it cannot be acknowledged in there.
   */
  start(): void {
    if (this.#isGathering || !this.#mayBegin()) return;
    this.#isGathering = true;
    setImmediate(() => {
      this.#isGathering = false;
      this.#begin();
    });
  }

  lost(): void {
    const unread = this.#published.count - this.#read.count;
    this.#published = { count: 0, bytes: 0 };
    this.#read = { count: 0, bytes: 0 };
    this.#isAsking = false;
    if (unread === 0) return;
    this.unread += unread;
    const { log, fields } = this.#parts;
    const sentence = "events were published, and it is not known whether NATS took them";
    log.say("warn", fields, sentence, unread);
  }

  #mayBegin(): boolean {
    const { client, ready } = this.#parts;
    const unreadBytes = this.#published.bytes - this.#read.bytes;
    return client.ready !== undefined && ready.size > 0 && unreadBytes < UNREAD_BYTES_MAX;
  }

  #begin(): void {
    const { client, lanes, ready } = this.#parts;
    while (this.#mayBegin()) {
      const [lane] = ready.next(true);
      const connection = client.ready;
      if (lane === undefined || connection === undefined) return;
      lanes.begin(lane, 1);
      lanes.settle(lane, (event) => this.#publish(connection, lane, event));
    }
    this.#ask();
    this.#parts.wake();
  }

  #publish(connection: NatsConnection, lane: Lane, event: QueuedEvent): Verdict {
    const { subject, headers, replyTo, body } = this.#parts.outgoing(event, lane);
    const reply = event.name === "message" ? { reply: replyTo } : {};
    try {
      connection.publish(subject, body, { headers, ...reply });
    } catch (error) {
      return judgeError(error);
    }
    const { count, bytes } = this.#published;
    this.#published = { count: count + 1, bytes: bytes + body.length + HEADER_BYTES };
    return PUBLISHED;
  }

  /** The answer to a PING says that the server has read all that was published before it. */
  #ask(): void {
    const connection = this.#parts.client.ready;
    const asked = this.#published;
    if (this.#isAsking || connection === undefined || asked.count === this.#read.count) return;
    this.#isAsking = true;
    const read = this.#read;
    connection.flush().then(
      () => {
        // Another `#read` is that of another connection.
        if (this.#read !== read) return;
        this.#isAsking = false;
        this.#read = asked;
        this.#ask();
        this.#parts.wake();
      },
      () => {
        // The connection was lost, which `lost` is told of.
      },
    );
  }
}
