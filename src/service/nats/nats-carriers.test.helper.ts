/**
 * One service over NATS, core and JetStream, for the tests of what handlers mean. Events are
 * published by hand with the headers that the gateway writes, on a real server.
 */
import { after } from "node:test";
import { jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import type { Msg, MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import { headers } from "@nats-io/transport-node";
import { NatsServer, natsMissing } from "../../../test/support/nats-server.ts";
import { Waiters } from "../../../test/support/waiters.ts";
import { Subjects } from "../../upstreams/nats/subjects.ts";
import { decodeAttribute } from "../attribute.ts";
import {
  type Carrier,
  type ConnectResult,
  createWatched,
  type Driver,
  type Result,
  type Stage,
} from "../carriers.test.helper.ts";
import { Refuse, TryLater } from "../fault.ts";
import type { HandlerTable, ServiceEvent } from "../handlers.ts";
import { asRequest, type Facts, type Sending, type Told } from "../http/requests.test.helper.ts";
import type { Service } from "../service.ts";
import type { NatsOptions } from "./nats-options.ts";

const running = new Set<Service>();
after(() => Promise.all(Array.from(running, (service) => service.close())));

let started: Promise<NatsServer> | undefined;
let prefixes = 0;

/** One for all tests of a file; each has a prefix of its own. */
export function sharedServer(): Promise<NatsServer> {
  started ??= NatsServer.start({ jetStream: true });
  return started;
}

function nextPrefix(): string {
  prefixes += 1;
  return `test${prefixes}`;
}

/** As the gateway has them, but for what only a webhook has. */
function headersFor(facts: Facts, told: Told, sending: Sending, replyTo: string): MsgHdrs {
  const written = headers();
  for (const [name, value] of Object.entries(asRequest(facts, told, sending).headers)) {
    if (name !== "webhook-request-origin") written.set(name, value);
  }
  if (told.name === "message" || told.name === "connected") {
    written.set("headgate-reply-to", replyTo);
  }
  return written;
}

/** The gateway's side: it publishes events, and sees what comes back for each connection. */
export class NatsGateway {
  readonly server: NatsServer;
  readonly subjects: Subjects;
  readonly connection: NatsConnection;
  readonly prefix: string;
  readonly waiters = new Waiters();
  /** All that was published for clients. */
  readonly pushed: { subject: string; message: Msg }[] = [];
  /** What consumers said of each event, by its number in the stream. */
  readonly acknowledged = new Map<number, string[]>();

  private constructor(server: NatsServer, connection: NatsConnection, prefix: string) {
    this.server = server;
    this.connection = connection;
    this.prefix = prefix;
    this.subjects = new Subjects(prefix, "chat");
    this.#listen(`${prefix}.push.>`, (message) => {
      this.pushed.push({ subject: message.subject, message });
    });
    this.#listen(`$JS.ACK.${prefix}.>`, (message) => {
      const sequence = Number(message.subject.split(".")[5]);
      const said = this.acknowledged.get(sequence) ?? [];
      this.acknowledged.set(sequence, [...said, message.string()]);
    });
  }

  static async start(server: NatsServer, prefix = nextPrefix()): Promise<NatsGateway> {
    const gateway = new NatsGateway(server, await server.connect(), prefix);
    await gateway.connection.flush();
    return gateway;
  }

  /** As the gateway makes it, but for its name, and that in memory it is gone with the server. */
  async addStream(where: "memory" | "file" = "memory"): Promise<void> {
    const manager = await jetstreamManager(this.connection);
    const events = ["connected", "message.*", "disconnected"];
    const subjects = events.map((rest) => `${this.prefix}.event.*.${rest}`);
    const storage = where === "file" ? StorageType.File : StorageType.Memory;
    await manager.streams.add({ name: this.prefix, subjects, storage });
  }

  async ask(facts: Facts, body: string, sending: Sending = {}): Promise<ConnectResult> {
    const fields = headersFor(facts, { name: "connect", body }, sending, "");
    const options = { headers: fields, timeout: 10_000 };
    const answer = await this.connection.request(this.subjects.connect, body, options);
    const field = (name: string) => answer.headers?.get(name) ?? "";
    const state = decodeAttribute(field("ce-connectionstate"));
    return { status: Number(field("headgate-status")), body: answer.string(), state };
  }

  /** Over core NATS. */
  publish(facts: Facts, told: Told, sending: Sending = {}): void {
    const { body, fields, replyTo, subject } = this.#written(facts, told, sending);
    const reply = told.name === "message" ? { reply: replyTo } : {};
    this.connection.publish(subject, body, { headers: fields, ...reply });
  }

  /** Into the stream; its number there. */
  async store(facts: Facts, told: Told, sending: Sending = {}, timeout = 5000): Promise<number> {
    const { body, fields, subject } = this.#written(facts, told, sending);
    const options = { headers: fields, timeout };
    return (await jetstream(this.connection).publish(subject, body, options)).seq;
  }

  repliesTo(connectionId: string): Msg[] {
    const subject = this.subjects.replyTo(connectionId);
    const sent = this.pushed.filter((each) => each.subject === subject);
    return sent
      .map(({ message }) => message)
      .filter((each) => !each.headers?.has("headgate-action"));
  }

  /** The stream's consumer has acknowledged it, or will never have it again. */
  isSettled(sequence: number): boolean {
    const said = this.acknowledged.get(sequence) ?? [];
    return said.some((each) => /^\+(?:ACK|TERM)/.test(each));
  }

  until(condition: () => boolean, what: string): Promise<void> {
    return this.waiters.until(condition, () => what);
  }

  #listen(subject: string, received: (message: Msg) => void): void {
    this.connection.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) throw error;
        received(message);
        this.waiters.notify();
      },
    });
  }

  #written(facts: Facts, told: Told, sending: Sending) {
    const { subjects } = this;
    const { connectionId } = facts;
    const subject = told.name === "message" ? subjects.message(connectionId) : subjects[told.name];
    const replyTo = subjects.replyTo(connectionId);
    const body = told.name === "message" ? told.payload : Buffer.from(told.body);
    return { subject, replyTo, body, fields: headersFor(facts, told, sending, replyTo) };
  }
}

