/**
 * Events out of a JetStream stream, at least once: acknowledged when their handler is done. One
 * that is to be tried again is kept here, for whatever is handed back to the server is overtaken
 * by what is behind it; `catch-up.ts` has the order of what others before us did not finish.
 */
import type { ConsumerMessages, JsMsg } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { HeadgateError } from "../../core/error.ts";
import { REJECT_FAILED, REJECT_REFUSED } from "../../link/frame.ts";
import type { Handlers, Outcome, ServiceEvent } from "../handlers.ts";
import type { ConnectionLines } from "../lines.ts";
import { CatchUp } from "./catch-up.ts";
import { refused, unsent } from "./connects.ts";
import type { Durable } from "./consumer.ts";
import type { Held, HeldEvents } from "./held-events.ts";
import type { NatsOutput } from "./output.ts";
import { isConnect, type Reader, readReceived } from "./received.ts";

export interface StreamEventsParts {
  connection: NatsConnection;
  reader: Reader;
  handlers: Handlers;
  lines: ConnectionLines;
  output: NatsOutput;
  held: HeldEvents;
  /** Whether this instance is the one for that connection. */
  isOurs: (connectionId: string) => boolean;
  /** What the subjects of this hub's events begin with. */
  ofHub: string;
  durable: string;
  /** How many of its events a durable lets be under way. */
  eventsMax: number;
  /** Others take events of this durable too: order is given up. */
  isShared: boolean;
}

/** As the gateway has them over HTTP. */
const ATTEMPTS_MAX = 3;
const RETRY_BASE_MS = 250;
/** What is asked for at once; asked for again when a quarter of it has come. */
const PULL_MAX = 500;
/** That the server says at once, and what is found later, by who was away or got no word of it. */
const GONE: ReadonlySet<string> = new Set([
  "consumer_deleted",
  "consumer_not_found",
  "stream_not_found",
]);

export class StreamEvents {
  readonly #parts: StreamEventsParts;
  readonly #catchUp: CatchUp;
  #messages: ConsumerMessages | undefined;
  #isClosing = false;
  /** Retries that wait, to be woken by a close. */
  readonly #pauses = new Set<() => void>();

  constructor(parts: StreamEventsParts, durable: Durable) {
    this.#parts = parts;
    const { durable: name, handlers, held } = parts;
    const report = (error: Error) => handlers.report(error);
    const start = (one: Held) => this.#start(one);
    this.#catchUp = new CatchUp({ ...durable, name, held, start, report });
  }

