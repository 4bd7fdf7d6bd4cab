/**
 * What the tests of this folder share: a real service on a free port that records what it gets,
 * a sink that records what it is told, and a log that keeps its lines.
 */
import type { IncomingHttpHeaders, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { HubLimits } from "../../config/configuration.ts";
import type { Log } from "../../core/log.ts";
import type { MessageOpcode } from "../../core/opcode.ts";
import { TEXT } from "../../core/opcode.ts";
import type { ConnectionFacts, UpstreamSink } from "../upstream.ts";
import type { HttpUpstreamConfiguration } from "./http-upstream.ts";
import { HttpUpstream } from "./http-upstream.ts";

export interface ReceivedRequest {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  event: string;
  id: string;
  connectionId: string;
  text: string;
}

export type Respond = (request: ReceivedRequest, response: ServerResponse) => void;

/** Waits for a condition, and names it when it does not come true. */
export async function until(condition: () => boolean, what = condition.toString()): Promise<void> {
  const endMs = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > endMs) throw new Error(`never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export class TestService {
  readonly requests: ReceivedRequest[] = [];
  respond: Respond = (_request, response) => void response.writeHead(204).end();
  inflight = 0;
  inflightMax = 0;
  connectionsOpened = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#server = createServer((incoming, response) => {
      this.inflight += 1;
      this.inflightMax = Math.max(this.inflightMax, this.inflight);
      response.on("close", () => {
        this.inflight -= 1;
      });
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        const body = Buffer.concat(chunks);
        const { headers } = incoming;
        const request = {
          method: incoming.method ?? "",
          url: incoming.url ?? "",
          headers,
          body,
          event: String(headers["ce-eventname"]),
          id: String(headers["ce-id"]),
          connectionId: String(headers["ce-connectionid"]),
          text: body.toString(),
        };
        this.requests.push(request);
        this.respond(request, response);
      });
    });
    this.#server.on("connection", (socket) => {
      this.connectionsOpened += 1;
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  listen(port = 0): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", resolve);
    });
  }

  /** As a process that dies: whatever is open is broken off. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  of(event: string): ReceivedRequest[] {
    return this.requests.filter((request) => request.event === event);
  }
}

export type SinkCall =
  | { call: "reply"; place: number; opcode: MessageOpcode; text: string }
  | { call: "state"; place: number; connectionState: string | undefined }
  | { call: "acknowledged"; place: number; messages: number; bytes: number }
  | { call: "fail"; place: number; reason: string };

export class RecordingSink implements UpstreamSink {
  readonly calls: SinkCall[] = [];
  readonly known = new Map<number, ConnectionFacts>();
  failed: (place: number) => void = () => {};
  acknowledgedHook: (place: number) => void = () => {};

  open(place: number, facts: Partial<ConnectionFacts> = {}): void {
    this.known.set(place, {
      connectionId: `connection.${place}`,
      userId: undefined,
      subprotocol: undefined,
      connectionState: undefined,
      ...facts,
    });
  }

  facts(place: number): ConnectionFacts {
    const facts = this.known.get(place);
    if (facts === undefined) throw new Error(`place ${place} is not known`);
    return facts;
  }

  reply(
    place: number,
    opcode: MessageOpcode,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const text = Buffer.from(bytes.subarray(offset, offset + length)).toString("latin1");
    this.calls.push({ call: "reply", place, opcode, text });
  }

  setConnectionState(place: number, connectionState: string | undefined): void {
    this.calls.push({ call: "state", place, connectionState });
    this.facts(place).connectionState = connectionState;
  }

  acknowledged(place: number, messages: number, bytes: number): void {
    this.calls.push({ call: "acknowledged", place, messages, bytes });
    this.acknowledgedHook(place);
  }

  fail(place: number, reason: string): void {
    this.calls.push({ call: "fail", place, reason });
    this.failed(place);
  }

  count(call: SinkCall["call"], place?: number): number {
    return this.calls.filter((one) => {
      return one.call === call && (place === undefined || one.place === place);
    }).length;
  }
}

export class RecordingLog implements Log {
  readonly lines: { level: string; fields: Record<string, unknown>; sentence: string }[] = [];

  debug(fields: object, sentence: string): void {
    this.lines.push({ level: "debug", fields: { ...fields }, sentence });
  }
  info(fields: object, sentence: string): void {
    this.lines.push({ level: "info", fields: { ...fields }, sentence });
  }
  warn(fields: object, sentence: string): void {
    this.lines.push({ level: "warn", fields: { ...fields }, sentence });
  }
  error(fields: object, sentence: string): void {
    this.lines.push({ level: "error", fields: { ...fields }, sentence });
  }

  has(level: string, part: string): boolean {
    return this.lines.some((line) => {
      return line.level === level && JSON.stringify(line).includes(part);
    });
  }
}

export const testLimits: HubLimits = {
  messageBytesMax: 131_072,
  unacknowledgedMessagesMax: 64,
  unacknowledgedBytesMax: 1_048_576,
  holdTimeoutMs: 30_000,
  lifetimeMs: 0,
  serviceConnectTimeoutMs: 2000,
  serviceTimeoutMs: 10_000,
  serviceResponseBytesMax: 1_048_576,
  serviceInflightMax: 256,
  serviceConnectionAgeMs: 60_000,
};

export interface Bench {
  service: TestService;
  sink: RecordingSink;
  log: RecordingLog;
  upstream: HttpUpstream;
  /** Sends text as the connection's next message. */
  say(place: number, text: string): void;
  stop(): Promise<void>;
}

export type BenchOptions = Partial<Omit<HttpUpstreamConfiguration, "limits">> & {
  limits?: Partial<HubLimits>;
  random?: () => number;
};

export async function startBench(options: BenchOptions = {}): Promise<Bench> {
  const { limits, random, ...configuration } = options;
  const service = new TestService();
  await service.listen();
  const sink = new RecordingSink();
  const log = new RecordingLog();
  const upstream = new HttpUpstream({
    hub: "chat",
    sink,
    log,
    random: random ?? (() => 0.1),
    configuration: {
      url: `http://127.0.0.1:${service.port}/events?code=secret`,
      name: "gateway.example",
      signingKeys: [],
      consent: false,
      lifecycleQueueMax: 1000,
      connectionStateBytesMax: 64,
      nameBytesMax: 32,
      groupsPerConnectionMax: 4,
      ...configuration,
      limits: { ...testLimits, ...limits },
    },
  });
  const numbers = new Map<number, number>();
  return {
    service,
    sink,
    log,
    upstream,
    say(place, text) {
      const number = (numbers.get(place) ?? 0) + 1;
      numbers.set(place, number);
      const bytes = Buffer.from(`..${text}..`);
      upstream.message(place, number, TEXT, bytes, 2, bytes.length - 4);
      // They are valid only until message() returns.
      bytes.fill(0);
    },
    async stop() {
      await upstream.close(0);
      await service.stop();
    },
  };
}