interface End {
  connectionId: string;
  kind: Result["kind"];
  isReplied: boolean;
}

/** What became of events, as their handlers see it: over NATS hardly anybody else is told. */
class Recorder {
  readonly ends: End[] = [];
  readonly names = new Set<string>();
  isClosed = false;
  readonly #notify: () => void;

  constructor(service: Service, notify: () => void) {
    this.#notify = notify;
    const [on, close] = [service.on.bind(service), service.close.bind(service)];
    service.on = (name, handler) => {
      this.names.add(name);
      on(name, name === "connect" ? handler : (this.#watched(handler as never) as never));
      return service;
    };
    service.close = () => close().finally(() => this.#closed());
  }

  of(connectionId: string): End[] {
    return this.ends.filter((each) => each.connectionId === connectionId);
  }

  #closed(): void {
    this.isClosed = true;
    this.#notify();
  }

  #watched(handler: HandlerTable["message"]) {
    return (event: ServiceEvent): unknown => {
      const failed = (thrown: unknown): never => {
        this.#ended(event, kindOf(thrown));
        throw thrown;
      };
      try {
        const returned = handler(event as never);
        if (returned instanceof Promise) return returned.then(() => this.#ended(event), failed);
        return this.#ended(event);
      } catch (thrown) {
        return failed(thrown);
      }
    };
  }

  #ended(event: ServiceEvent, kind: Result["kind"] = "taken"): void {
    const { connectionId, name } = event;
    const isReplied = kind === "taken" && name === "message" && event.encodedReply !== undefined;
    this.ends.push({ connectionId, kind, isReplied });
    this.#notify();
  }
}

function kindOf(thrown: unknown): Result["kind"] {
  if (thrown instanceof TryLater) return "held";
  return thrown instanceof Refuse ? "refused" : "failed";
}

function resultOf({ kind, isReplied }: End, replies: Msg[]): Result {
  const reply = isReplied ? replies.shift() : undefined;
  if (reply === undefined) return { kind };
  const isText = reply.headers?.get("content-type").startsWith("text/") ?? false;
  return { kind, reply: { isText, bytes: Buffer.from(reply.data) } };
}

/** One connection; it waits for what its events' handlers, and the wire, say of them. */
class NatsDriver implements Driver {
  readonly #gateway: NatsGateway;
  readonly #recorder: Recorder;
  readonly #stopsAt: Carrier["stopsAt"];
  readonly #facts: Facts;

  constructor(gateway: NatsGateway, recorder: Recorder, stopsAt: Carrier["stopsAt"], facts: Facts) {
    this.#gateway = gateway;
    this.#recorder = recorder;
    this.#stopsAt = stopsAt;
    this.#facts = facts;
  }

  async tell(...events: Told[]): Promise<Result[]> {
    const [gateway, recorder, facts] = [this.#gateway, this.#recorder, this.#facts];
    const { connectionId } = facts;
    const before = recorder.of(connectionId).length;
    const replied = gateway.repliesTo(connectionId).length;
    const stored: number[] = [];
    for (const told of events) {
      if (this.#stopsAt.length > 0) stored.push(await gateway.store(facts, told));
      else gateway.publish(facts, told);
    }
    const ends = () => recorder.of(connectionId).slice(before);
    const replies = () => gateway.repliesTo(connectionId).slice(replied);
    const handled = events.filter((told) => recorder.names.has(told.name)).length;
    const isDone = () => {
      if (replies().length < ends().filter(({ isReplied }) => isReplied).length) return false;
      if (recorder.isClosed) return true;
      if (ends().some(({ kind }) => this.#stopsAt.includes(kind))) return true;
      return ends().length === handled && stored.every((each) => gateway.isSettled(each));
    };
    await gateway.until(isDone, "results");
    const sent = replies();
    const results = ends().map((end) => resultOf(end, sent));
    while (results.length < events.length - handled) results.push({ kind: "taken" });
    return results;
  }
}

function carrier(
  name: string,
  stopsAt: Carrier["stopsAt"],
  options: (prefix: string) => NatsOptions,
): Carrier {
  const set: Carrier["set"] = async (serviceOptions = {}) => {
    const { errors, service } = createWatched(serviceOptions);
    const server = await sharedServer();
    const gateway = await NatsGateway.start(server);
    if (stopsAt.length > 0) await gateway.addStream();
    const recorder = new Recorder(service, () => gateway.waiters.notify());
    await service.overNats(await server.connect(), options(gateway.prefix));
    running.add(service);
    const open: Stage["open"] = (connectionId, { state, userId = "" } = {}) => {
      const more = state === undefined ? {} : { connectionState: state };
      return new NatsDriver(gateway, recorder, stopsAt, { connectionId, userId, ...more });
    };
    const connect: Stage["connect"] = (connectionId, body) =>
      gateway.ask({ connectionId }, JSON.stringify(body));
    return { service, errors, open, connect };
  };
  return { name, stopsAt, keepsState: false, skip: natsMissing, set };
}

export const natsCarriers: readonly Carrier[] = [
  carrier("core NATS", [], (prefix) => ({ prefix })),
  carrier("JetStream", ["held", "failed"], (prefix) => {
    return { prefix, jetStream: { stream: prefix, durable: "service" } };
  }),
];
