/**
 * Events over core NATS, at most once: there is nobody to tell that one was not taken, so that
 * what fails, or comes when too much is under way, is lost, and told to `onError`.
 */
import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import { HeadgateError } from "../../core/error.ts";
import { REJECT_HELD, REJECT_REFUSED } from "../../link/frame.ts";
import type { Rejection } from "../fault.ts";
import type { Handlers, Outcome, ServiceEvent } from "../handlers.ts";
import type { ConnectionLines } from "../lines.ts";
import { drain, notSubscribed, refused, unsent } from "./connects.ts";
import type { NatsOutput } from "./output.ts";
import { type HeaderMap, headersOf, isConnect, type Reader, readReceived } from "./received.ts";
import { UnderWay } from "./under-way.ts";

export interface CoreEventsParts {
  connection: NatsConnection;
  reader: Reader;
  handlers: Handlers;
  lines: ConnectionLines;
  output: NatsOutput;
  /** Whether this instance is the one for that connection. */
  isOurs: (connectionId: string) => boolean;
  eventsMax: number;
  bytesMax: number;
}

export class CoreEvents {
  readonly #parts: CoreEventsParts;
  readonly #subscriptions: Subscription[] = [];
  readonly #underWay: UnderWay;
  #isDropping = false;

  constructor(parts: CoreEventsParts) {
    this.#parts = parts;
    this.#underWay = new UnderWay(parts.eventsMax, parts.bytesMax);
  }

  subscribe(subjects: readonly string[], queue: string | undefined): void {
    const { connection, handlers } = this.#parts;
    for (const subject of subjects) {
      const subscription = connection.subscribe(subject, {
        ...(queue === undefined ? {} : { queue }),
        callback: (error, message) => {
          if (error === null) this.#received(message);
          else handlers.report(notSubscribed(subject, error));
        },
      });
      this.#subscriptions.push(subscription);
    }
  }

  /** All that has come is handled: nobody would bring it again. */
  async close(): Promise<void> {
    const { connection } = this.#parts;
    await Promise.all(this.#subscriptions.map((each) => drain(connection, each)));
    await this.#underWay.idle();
  }

  #received(message: Msg): void {
    const { handlers, isOurs, reader } = this.#parts;
    const headers = headersOf(message);
    if (!isOurs(headers.get("ce-connectionid") ?? "")) return;
    const event = readReceived(message, headers, reader, Date.now());
    if (typeof event === "string" || isConnect(event)) {
      const fault = typeof event === "string" ? event : "connect is a request";
      handlers.report(refused(message.subject, fault));
      return;
    }
    if (this.#underWay.isFull) {
      this.#drop();
      return;
    }
    const bytes = message.data.length;
    this.#underWay.begin(bytes);
    const settled = this.#take(event, headers);
    if (!(settled instanceof Promise)) {
      this.#underWay.end(bytes);
      return;
    }
    if (event.name === "message") event.detach();
    void settled.then(() => this.#underWay.end(bytes));
  }

  #take(event: ServiceEvent, headers: HeaderMap): unknown {
    const { handlers, lines } = this.#parts;
    return lines.run<undefined>(event.connectionId, event.id, () => {
      const outcome = handlers.take(event);
      if (!(outcome instanceof Promise)) return this.#settle(event, headers, outcome);
      return outcome.then((settled) => this.#settle(event, headers, settled));
    });
  }

  /** Never throws, as the lines want it. */
  #settle(event: ServiceEvent, headers: HeaderMap, outcome: Outcome): undefined {
    const { handlers, output } = this.#parts;
    try {
      if (outcome?.kind === REJECT_HELD) handlers.report(lost(event, outcome));
      if (event.name !== "message") return;
      if (outcome === undefined) output.reply(event, headers);
      if (outcome?.kind === REJECT_REFUSED) output.endClient(event);
    } catch (cause) {
      handlers.report(unsent(`What message ${event.id} is answered with`, cause));
    }
  }

  /** Told once, until all is taken that was under way. */
  #drop(): void {
    if (this.#isDropping) return;
    this.#isDropping = true;
    void this.#underWay.idle().then(() => {
      this.#isDropping = false;
    });
    const { eventsMax, bytesMax, handlers } = this.#parts;
    const message =
      `Events come over NATS faster than the handlers take them, and are lost: ${eventsMax} ` +
      `events or ${bytesMax} bytes are under way. JetStream would keep them.`;
    handlers.report(new HeadgateError("HG_EVENTS_DROPPED", message));
  }
}

function lost({ connectionId, id, name }: ServiceEvent, { cause }: Rejection): HeadgateError {
  return new HeadgateError(
    "HG_EVENT_LOST",
    `The "${name}" event ${id} of connection ${connectionId} is lost: ${cause}, and core NATS ` +
      "brings nothing again. JetStream does.",
  );
}
