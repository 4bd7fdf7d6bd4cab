/**
 * What the tests of this folder share: a real server, a service on it that records what it gets,
 * and the carrier with a sink that records what it is told.
 */
import { afterEach } from "node:test";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { headers } from "@nats-io/transport-node";
import { NatsServer, type NatsServerOptions } from "../../../test/support/nats-server.ts";
import { RecordingLog } from "../../../test/support/recording-log.ts";
import { until } from "../../../test/support/until.ts";
import type { HubLimits, NatsServiceConfiguration } from "../../config/configuration.ts";
import { makeNonce } from "../../core/connection-id.ts";
import { TEXT } from "../../core/opcode.ts";
import { RecordingSink, testLimits } from "../fixtures.test.helper.ts";
import { type ReceivedHeaders, readHeaders } from "./headers.ts";
import type { NatsUpstreamConfiguration } from "./nats-upstream.ts";
import { NatsUpstream } from "./nats-upstream.ts";

export interface ReceivedEvent {
  subject: string;
  event: string;
  id: string;
  connectionId: string;
  text: string;
  headers: ReceivedHeaders;
  message: Msg;
}

/** A service that subscribes to everything of a hub, as one process with one subscription. */
export class NatsService {
  readonly events: ReceivedEvent[] = [];
  respond: (event: ReceivedEvent) => void = ({ event, message }) => {
    if (event === "connect") message.respond();
  };
  readonly connection: NatsConnection;

  private constructor(connection: NatsConnection) {
    this.connection = connection;
    connection.subscribe("headgate.event.chat.>", {
      callback: (error, message) => {
        if (error !== null) throw error;
        const read = readHeaders(message) ?? new Map<string, string[]>();
        const attribute = (name: string) => read.get(name)?.[0] ?? "";
        const event = {
          subject: message.subject,
          event: attribute("ce-eventname"),
          id: attribute("ce-id"),
          connectionId: attribute("ce-connectionid"),
          text: message.string(),
          headers: read,
          message,
        };
        this.events.push(event);
        this.respond(event);
      },
    });
  }

  static async start(server: NatsServer): Promise<NatsService> {
    const service = new NatsService(await server.connect());
    await service.connection.flush();
    return service;
  }

  of(event: string): ReceivedEvent[] {
    return this.events.filter((each) => each.event === event);
  }

  texts(): string[] {
    return this.of("message").map(({ text }) => text);
  }

  push(subject: string, payload: string | Uint8Array, fields: Record<string, string> = {}): void {
    const written = headers();
    for (const [name, value] of Object.entries(fields)) written.set(name, value);
    this.connection.publish(`headgate.push.chat.${subject}`, payload, { headers: written });
  }
}

export interface Bench {
  server: NatsServer;
  sink: RecordingSink;
  log: RecordingLog;
  upstream: NatsUpstream;
  nonce: string;
  /** The id of the connection at that place. */
  idOf(place: number): string;
  open(place: number): void;
  say(place: number, text: string): void;
  untilReady(): Promise<void>;
}

export interface BenchOptions {
  server?: NatsServerOptions | NatsServer;
  service?: Partial<NatsServiceConfiguration>;
  limits?: Partial<HubLimits>;
  more?: Partial<Omit<NatsUpstreamConfiguration, "service" | "limits">>;
}

/** Those that a test leaves running are stopped behind it. */
const running = new Set<NatsUpstream>();
afterEach(async () => {
  for (const upstream of running) await upstream.close(0);
  running.clear();
});

export async function startBench(options: BenchOptions = {}): Promise<Bench> {
  const jetStream = options.service?.delivery === "at-least-once";
  const server =
    options.server instanceof NatsServer
      ? options.server
      : await NatsServer.start({ jetStream, ...options.server });
  const sink = new RecordingSink();
  const log = new RecordingLog();
  const nonce = makeNonce();
  const upstream = new NatsUpstream({
    hub: "chat",
    nonce,
    sink,
    log,
    random: () => 0.1,
    configuration: {
      name: "gateway.example",
      signingKeys: [],
      lifecycleQueueMax: 1000,
      connectionStateBytesMax: 64,
      nameBytesMax: 32,
      groupsPerConnectionMax: 4,
      pushBytesMax: 1024,
      ...options.more,
      service: {
        kind: "nats",
        servers: [server.url],
        delivery: "at-most-once",
        stream: "headgate",
        prefix: "headgate",
        ...options.service,
      },
      limits: { ...testLimits, ...options.limits },
    },
  });
  running.add(upstream);
  const numbers = new Map<number, number>();
  const idOf = (place: number) => `${nonce}.${place}`;
  return {
    ...{ server, sink, log, upstream, nonce, idOf },
    open: (place) => sink.open(place, { connectionId: idOf(place) }),
    say(place, text) {
      const number = (numbers.get(place) ?? 0) + 1;
      numbers.set(place, number);
      const bytes = Buffer.from(`..${text}..`);
      upstream.message(place, number, TEXT, bytes, 2, bytes.length - 4);
      // They are valid only until message() returns.
      bytes.fill(0);
    },
    untilReady: () => until(() => !upstream.counts().isDown, "connected to NATS"),
  };
}
