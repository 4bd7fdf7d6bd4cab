/**
 * The rows of NATS, over a real server that all tests of a file share: each test has subjects and
 * a stream of its own. Over core NATS the service sees what it is sent, over JetStream what the
 * stream has stored.
 */
import { jetstreamManager } from "@nats-io/jetstream";
import type { Msg, MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import { headers as natsHeaders } from "@nats-io/transport-node";
import { NatsServer, natsMissing } from "../../../test/support/nats-server.ts";
import { BINARY, TEXT } from "../../core/opcode.ts";
import { decodeAttribute, encodeAttribute } from "../cloudevents/attribute.ts";
import type { EventName } from "../delivery/event.ts";
import { readHeaders } from "../nats/headers.ts";
import { NatsUpstream } from "../nats/nats-upstream.ts";
import { encodeToken } from "../nats/subjects.ts";
import type { UpstreamCommand, UpstreamTarget } from "../upstream.ts";
import type { Carrier, ConnectReply, ReceivedEvent, ServiceSide } from "./carrier.test.helper.ts";

let shared: Promise<NatsServer> | undefined;
let prefixes = 0;

class NatsService implements ServiceSide {
  readonly events: ReceivedEvent[] = [];
  readonly prefix: string;
  answer: ServiceSide["answer"] = () => "taken";
  answerConnect: ServiceSide["answerConnect"] = () => ({});
  readonly server: NatsServer;
  readonly #isStored: boolean;
  #connection: NatsConnection;
  #isReachable = true;
  /** Of the stream. */
  #lastSeen = 0;

  private constructor(server: NatsServer, connection: NatsConnection, isStored: boolean) {
    prefixes += 1;
    this.prefix = `contract${prefixes}`;
    this.server = server;
    this.#connection = connection;
    this.#isStored = isStored;
  }

  static async start(isStored: boolean): Promise<NatsService> {
    shared ??= NatsServer.start({ jetStream: true });
    const server = await shared;
    const service = new NatsService(server, await server.connect(), isStored);
    await service.#subscribe();
    return service;
  }

  async refresh(): Promise<void> {
    if (!this.#isStored || !this.#isReachable) return;
    const { streams } = await jetstreamManager(this.#connection, { checkAPI: false });
    const { state } = await streams.info(this.prefix);
    while (this.#lastSeen < state.last_seq) {
      const message = await streams.getMessage(this.prefix, { seq: this.#lastSeen + 1 });
      if (message === null) throw new Error(`the stream has lost ${this.#lastSeen + 1}`);
      this.#lastSeen += 1;
      this.events.push(readEvent(message.header, message.data));
    }
  }

  async goAway(): Promise<void> {
    this.#isReachable = false;
    await this.#connection.close();
    await this.server.kill();
  }

  async comeBack(): Promise<void> {
    await this.server.restart();
    this.#connection = await this.server.connect();
    await this.#subscribe();
    this.#isReachable = true;
  }

  async freeze(): Promise<void> {
    this.#isReachable = false;
    await this.server.pause();
  }

  thaw(): void {
    this.server.resume();
    this.#isReachable = true;
  }

  push = async (command: UpstreamCommand): Promise<void> => {
    const { argument, bytes, excluded, opcode, pushId, target, verb } = command;
    const written = natsHeaders();
    if (pushId !== undefined) written.set("headgate-push-id", pushId);
    for (const id of excluded) written.append("headgate-excluded", id);
    if (verb === "send") written.set("content-type", opcode === TEXT ? "text/plain" : "image/png");
    else written.set("headgate-action", verb);
    const subject = `${this.prefix}.push.chat.${subjectOf(target)}`;
    const payload = verb === "send" ? bytes : argument;
    this.#connection.publish(subject, payload, { headers: written });
    await this.#connection.flush();
  };

  async stop(): Promise<void> {
    if (!this.#isReachable) {
      this.thaw();
      await this.goAway();
      await this.comeBack();
    }
    if (this.#isStored) {
      const { streams } = await jetstreamManager(this.#connection, { checkAPI: false });
      await streams.delete(this.prefix);
    }
    await this.#connection.close();
  }

  async #subscribe(): Promise<void> {
    const subject = `${this.prefix}.event.chat.${this.#isStored ? "connect" : ">"}`;
    this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) throw error;
        const event = readEvent(message.headers, message.data);
        this.events.push(event);
        if (event.kind === "connect") void this.#answer(event, message);
      },
    });
    await this.#connection.flush();
  }

  async #answer(event: ReceivedEvent, message: Msg): Promise<void> {
    const { body, headers } = writeReply(await this.answerConnect(event));
    message.respond(body, { headers });
  }
}

