/**
 * A real service behind the gateway, on plain node:http: it records every event in the order in
 * which it came, and answers as the test says. It checks nothing itself.
 */
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Server, Socket } from "node:net";
import { after } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Waiters } from "./waiters.ts";

export interface ServiceEvent {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** The body as UTF-8, decoded when it is asked for. */
  readonly text: string;
  /** ce-eventname */
  name: string;
  id: string;
  connectionId: string;
  userId: string;
  connectionState: string;
  /** 0 where there is none. */
  messageNumber: number;
}

/** "never": the request stays open; "broken-off": the connection ends within the answer. */
export type ServiceAnswer =
  | { status?: number; headers?: Record<string, string>; body?: string | Uint8Array | object }
  | "never"
  | "broken-off"
  | undefined;

export type Answerer = (event: ServiceEvent) => ServiceAnswer | Promise<ServiceAnswer>;

const running = new Set<Server>();
after(() => {
  // They answer on while the gateway ends, which tells them who has left, and keep no file open.
  for (const server of running) server.unref();
});

export class HttpService {
  readonly events: ServiceEvent[] = [];
  /** Undefined is a 204. */
  answer: Answerer = () => undefined;
  port = 0;
  readonly #waiters = new Waiters();
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();

  static async start(answer: Answerer = () => undefined): Promise<HttpService> {
    const service = new HttpService();
    service.answer = answer;
    await service.listen();
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/events`;
  }

  /** On a free port the first time, and on that port again after `stop`. */
  async listen(): Promise<void> {
    const server = createServer((request, response) => void this.#serve(request, response));
    this.#server = server;
    running.add(server);
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    server.listen(this.port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || this.port === 0) throw error;
      // The kernel gave our port to an outgoing connection meanwhile; that one ends soon.
      await delay(20);
      await this.listen();
      return;
    }
    this.port = (server.address() as AddressInfo).port;
  }

  /** As a process that dies: what is under way is broken off, and nobody listens. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    running.delete(server);
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  of(name: string): ServiceEvent[] {
    return this.events.filter((event) => event.name === name);
  }

  /** The messages of one connection, redeliveries included. */
  messagesOf(connectionId: string): ServiceEvent[] {
    return this.of("message").filter((event) => event.connectionId === connectionId);
  }

  /** The first event, past or to come, that is as `isIt` says. */
  async event(isIt: (event: ServiceEvent) => boolean, what = "an event"): Promise<ServiceEvent> {
    await this.until(() => this.events.some(isIt), what);
    return this.events.find(isIt) as ServiceEvent;
  }

  until(condition: () => boolean, what: string, timeoutMs?: number): Promise<void> {
    return this.#waiters.until(condition, () => `${what}; ${this.#summary()}`, timeoutMs);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      // The gateway, or this service's end, broke the request off: it was never received.
      return;
    }
    const event = readEvent(request, Buffer.concat(chunks));
    this.events.push(event);
    this.#waiters.notify();
    const answer = await this.answer(event);
    if (!response.destroyed) writeAnswer(response, answer);
  }

  #summary(): string {
    const last = this.events.slice(-5).map(({ name, id, text }) => `${name} ${id} ${text}`);
    return `${this.events.length} events came, the last of them: ${last.join(" | ")}`;
  }
}

function readEvent(request: IncomingMessage, body: Buffer): ServiceEvent {
  const { method = "", url = "", headers } = request;
  const attribute = (name: string) => decodeURIComponent(String(headers[`ce-${name}`] ?? ""));
  return {
    ...{ method, url, headers, body },
    get text() {
      return body.toString();
    },
    name: attribute("eventname"),
    id: attribute("id"),
    connectionId: attribute("connectionid"),
    userId: attribute("userid"),
    connectionState: attribute("connectionstate"),
    messageNumber: Number(headers["ce-messagenumber"] ?? 0),
  };
}

function writeAnswer(response: ServerResponse, answer: ServiceAnswer): void {
  if (answer === "never") return;
  if (answer === "broken-off") {
    response.writeHead(200, { "content-type": "text/plain", "content-length": 100 });
    response.write("the first half", () => response.destroy());
    return;
  }
  const { status, headers = {}, body } = answer ?? {};
  const isObject = typeof body === "object" && !(body instanceof Uint8Array);
  const type = isObject ? { "content-type": "application/json" } : {};
  response.writeHead(status ?? (body === undefined ? 204 : 200), { ...type, ...headers });
  response.end(isObject ? JSON.stringify(body) : body);
}