  async open({ consumer }: Durable): Promise<void> {
    const { eventsMax, isShared } = this.#parts;
    if (!isShared) await this.#catchUp.begin();
    this.#messages = await consumer.consume({
      max_messages: Math.min(eventsMax, PULL_MAX),
      callback: (message) => this.#received(message),
    });
    if (this.#isClosing) this.#messages.stop();
    void this.#watch(this.#messages);
  }

  /** What is under way is finished, and what is not goes back to the server for the next one. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#catchUp.stop();
    this.#messages?.stop();
    for (const wake of this.#pauses) wake();
    const { held } = this.#parts;
    for (const one of held) if (!one.isStarted) this.#giveBack(one);
    await held.idle();
  }

  #received(message: JsMsg): void {
    const { held, isShared } = this.#parts;
    const { deliverySequence, streamSequence } = message.info;
    const gap = !isShared && this.#catchUp.sees(deliverySequence);
    // It took so long that the server has brought it again: this one is to be acknowledged.
    if (held.renew(streamSequence, message)) return;
    const one = held.add(message);
    if (gap || this.#catchUp.isUnderWay) this.#catchUp.wait(one);
    else this.#start(one);
  }

  #start(one: Held): void {
    const { handlers, isOurs, ofHub, reader } = this.#parts;
    const { headers, message } = one;
    const isOfHub = message.subject.startsWith(ofHub);
    if (!isOfHub || !isOurs(headers.get("ce-connectionid") ?? "")) {
      this.#settle(one, () => one.message.ack());
      return;
    }
    one.isStarted = true;
    // It may have lain in the stream for hours: it was fresh if it was when it came there.
    const read = () => readReceived(message, headers, reader, message.time.getTime());
    const event = read();
    if (typeof event === "string" || isConnect(event)) {
      const fault = typeof event === "string" ? event : "connect is a request";
      handlers.report(refused(message.subject, fault));
      this.#settle(one, () => one.message.term(fault));
      return;
    }
    void this.#parts.lines.run<undefined>(event.connectionId, event.id, () => {
      if (this.#isClosing) return this.#giveBack(one);
      const outcome = this.#take(one, event);
      if (!(outcome instanceof Promise)) return this.#judge(one, event, outcome, read);
      return outcome.then((settled) => this.#judge(one, event, settled, read));
    });
  }

  /** With its reply, without which it counts as failed. */
  #take(one: Held, event: ServiceEvent): Outcome | Promise<Outcome> {
    const outcome = this.#parts.handlers.take(event);
    if (!(outcome instanceof Promise)) return this.#reply(one, event, outcome);
    return outcome.then((settled) => this.#reply(one, event, settled));
  }

  #reply(one: Held, event: ServiceEvent, outcome: Outcome): Outcome {
    if (outcome !== undefined || event.name !== "message") return outcome;
    const { handlers, output } = this.#parts;
    try {
      output.reply(event, one.headers);
      return undefined;
    } catch (cause) {
      handlers.report(unsent(`The reply to message ${event.id}`, cause));
      return { kind: REJECT_FAILED, retryAfterMs: 0, cause: "its reply could not be published" };
    }
  }

  /** A promise only where it is tried again: what is behind it in its connection waits then. */
  #judge(
    one: Held,
    event: ServiceEvent,
    outcome: Outcome,
    read: () => ReturnType<typeof readReceived>,
  ): undefined | Promise<undefined> {
    const { handlers, output } = this.#parts;
    if (outcome === undefined) return this.#settle(one, () => one.message.ack());
    if (outcome.kind === REJECT_REFUSED) {
      return this.#settle(one, () => {
        if (event.name === "message") output.endClient(event);
        one.message.term(outcome.cause);
      });
    }
    one.retries += 1;
    if (outcome.kind === REJECT_FAILED) one.failures += 1;
    if (one.failures >= ATTEMPTS_MAX) {
      handlers.report(givenUp(event));
      return this.#settle(one, () => one.message.term(outcome.cause));
    }
    const backoffMs = RETRY_BASE_MS * 2 ** Math.min(one.retries - 1, 4);
    return this.#again(one, outcome.retryAfterMs || backoffMs, read);
  }

  async #again(
    one: Held,
    delayMs: number,
    read: () => ReturnType<typeof readReceived>,
  ): Promise<undefined> {
    await this.#pause(delayMs);
    if (this.#isClosing) return this.#giveBack(one);
    // Read anew: what the handler did to the other is forgotten.
    const event = read() as ServiceEvent;
    return this.#judge(one, event, await this.#take(one, event), read);
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#pauses.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, delayMs);
      this.#pauses.add(wake);
      if (this.#isClosing) wake();
    });
  }

  #giveBack(one: Held): undefined {
    return this.#settle(one, () => one.message.nak());
  }

  #settle(one: Held, act: () => void): undefined {
    const { connection, handlers, held } = this.#parts;
    held.delete(one);
    // Without one it comes again.
    if (connection.isClosed()) return;
    try {
      act();
    } catch (cause) {
      handlers.report(unsent(`The acknowledgement of what came on ${one.message.subject}`, cause));
    }
  }

  /** What the library finds in vain; it goes on trying. */
  async #watch(messages: ConsumerMessages): Promise<void> {
    const { durable, handlers } = this.#parts;
    for await (const { type } of messages.status()) {
      if (!GONE.has(type) || this.#isClosing) continue;
      const message = `The consumer "${durable}" is gone: start the service anew to get events.`;
      handlers.report(new HeadgateError("HG_NATS_CONSUMER_GONE", message));
    }
  }
}

function givenUp({ connectionId, id, name }: ServiceEvent): HeadgateError {
  return new HeadgateError(
    "HG_EVENT_LOST",
    `The "${name}" event ${id} of connection ${connectionId} failed ${ATTEMPTS_MAX} times and is ` +
      "given up; the stream has it still.",
  );
}