function subjectOf(target: UpstreamTarget): string {
  switch (target.kind) {
    case "connection":
      return `conn.${target.connectionId}`;
    case "user":
      return `user.${encodeToken(target.user)}`;
    case "group":
      return `group.${encodeToken(target.group)}`;
    case "all":
      return "all";
  }
}

function writeReply(reply: ConnectReply): { body: string; headers: MsgHdrs } {
  const headers = natsHeaders();
  if (reply === "failed") {
    headers.set("headgate-status", "500");
    return { body: "", headers };
  }
  if ("status" in reply) {
    headers.set("headgate-status", String(reply.status));
    headers.set("content-type", reply.contentType);
    return { body: reply.body, headers };
  }
  const { connectionState, ...fields } = reply;
  if (connectionState !== undefined) {
    headers.set("ce-connectionstate", encodeAttribute(connectionState));
  }
  return { body: JSON.stringify(fields), headers };
}

function readEvent(written: MsgHdrs | undefined, data: Uint8Array): ReceivedEvent {
  const headers = readHeaders({ headers: written }) ?? new Map<string, string[]>();
  const attribute = (name: string) => {
    const [value] = headers.get(`ce-${name}`) ?? [];
    return value === undefined ? undefined : decodeAttribute(value);
  };
  const kind = attribute("eventname") as EventName;
  const bytes = Buffer.from(data);
  const isText = headers.get("content-type")?.[0]?.startsWith("text/") ?? false;
  const isMessage = kind === "message";
  return {
    kind,
    id: kind === "connect" ? "" : (attribute("id") ?? ""),
    connectionId: attribute("connectionid") ?? "",
    number: Number(attribute("messagenumber") ?? 0),
    bytes: isMessage ? bytes : Buffer.alloc(0),
    opcode: isMessage ? (isText ? TEXT : BINARY) : undefined,
    user: attribute("userid"),
    subprotocol: attribute("subprotocol"),
    state: attribute("connectionstate"),
    end: kind === "disconnected" ? JSON.parse(bytes.toString()) : undefined,
    handshake: kind === "connect" ? JSON.parse(bytes.toString()) : undefined,
  };
}

/** Of the server, unless it is configured otherwise, with the headers of an event. */
const MAX_PAYLOAD = 1024 * 1024;
const HEADERS_BYTES = 2048;

const NO_VERDICTS = "NATS carries no answer of a service: it replies by pushes";

function natsCarrier(
  name: string,
  delivery: "at-most-once" | "at-least-once",
  lacks: Carrier["lacks"],
): Carrier {
  return {
    ...{ name, lacks, label: "nats", missing: natsMissing },
    payloadBytesMax: MAX_PAYLOAD - HEADERS_BYTES,
    payloadBytesTooMany: MAX_PAYLOAD,
    async start() {
      const service = await NatsService.start(delivery === "at-least-once");
      return {
        service,
        open({ limits, log, nonce, rules, sink }) {
          const { prefix } = service;
          const servers = [service.server.url];
          const settings = { kind: "nats" as const, servers, delivery, stream: prefix, prefix };
          const configuration = { ...rules, service: settings, limits };
          const random = () => 0.1;
          const options = { hub: "chat", nonce, configuration, sink, log, random };
          const upstream = new NatsUpstream(options);
          return { upstream, isUp: () => !upstream.counts().isDown };
        },
      };
    },
  };
}

export const natsCarriers: readonly Carrier[] = [
  natsCarrier("core NATS", "at-most-once", {
    waits: "core NATS has no acknowledgement: what was published is accepted",
    verdicts: NO_VERDICTS,
    keeps: "core NATS keeps nothing for a service that has not subscribed",
    measures: "core NATS answers nothing that could be timed",
  }),
  natsCarrier("JetStream", "at-least-once", { verdicts: NO_VERDICTS }),
];
