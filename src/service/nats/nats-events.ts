/**
 * Events over a NATS connection of the service's own: which subjects they come on, which of them
 * are this instance's, and what happens in which order when it begins and ends.
 */
import type { NatsConnection } from "@nats-io/transport-node";
import { HeadgateError } from "../../core/error.ts";
import { PARTITIONS, partitionOf, Subjects } from "../../upstreams/nats/subjects.ts";
import type { Handlers } from "../handlers.ts";
import type { ConnectionLines } from "../lines.ts";
import { Connects } from "./connects.ts";
import { CoreEvents } from "./core-events.ts";
import {
  ACK_WAIT_MS,
  checkOptions,
  type JetStreamOptions,
  type NatsOptions,
} from "./nats-options.ts";
import { NatsOutput } from "./output.ts";
import type { StreamEvents } from "./stream-events.ts";

export interface NatsEventsParts {
  connection: NatsConnection;
  hub: string;
  keys: readonly string[];
  handlers: Handlers;
  lines: ConnectionLines;
  options: NatsOptions;
}

const CONNECT_QUEUE = "headgate-service";
const BYTES_MAX = 64 * 1024 * 1024;
const LOOK_FOR_STREAM_MS = 1000;

export class NatsEvents {
  readonly #parts: NatsEventsParts;
  readonly #subjects: Subjects;
  readonly #output: NatsOutput;
  readonly #connects: Connects;
  readonly #isOurs: (connectionId: string) => boolean;
  #events: CoreEvents | StreamEvents | undefined;
  #isClosing = false;
  #abandon: (() => void) | undefined;
  #wake: (() => void) | undefined;

  constructor(parts: NatsEventsParts) {
    const { connection, handlers, hub, keys, options } = parts;
    checkOptions(connection, options);
    this.#parts = parts;
    this.#subjects = new Subjects(options.prefix ?? "headgate", hub);
    this.#output = new NatsOutput(connection, this.#subjects);
    const reader = { hub, keys };
    this.#connects = new Connects({ connection, reader, handlers, output: this.#output });
    const ours = new Set(options.partitions);
    const takesAll = options.partitions === undefined || ours.size === PARTITIONS;
    this.#isOurs = takesAll ? () => true : (connectionId) => ours.has(partitionOf(connectionId));
  }

  /** Resolves when events come; with JetStream that is once the gateway has made the stream. */
  async open(): Promise<void> {
    const { connection, handlers, options } = this.#parts;
    void connection.closed().then((cause) => {
      if (this.#isClosing) return;
      handlers.report(connectionClosed(cause));
      this.abandon();
      void this.close();
    });
    this.#connects.subscribe(this.#subjects.connect, options.queue ?? CONNECT_QUEUE);
    if (options.jetStream !== undefined) return this.#openStream(options.jetStream);
    const { bytesMax = BYTES_MAX, eventsMax = 10_000, queue } = options;
    const core = new CoreEvents({ ...this.#common(), eventsMax, bytesMax });
    this.#events = core;
    core.subscribe(subjectsOf(this.#parts.hub, options), queue);
    await connection.flush();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#wake?.();
    await Promise.all([this.#connects.close(), this.#events?.close()]);
    const { connection } = this.#parts;
    // Replies and acknowledgements have left when it is resolved.
    if (!connection.isClosed()) await connection.flush();
  }

  /** Whatever is left is nobody's here any more. */
  abandon(): void {
    this.#abandon?.();
  }

  #common() {
    const { connection, handlers, hub, keys, lines } = this.#parts;
    const reader = { hub, keys };
    return { connection, reader, handlers, lines, output: this.#output, isOurs: this.#isOurs };
  }

  async #openStream(options: JetStreamOptions): Promise<void> {
    const { handlers, hub, options: all } = this.#parts;
    const { ackWaitMs = ACK_WAIT_MS, durable, isShared = false, stream = "headgate" } = options;
    const eventsMax = all.eventsMax ?? 1000;
    const takesAll = all.partitions === undefined;
    const filters = subjectsOf(hub, { ...all, partitions: undefined });
    const subjects = this.#subjects.events;
    const plan = { stream, durable, filters, subjects, takesAll, eventsMax, ackWaitMs };
    // Only who uses JetStream loads it.
    const { openConsumer } = await import("./consumer.ts");
    const { HeldEvents } = await import("./held-events.ts");
    const { StreamEvents } = await import("./stream-events.ts");
    let opened = await openConsumer(this.#parts.connection, plan);
    if (opened === undefined) handlers.report(streamMissing(stream));
    while (opened === undefined && !this.#isClosing) {
      await this.#pause();
      if (!this.#isClosing) opened = await openConsumer(this.#parts.connection, plan);
    }
    if (opened === undefined || this.#isClosing) return;
    const held = new HeldEvents(opened.ackWaitMs);
    this.#abandon = () => held.abandon();
    const ofHub = `${all.prefix ?? "headgate"}.event.${hub}.`;
    const parts = { ...this.#common(), held, durable, ofHub, eventsMax, isShared };
    const events = new StreamEvents(parts, opened);
    this.#events = events;
    await events.open(opened);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LOOK_FOR_STREAM_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Of connections' beginnings and ends all, for those have no partitions. */
function subjectsOf(
  hub: string,
  options: { prefix?: string; partitions?: NatsOptions["partitions"] | undefined },
) {
  const { partitions, prefix = "headgate" } = options;
  const tokens = partitions === undefined ? ["*"] : new Set(partitions);
  const messages = [...tokens].map((token) => `message.${token}`);
  return ["connected", ...messages, "disconnected"].map((rest) => `${prefix}.event.${hub}.${rest}`);
}

function connectionClosed(cause: unknown): HeadgateError {
  const message = "The connection to NATS was closed: no events come, and nothing can be pushed.";
  const options = cause === undefined ? undefined : { cause };
  return new HeadgateError("HG_NATS_CLOSED", message, options);
}

function streamMissing(stream: string): HeadgateError {
  const message =
    `There is no stream "${stream}" yet: the gateway makes it when it starts with ` +
    "delivery: at-least-once. It is waited for.";
  return new HeadgateError("HG_NATS_STREAM_MISSING", message);
}
