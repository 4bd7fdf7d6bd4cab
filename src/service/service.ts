/**
 * The SDK for services: one set of handlers that takes events over HTTP, links and NATS, and
 * pushes. It reads no configuration and writes no log; what goes wrong is told to `onError`.
 */
import type { Server } from "node:http";
import type { NatsConnection } from "@nats-io/transport-node";
import { HeadgateError } from "../core/error.ts";
import { type EventName, guardReport, Handlers, type HandlerTable } from "./handlers.ts";
import { ServiceEvents } from "./http/http-events.ts";
import {
  attachTo,
  expressHandler,
  fastifyPlugin,
  honoHandler,
  type NodeHandler,
  nodeHandler,
} from "./http/servers.ts";
import { ConnectionLines } from "./lines.ts";
import type { LinkLimits } from "./link/link.ts";
import { type LinkAddress, LinkListener, type ListeningAt } from "./link/link-listener.ts";
import type { NatsEvents } from "./nats/nats-events.ts";
import type { NatsOptions } from "./nats/nats-options.ts";
import { findUnknown } from "./option-names.ts";
import { Push, type PushCarrier } from "./push/push.ts";
import { RestPush } from "./push/rest-push.ts";

export { HeadgateError } from "../core/error.ts";
export type { ConnectAnswer, ConnectRequest } from "./connect-request.ts";
export { Refusal } from "./connect-request.ts";
export { Refuse, TryLater } from "./fault.ts";
export type { EventName, HandlerTable } from "./handlers.ts";
export type { ConnectedEvent, DisconnectedEvent } from "./lifecycle.ts";
export type { LinkAddress, ListeningAt } from "./link/link-listener.ts";
export type { Message } from "./message.ts";
export type { JetStreamOptions, NatsOptions } from "./nats/nats-options.ts";
export type { Payload, PayloadKind } from "./payload.ts";
export type {
  CloseOptions,
  Member,
  Push,
  PushOptions,
  PushResult,
  Target,
} from "./push/push.ts";

export interface ServiceOptions {
  /** The hub whose events these are; others are refused. */
  hub: string;
  /** The hub's `signingKeys`: with them, events that none of them signed are refused. */
  keys?: string | readonly string[];
  /** Push over REST, at the gateway's admin address. Otherwise over the links, or over NATS. */
  push?: { url: string; key?: string };
  /** Names of gateways whose consent is given to OPTIONS. Default: all. */
  origins?: readonly string[];
  /** Faults of peers, handlers that threw. Default: `process.emitWarning`. */
  onError?: (error: Error) => void;
  /** Of an HTTP request: raise it with the gateway's limits. Default: 1 MiB. */
  bodyBytesMax?: number;
  /** HTTP requests under way; further ones get 503. Default: 4,096. */
  requestsMax?: number;
  /** Credit for each link, its longest frame, and how many links there may be. */
  link?: { eventsMax?: number; bytesMax?: number; frameBytesMax?: number; linksMax?: number };
  /** How long `close` waits for handlers. Default: 10,000. */
  closeTimeoutMs?: number;
}

const OPTION_NAMES: Record<keyof ServiceOptions, true> = {
  ...{ hub: true, keys: true, push: true, origins: true, onError: true, bodyBytesMax: true },
  ...{ requestsMax: true, link: true, closeTimeoutMs: true },
};
const LINK_NAMES: Record<keyof Required<ServiceOptions>["link"], true> = {
  ...{ eventsMax: true, bytesMax: true, frameBytesMax: true, linksMax: true },
};
const PUSH_NAMES: Record<keyof Required<ServiceOptions>["push"], true> = { url: true, key: true };

const MEBIBYTE = 1 << 20;
const CALLS = { callsMax: 10_000, callTimeoutMs: 10_000 };
const LINK_LIMITS: LinkLimits = {
  ...{ eventsMax: 4096, bytesMax: 16 * MEBIBYTE, frameBytesMax: 16 * MEBIBYTE },
  ...{ linksMax: 1024, helloTimeoutMs: 10_000, silenceTimeoutMs: 10_000, ...CALLS },
};

