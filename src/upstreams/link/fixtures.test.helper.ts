/**
 * What the tests of this folder share: instances of a service made by hand, and the carrier over
 * a real reactor with a sink that records what it is told.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { after, afterEach } from "node:test";
import { RecordingLog } from "../../../test/support/recording-log.ts";
import { Waiters } from "../../../test/support/waiters.ts";
import type { HubLimits, LinkServiceConfiguration } from "../../config/configuration.ts";
import { Budget } from "../../core/budget.ts";
import { makeNonce } from "../../core/connection-id.ts";
import { TEXT } from "../../core/opcode.ts";
import { FrameWriter } from "../../link/body.ts";
import { decodeGatewayFrame } from "../../link/decode.ts";
import { writeFrame } from "../../link/encode.ts";
import { isFault } from "../../link/fault.ts";
import {
  ACKNOWLEDGE,
  CONNECTED,
  DISCONNECTED,
  type GatewayFrame,
  HELLO,
  MESSAGE_BINARY,
  MESSAGE_TEXT,
  OPEN,
  type Open,
  PING,
  PONG,
  type ServiceFrame,
  WELCOME,
} from "../../link/frame.ts";
import { FrameSplitter } from "../../link/splitter.ts";
import { loadBinding } from "../../reactor/binding.ts";
import { Reactor, type SlotEvents } from "../../reactor/reactor.ts";
import { RecordingSink, testLimits } from "../fixtures.test.helper.ts";
import { LinkUpstream, type LinkUpstreamOptions } from "./link-upstream.ts";

export interface TakenEvent {
  name: "connected" | "message" | "disconnected";
  connectionId: string;
  channel: number;
  number: number;
  text: string;
}

const running = new Set<Server>();
const upstreams = new Set<LinkUpstream>();
afterEach(async () => {
  for (const upstream of upstreams) await upstream.close(0);
  upstreams.clear();
  for (const server of running) server.close();
  running.clear();
});

/** The service's end of one link. */
export class ServiceLink {
  readonly frames: GatewayFrame[] = [];
  readonly opened = new Map<number, Open>();
  readonly socket: Socket;
  isClosed = false;

  constructor(instance: Instance, socket: Socket) {
    this.socket = socket;
    const splitter = new FrameSplitter(1 << 26);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => {
      this.isClosed = true;
      instance.waiters.notify();
    });
    socket.on("data", (chunk) => {
      splitter.push(chunk, 0, chunk.length, (bytes, start, end) => {
        // A copy: the frame outlives the chunk.
        const own = Buffer.from(bytes.subarray(start, end));
        const frame = decodeGatewayFrame(own, 0, own.length);
        assert(!isFault(frame), JSON.stringify(frame));
        this.frames.push(frame);
        if (frame.type === OPEN) this.opened.set(frame.channel, frame);
        instance.take(this, frame);
        return undefined;
      });
      instance.waiters.notify();
    });
  }

  send(...frames: ServiceFrame[]): void {
    const writer = new FrameWriter();
    for (const frame of frames) writeFrame(writer, frame);
    this.socket.write(writer.take());
  }

  of<Type extends GatewayFrame["type"]>(...types: Type[]) {
    return this.frames.filter((frame): frame is GatewayFrame & { type: Type } =>
      types.includes(frame.type as Type),
    );
  }
}

/** One instance: it welcomes, answers pings, and does with events what `respond` says. */
export class Instance {
  readonly links: ServiceLink[] = [];
  readonly events: TakenEvent[] = [];
  readonly waiters = new Waiters();
  welcome = { version: 1, eventsMax: 1000, bytesMax: 1 << 20, frameBytesMax: 1 << 20 };
  /** Acknowledges at once, unless a test does something else. */
  respond: (link: ServiceLink, event: TakenEvent) => void = (link, { channel }) => {
    link.send({ type: ACKNOWLEDGE, channel, events: 1 });
  };
  /** Of every frame, before it is dealt with; true: it is not. */
  intercept: (link: ServiceLink, frame: GatewayFrame) => boolean = () => false;
  #server: Server | undefined;
  #address: number | string = 0;

  static async start(address: number | string = 0): Promise<Instance> {
    const instance = new Instance();
    await instance.listen(address);
    return instance;
  }

  async listen(address = this.#address): Promise<void> {
    const server = createServer((socket) => this.links.push(new ServiceLink(this, socket)));
    running.add(server);
    if (typeof address === "string") server.listen(address);
    else server.listen(address, "127.0.0.1");
    await once(server, "listening");
    this.#server = server;
    this.#address = typeof address === "string" ? address : (server.address() as AddressInfo).port;
  }

