/**
 * What the tests of this folder share: a real service on a free port that records what it gets
 * and a sink that records what it is told.
 */
import assert from "node:assert/strict";
import type { IncomingHttpHeaders, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach } from "node:test";
import { RecordingLog } from "../../../test/support/recording-log.ts";
import type { HubLimits } from "../../config/configuration.ts";
import { TEXT } from "../../core/opcode.ts";
import { RecordingSink, testLimits } from "../fixtures.test.helper.ts";
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

/** Leaves the request open. */
export const hang: Respond = () => {};

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

  /** Of each connection, the texts in the order in which they came, redeliveries left out. */
  delivered(): Map<string, string[]> {
    const seen = new Set<string>();
    const result = new Map<string, string[]>();
    for (const { id, connectionId, text } of this.of("message")) {
      if (seen.has(id)) continue;
      seen.add(id);
      result.set(connectionId, [...(result.get(connectionId) ?? []), text]);
    }
    return result;
  }

  /** No text was sent under two ids, and no id carried two texts. */
  assertIdsHold(): void {
    const ids = new Map<string, string>();
    for (const { id, connectionId, text } of this.of("message")) {
      const key = `${connectionId} ${text}`;
      assert.equal(ids.get(key) ?? id, id, `${key} was sent with two ids`);
      ids.set(key, id);
    }
    assert.equal(new Set(ids.values()).size, ids.size);
  }
}

export interface Bench {
  service: TestService;
  sink: RecordingSink;
  log: RecordingLog;
  upstream: HttpUpstream;
  /** Sends text as the connection's next message. */
  say(place: number, text: string): void;
  stop(): Promise<void>;
}

/** Those that a test leaves running are stopped behind it. */
const running = new Set<Bench>();
afterEach(async () => {
  for (const bench of running) await bench.stop();
});

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
      batch: false,
      lifecycleQueueMax: 1000,
      connectionStateBytesMax: 64,
      nameBytesMax: 32,
      groupsPerConnectionMax: 4,
      ...configuration,
      limits: { ...testLimits, ...limits },
    },
  });
  const numbers = new Map<number, number>();
  const bench: Bench = {
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
      running.delete(bench);
      await upstream.close(0);
      await service.stop();
    },
  };
  running.add(bench);
  return bench;
}
