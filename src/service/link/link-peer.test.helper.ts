/** A gateway's worker for tests: it dials a service, and sends and keeps frames made by hand. */
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after } from "node:test";
import { Waiters } from "../../../test/support/waiters.ts";
import { FrameWriter } from "../../link/body.ts";
import { decodeServiceFrame } from "../../link/decode.ts";
import { writeFrame } from "../../link/encode.ts";
import { isFault } from "../../link/fault.ts";
import {
  CONNECT,
  type GatewayFrame,
  HELLO,
  type Hello,
  MESSAGE_BINARY,
  MESSAGE_TEXT,
  OPEN,
  type ServiceFrame,
  WELCOME,
} from "../../link/frame.ts";
import { FrameSplitter } from "../../link/splitter.ts";

const FRAME_BYTES_MAX = 1 << 24;
const running = new Set<Socket>();
after(() => {
  for (const socket of running) socket.destroy();
});

function payloadOf(payload: string | Uint8Array) {
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
  return { bytes, start: 0, end: bytes.length };
}

export function signHello(key: string, hub: string, nonce: string, seconds: number): string {
  const text = [seconds, "link", hub, nonce].join("\n");
  return `t=${seconds},v1=${createHmac("sha256", key).update(text).digest("hex")}`;
}

export class LinkPeer {
  readonly frames: ServiceFrame[] = [];
  readonly socket: Socket;
  isClosed = false;
  /** What is done with each frame beside keeping it. */
  onFrame: (frame: ServiceFrame) => void = () => {};
  readonly #splitter = new FrameSplitter(FRAME_BYTES_MAX);
  readonly #waiters = new Waiters();

  private constructor(socket: Socket) {
    this.socket = socket;
    running.add(socket);
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#receive(chunk));
    // A service that refuses us may reset what we still send.
    socket.on("error", () => this.#waiters.notify());
    socket.on("close", () => {
      running.delete(socket);
      this.isClosed = true;
      this.#waiters.notify();
    });
  }

  static async dial(port: number): Promise<LinkPeer> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new LinkPeer(socket);
  }

  /** Has said HELLO and was welcomed. */
  static async open(port: number, hello: Partial<Hello> = {}): Promise<LinkPeer> {
    const peer = await LinkPeer.dial(port);
    peer.hello(hello);
    await peer.frame(({ type }) => type === WELCOME);
    return peer;
  }

  hello(hello: Partial<Hello> = {}): void {
    const [nonce, signature] = ["AAAAAAAAAAA", ""];
    const names = { gateway: "gateway.example", hub: "chat", nonce, signature };
    this.send({ type: HELLO, version: 1, frameBytesMax: FRAME_BYTES_MAX, ...names, ...hello });
  }

  /** All of them in one write. */
  send(...frames: GatewayFrame[]): void {
    this.socket.write(encodeFrames(frames));
  }

  open(channel: number, connectionId: string, more: { userId?: string; state?: string } = {}) {
    const { state = "", userId = "" } = more;
    const named = { connectionId, userId, subprotocol: "", connectionState: state };
    this.send({ type: OPEN, channel, ...named });
  }

  message(channel: number, number: number, payload: string | Uint8Array): void {
    this.send(messageFrame(channel, number, payload));
  }

  connect(request: number, connectionId: string, body: object): void {
    const trace = { traceparent: "", tracestate: "" };
    const rest = { connectionId, ...trace, ...payloadOf(JSON.stringify(body)) };
    this.send({ type: CONNECT, request, timeMs: 1, ...rest });
  }

  /** The first one, past or to come, that is as `isIt` says. */
  async frame(isIt: (frame: ServiceFrame) => boolean, what = "a frame"): Promise<ServiceFrame> {
    await this.until(() => this.frames.some(isIt), what);
    return this.frames.find(isIt) as ServiceFrame;
  }

  of<Type extends ServiceFrame["type"]>(...types: Type[]): Extract<ServiceFrame, { type: Type }>[] {
    const found = this.frames.filter(({ type }) => (types as number[]).includes(type));
    return found as Extract<ServiceFrame, { type: Type }>[];
  }

  until(condition: () => boolean, what: string): Promise<void> {
    const types = () => this.frames.map(({ type }) => type.toString(16)).join();
    return this.#waiters.until(condition, () => `${what}; there were ${types()}`);
  }

  #receive(chunk: Buffer): void {
    const fault = this.#splitter.push(chunk, 0, chunk.length, (bytes, start, end) => {
      const frame = decodeServiceFrame(Uint8Array.from(bytes.subarray(start, end)), 0, end - start);
      if (isFault(frame)) return frame;
      this.frames.push(frame);
      this.onFrame(frame);
      return undefined;
    });
    if (fault !== undefined) throw new Error(fault.sentence);
    this.#waiters.notify();
  }
}

export function messageFrame(
  channel: number,
  number: number,
  payload: string | Uint8Array,
): GatewayFrame {
  const type = typeof payload === "string" ? MESSAGE_TEXT : MESSAGE_BINARY;
  return { type, channel, number, timeMs: 1_700_000_000_000 + number, ...payloadOf(payload) };
}

export function encodeFrames(frames: GatewayFrame[]): Uint8Array {
  const writer = new FrameWriter();
  for (const frame of frames) writeFrame(writer, frame);
  return writer.take();
}

export function textOf({ bytes, end, start }: { bytes: Uint8Array; start: number; end: number }) {
  return Buffer.from(bytes.subarray(start, end)).toString();
}