/**
 * A service for one hub:
 *
 *     const service = createService({ hub: "chat" });
 *     service.on("connect", ({ query }) => ({ userId: query.name?.[0], groups: ["lobby"] }));
 *     service.on("message", (message) => message.reply(`you said: ${message.text()}`));
 *     await service.listenLink(7000);
 *
 * Throws a HeadgateError with the code HG_SERVICE_OPTIONS when an option makes no sense.
 */
export function createService(options: ServiceOptions): Service {
  return new Service(options);
}

export class Service {
  readonly push: Push;
  readonly #hub: string;
  readonly #keys: readonly string[];
  readonly #handlers: Handlers;
  readonly #lines = new ConnectionLines();
  readonly #http: ServiceEvents;
  readonly #links: LinkListener;
  readonly #rest: RestPush | undefined;
  readonly #closeTimeoutMs: number;
  #isLinked = false;
  #isOverNats = false;
  #nats: NatsEvents | undefined;
  #natsPush: PushCarrier | undefined;
  #closed: Promise<void> | undefined;
  /** All is over: handlers that were under way could still push until then. */
  #isOver = false;

  constructor(options: ServiceOptions) {
    const { hub } = options;
    const keys = typeof options.keys === "string" ? [options.keys] : [...(options.keys ?? [])];
    checkOptions(options, keys);
    this.#closeTimeoutMs = options.closeTimeoutMs ?? 10_000;
    const handlers = new Handlers(guardReport(options.onError));
    const lines = this.#lines;
    this.#hub = hub;
    this.#keys = keys;
    this.#handlers = handlers;
    const limits = {
      bodyBytesMax: options.bodyBytesMax ?? MEBIBYTE,
      requestsMax: options.requestsMax ?? 4096,
    };
    const origins = options.origins?.map((origin) => origin.toLowerCase());
    this.#http = new ServiceEvents({ hub, keys, origins, ...limits }, handlers, lines);
    const linkLimits = { ...LINK_LIMITS, ...options.link };
    this.#links = new LinkListener({ hub, keys, limits: linkLimits, handlers, lines });
    this.#rest =
      options.push === undefined ? undefined : new RestPush({ ...options.push, hub, ...CALLS });
    this.push = new Push(() => this.#carrier());
  }

  /**
   * One handler for each event. What it throws says what becomes of the event: `TryLater` has it
   * sent again, `Refuse` does not, and anything else has failed. The messages of one connection
   * are handled one at a time, in their order, those of different ones at the same time.
   */
  on<Name extends EventName>(name: Name, handler: HandlerTable[Name]): this {
    this.#handlers.set(name, handler);
    return this;
  }

  /** For `createServer` of node:http, whatever the path. */
  httpHandler(): NodeHandler {
    return nodeHandler(this.#http);
  }

  /** Takes events at this path of a server; its listeners so far have all other requests. */
  listenHttp(server: Server, path: string): this {
    attachTo(server, path, this.httpHandler());
    return this;
  }

  /** Before body parsers: `app.use("/events", service.express())`. */
  express(): ReturnType<typeof expressHandler> {
    return expressHandler(this.#http);
  }

  /** A plugin: `app.register(service.fastify("/events"))`. */
  fastify(path = "/"): ReturnType<typeof fastifyPlugin> {
    return fastifyPlugin(this.#http, path);
  }

  /** `app.all("/events", service.hono())`. */
  hono(): ReturnType<typeof honoHandler> {
    return honoHandler(this.#http);
  }

  /**
   * Where the gateway's workers dial: `service: link://127.0.0.1:7000`, or
   * `link+unix:///run/chat.sock` for a path. Rejects with HG_LISTEN_FAILED.
   */
  async listenLink(address: LinkAddress): Promise<ListeningAt> {
    if (this.#closed !== undefined) throw isClosed();
    const listening = await this.#links.listen(address);
    this.#isLinked = true;
    return listening;
  }

  /**
   * Takes events over a connection of `@nats-io/transport-node`, which is yours to make and to
   * close: `service: nats://…` in the gateway. Give the handlers before. Resolves when events
   * come; with JetStream it waits for the stream. Rejects where a consumer cannot be had.
   */
  async overNats(connection: NatsConnection, options: NatsOptions = {}): Promise<void> {
    if (this.#closed !== undefined) throw isClosed();
    if (this.#isOverNats) {
      const message = "This service is over NATS already; create another one for another server.";
      throw new HeadgateError("HG_SERVICE_OPTIONS", message);
    }
    this.#isOverNats = true;
    try {
      await this.#openNats(connection, options);
    } catch (error) {
      // What was wrong may be put right, and this be called again.
      this.#isOverNats = false;
      this.#nats = undefined;
      this.#natsPush = undefined;
      throw error;
    }
  }

  /** How many workers of the gateway have a link to this service now. */
  get linkCount(): number {
    return this.#links.linkCount;
  }

  /**
   * Finishes what it took, refuses the rest so that the gateway sends it again, and resolves when
   * that is done, after `closeTimeoutMs` at the latest. HTTP servers and the connection to NATS
   * are yours to close, then.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #openNats(connection: NatsConnection, options: NatsOptions): Promise<void> {
    // Only who uses NATS loads it.
    const { NatsEvents } = await import("./nats/nats-events.ts");
    const { NatsPush } = await import("./push/nats-push.ts");
    if (this.#closed !== undefined) throw isClosed();
    const [hub, keys, prefix] = [this.#hub, this.#keys, options.prefix ?? "headgate"];
    const common = { connection, hub, keys, handlers: this.#handlers, lines: this.#lines };
    const nats = new NatsEvents({ ...common, options });
    this.#nats = nats;
    this.#natsPush = new NatsPush({ connection, hub, prefix, ...CALLS });
    try {
      await nats.open();
    } catch (error) {
      await nats.close();
      throw error;
    }
  }

  async #close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#closeTimeoutMs);
    });
    await Promise.race([late, this.#leave()]);
    clearTimeout(timer);
    this.#isOver = true;
    this.#links.close();
    this.#rest?.close();
    this.#nats?.abandon();
  }

  async #leave(): Promise<void> {
    const nats = this.#nats?.close().catch((cause: unknown) => {
      const message = "The connection to NATS broke while the service closed.";
      this.#handlers.report(new HeadgateError("HG_NATS_CLOSED", message, { cause }));
    });
    await Promise.all([this.#http.close(), this.#links.leave(), nats]);
  }

  #carrier(): PushCarrier {
    if (this.#isOver) throw isClosed();
    if (this.#rest !== undefined) return this.#rest;
    if (this.#isLinked) return this.#links;
    if (this.#natsPush !== undefined) return this.#natsPush;
    throw new HeadgateError(
      "HG_PUSH_UNCONFIGURED",
      'This service has no way to push: set push: { url: "http://127.0.0.1:8001" }, the ' +
        "gateway's admin address, listen for links, or be over NATS.",
    );
  }
}

function isClosed(): HeadgateError {
  return new HeadgateError("HG_SERVICE_CLOSED", "This service is closed; create another one.");
}

function checkOptions(options: ServiceOptions, keys: readonly string[]): void {
  const wrong = (what: string) => {
    throw new HeadgateError("HG_SERVICE_OPTIONS", `createService: ${what}.`);
  };
  if (typeof options.hub !== "string" || options.hub === "") wrong("hub must be a hub's name");
  if (keys.some((key) => typeof key !== "string" || key === "")) wrong("a signing key is empty");
  const { bodyBytesMax, closeTimeoutMs, link = {}, push = {}, requestsMax } = options;
  const fault =
    findUnknown("", options, OPTION_NAMES) ??
    findUnknown("link.", link, LINK_NAMES) ??
    findUnknown("push.", push, PUSH_NAMES);
  if (fault !== undefined) wrong(fault);
  for (const [name, value] of Object.entries({
    ...{ bodyBytesMax, closeTimeoutMs, requestsMax },
    ...link,
  })) {
    if (value === undefined || (Number.isInteger(value) && value > 0 && value < 2 ** 31)) continue;
    wrong(`${name} is ${value}, and must be a whole number above 0`);
  }
}