  get url(): string {
    const address = this.#address;
    return typeof address === "string" ? `link+unix://${address}` : `link://127.0.0.1:${address}`;
  }

  get port(): number {
    return this.#address as number;
  }

  /** The newest. */
  get link(): ServiceLink {
    return this.links.at(-1) as ServiceLink;
  }

  /** As a process that dies. */
  die(): void {
    this.#server?.close();
    for (const { socket } of this.links) socket.destroy();
  }

  /** Of one connection, or all. */
  texts(connectionId?: string): string[] {
    return this.events
      .filter((event) => connectionId === undefined || event.connectionId === connectionId)
      .filter(({ name }) => name === "message")
      .map(({ text }) => text);
  }

  until(condition: () => boolean): Promise<void> {
    const seen = () =>
      `${condition}; ${JSON.stringify(this.events.slice(-5))}, ${this.links.length} links`;
    return this.waiters.until(condition, seen);
  }

  take(link: ServiceLink, frame: GatewayFrame): void {
    if (this.intercept(link, frame)) return;
    switch (frame.type) {
      case HELLO:
        link.send({ type: WELCOME, ...this.welcome });
        return;
      case PING:
        link.send({ type: PONG, token: frame.token });
        return;
      case CONNECTED:
      case DISCONNECTED:
      case MESSAGE_TEXT:
      case MESSAGE_BINARY: {
        const event = this.#eventOf(link, frame);
        this.events.push(event);
        this.respond(link, event);
      }
    }
  }

  #eventOf(link: ServiceLink, frame: GatewayFrame & { channel: number }): TakenEvent {
    const { channel } = frame;
    const connectionId = link.opened.get(channel)?.connectionId ?? "of no channel";
    const base = { connectionId, channel, number: 0 };
    if (frame.type === CONNECTED) return { name: "connected", ...base, text: "" };
    if (frame.type === DISCONNECTED) {
      return { name: "disconnected", ...base, text: `${frame.code} ${frame.reason}` };
    }
    assert(frame.type === MESSAGE_TEXT || frame.type === MESSAGE_BINARY);
    const text = Buffer.from(frame.bytes.subarray(frame.start, frame.end)).toString();
    return { name: "message", ...base, number: frame.number, text };
  }
}

/** Nothing is accepted by it: every slot is a link's own. */
const noEvents = new Proxy({} as SlotEvents, { get: () => () => {} });
/** One for all tests of a file. */
const reactor = new Reactor(loadBinding(), 1024, new Budget(1 << 30), noEvents);
reactor.start();
after(() => reactor.stop());

export interface Bench {
  sink: RecordingSink;
  log: RecordingLog;
  upstream: LinkUpstream;
  idOf(place: number): string;
  open(place: number): void;
  say(place: number, ...texts: string[]): void;
}

export interface BenchOptions {
  limits?: Partial<HubLimits>;
  more?: Partial<Omit<LinkUpstreamOptions["configuration"], "limits" | "service">>;
  resolve?: LinkUpstreamOptions["resolve"];
}

export function startBench(urls: string[], options: BenchOptions = {}): Bench {
  const sink = new RecordingSink();
  const log = new RecordingLog();
  const nonce = makeNonce();
  const service: LinkServiceConfiguration = { kind: "link", addresses: urls };
  const upstream = new LinkUpstream({
    ...{ hub: "chat", nonce, reactor, sink, log, random: () => 0.1 },
    ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
    configuration: {
      ...{ name: "gateway.example", signingKeys: [], lifecycleQueueMax: 1000 },
      ...{ connectionStateBytesMax: 64, nameBytesMax: 32, groupsPerConnectionMax: 4 },
      ...{ pushBytesMax: 1024, ...options.more, service },
      limits: { ...testLimits, ...options.limits },
    },
  });
  upstreams.add(upstream);
  const numbers = new Map<number, number>();
  const idOf = (place: number) => `${nonce}.${place}`;
  return {
    ...{ sink, log, upstream, idOf },
    open: (place) => sink.open(place, { connectionId: idOf(place) }),
    say(place, ...texts) {
      for (const text of texts) {
        const number = (numbers.get(place) ?? 0) + 1;
        numbers.set(place, number);
        const bytes = Buffer.from(text);
        upstream.message(place, number, TEXT, bytes, 0, bytes.length);
      }
    },
  };
}
