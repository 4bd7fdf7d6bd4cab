/**
 * The connect events over NATS: requests of core NATS, whatever carries the other events. One of
 * all instances gets each, since they share a queue group.
 */
import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import { HeadgateError } from "../../core/error.ts";
import type { ConnectOutcome } from "../connect-request.ts";
import type { Handlers } from "../handlers.ts";
import type { NatsOutput } from "./output.ts";
import { headersOf, isConnect, type Reader, readReceived } from "./received.ts";
import { UnderWay } from "./under-way.ts";

const REQUESTS_MAX = 4096;
const BYTES_MAX = 64 * 1024 * 1024;

export interface ConnectsParts {
  connection: NatsConnection;
  reader: Reader;
  handlers: Handlers;
  output: NatsOutput;
}

export class Connects {
  readonly #parts: ConnectsParts;
  readonly #underWay = new UnderWay(REQUESTS_MAX, BYTES_MAX);
  #subscription: Subscription | undefined;

  constructor(parts: ConnectsParts) {
    this.#parts = parts;
  }

  subscribe(subject: string, queue: string): void {
    const { connection, handlers } = this.#parts;
    this.#subscription = connection.subscribe(subject, {
      queue,
      callback: (error, message) => {
        if (error === null) void this.#received(message);
        else handlers.report(notSubscribed(subject, error));
      },
    });
  }

  /** Answers what has come, and lets the other instances have the rest. */
  async close(): Promise<void> {
    await drain(this.#parts.connection, this.#subscription);
    await this.#underWay.idle();
  }

  async #received(message: Msg): Promise<void> {
    const { data } = message;
    if (this.#underWay.isFull) {
      this.#answer(message, unanswered(503));
      return;
    }
    this.#underWay.begin(data.length);
    try {
      this.#answer(message, await this.#judge(message));
    } finally {
      this.#underWay.end(data.length);
    }
  }

  #judge(message: Msg): ConnectOutcome | Promise<ConnectOutcome> {
    const { handlers, reader } = this.#parts;
    const event = readReceived(message, headersOf(message), reader, Date.now());
    if (typeof event !== "string" && isConnect(event)) return handlers.connect(event);
    const fault = typeof event === "string" ? event : `it is a ${event.name} event`;
    handlers.report(refused(message.subject, fault));
    return unanswered(401);
  }

  #answer(message: Msg, outcome: ConnectOutcome): void {
    const { handlers, output } = this.#parts;
    try {
      output.answer(message, outcome);
    } catch (cause) {
      handlers.report(unsent("The answer to a connect event", cause));
    }
  }
}

/** Resolves when all that was on its way has come. */
export async function drain(
  connection: NatsConnection,
  subscription: Subscription | undefined,
): Promise<void> {
  if (subscription === undefined || connection.isClosed() || subscription.isClosed()) return;
  await subscription.drain();
}

function unanswered(status: number): ConnectOutcome {
  return { status, contentType: "", connectionState: "", body: Buffer.alloc(0) };
}

export function refused(subject: string, fault: string): HeadgateError {
  const sentence = `What came on ${subject} is no event for this service: ${fault}.`;
  return new HeadgateError("HG_EVENT_REFUSED", sentence);
}

export function unsent(what: string, cause: unknown): HeadgateError {
  const sentence = `${what} could not be published; its own error is the cause.`;
  return new HeadgateError("HG_NATS_UNSENT", sentence, { cause });
}

export function notSubscribed(subject: string, cause: Error): HeadgateError {
  // The library forgets what was refused: a connection made anew by itself does not have it either.
  const sentence =
    `NATS does not let this service subscribe to ${subject}; allow it to its user, and start the ` +
    "service anew.";
  return new HeadgateError("HG_NATS_REFUSED", sentence, { cause });
}
