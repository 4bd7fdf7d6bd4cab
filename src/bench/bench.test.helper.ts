/**
 * For the tests of the generator: one on the fake poller, in fake time, and a server at the other
 * end of its sockets that does what a test says.
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach } from "node:test";
import { FakeBinding } from "../../test/support/fake-poller.ts";
import type { FakeSocket } from "../../test/support/fake-socket.ts";
import { FakeTime } from "../../test/support/fake-time.ts";
import { headerBytesOf, writeFrameHeader } from "../websocket/encode.ts";
import { acceptKey } from "../websocket/handshake.ts";
import { Generator } from "./generator.ts";
import { type LatencyCounts, LatencyHistogram, type LatencySummary } from "./latency-histogram.ts";
import type { FromGenerator } from "./messages.ts";
import type { GeneratorOptions } from "./options.ts";
import { monotonicOffsetMs } from "./push-payload.ts";
import type { TallyCounts } from "./tally.ts";

const time = new FakeTime();
beforeEach(() => time.install());
afterEach(() => time.restore());

export interface ClientFrame {
  opcode: number;
  payload: Buffer;
}

export function serverFrame(opcode: number, payload: Uint8Array | string, fin = true): Buffer {
  const body = Buffer.from(payload);
  const headerBytes = headerBytesOf(body.length);
  const frame = Buffer.alloc(headerBytes + body.length);
  writeFrameHeader(frame, 0, opcode, body.length);
  if (!fin) frame[0] = opcode;
  frame.set(body, headerBytes);
  return frame;
}

/** The whole client frames at the start of `bytes`, and how long they are. */
export function decodeClientFrames(bytes: Buffer): { frames: ClientFrame[]; length: number } {
  const frames: ClientFrame[] = [];
  let at = 0;
  while (bytes.length >= at + 6) {
    const short = (bytes[at + 1] as number) & 127;
    assert.equal((bytes[at + 1] as number) & 128, 128, "a client masks");
    const extra = short < 126 ? 0 : short === 126 ? 2 : 8;
    let length = short;
    if (extra === 2) length = bytes.readUInt16BE(at + 2);
    if (extra === 8) length = Number(bytes.readBigUInt64BE(at + 2));
    const start = at + 6 + extra;
    if (bytes.length < start + length) break;
    const mask = bytes.subarray(start - 4, start);
    const payload = Buffer.from(bytes.subarray(start, start + length));
    for (const [index, byte] of payload.entries())
      payload[index] = byte ^ (mask[index % 4] as number);
    frames.push({ opcode: (bytes[at] as number) & 15, payload });
    at = start + length;
  }
  return { frames, length: at };
}

const defaults: GeneratorOptions = {
  mode: "echo",
  target: { address: "127.0.0.1", port: 9000, host: "bench.example:9000", path: "/a?b=c" },
  ...{ connections: 1, payloadBytes: 5, pipeline: 1, ratePerSecond: undefined },
  ...{ durationMs: 1000, warmupMs: 0, rampPerSecond: 1000, concurrency: 10, timeoutMs: 3000 },
  ...{ text: true, headers: [], sources: [""], index: 0, processes: 1, sendsItself: false },
};

export class BenchWorld {
  readonly time = time;
  readonly binding = new FakeBinding();
  readonly generator: Generator;
  readonly messages: FromGenerator[] = [];
  /** How handshakes are answered; the accept key stands in for `ACCEPT`. */
  response =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Accept: ACCEPT\r\n\r\n";
  /** What the server does with a frame; it sends it back unless a test says otherwise. */
  onFrame = (socket: FakeSocket, { opcode, payload }: ClientFrame): void => {
    socket.send(serverFrame(opcode, payload));
    if (opcode === 8) socket.finish();
  };
  readonly #read = new Map<FakeSocket, number>();

  constructor(options: Partial<GeneratorOptions> = {}) {
    const send = (message: FromGenerator) => this.messages.push(message);
    this.generator = new Generator(this.binding, { ...defaults, ...options }, send);
    this.generator.open();
  }

  get sockets(): FakeSocket[] {
    return this.binding.poller.dialled.map(({ socket }) => socket);
  }

  get isReady(): boolean {
    return this.messages.some(({ type }) => type === "ready");
  }

  /** The account that was given. */
  get result(): TallyCounts {
    const results = this.messages.flatMap((each) => (each.type === "result" ? [each.counts] : []));
    assert.equal(results.length, 1, "one account is given");
    return results[0] as TallyCounts;
  }

  get isOver(): boolean {
    return this.messages.some(({ type }) => type === "result");
  }

  /** Time passes, a millisecond at a time, with everything that happens in it. */
  advance(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1) {
      const untilMs = this.time.nowMs + 1;
      while (this.time.advanceToTimer(untilMs)) this.iterate();
      this.iterate();
    }
  }

  iterate(): void {
    for (const socket of this.sockets) this.#serve(socket);
    if (this.binding.poller.isReady) this.binding.poller.wake();
    this.time.runImmediates();
  }

  /** Opens the connections and begins. */
  run(): void {
    this.advance(100);
    assert.ok(this.isReady, "the connections are open");
    this.generator.run(this.time.nowMs + monotonicOffsetMs);
    // A timer of 0 ms takes 1, and a fraction of the clock's more.
    this.advance(2);
  }

  #serve(socket: FakeSocket): void {
    if (socket.isBroken) return;
    const read = this.#read.get(socket);
    if (read === undefined) {
      const head = socket.received.toString("latin1");
      const key = /\r\nSec-WebSocket-Key: (\S+)\r\n/.exec(head)?.[1];
      if (key === undefined || !head.includes("\r\n\r\n")) return;
      this.#read.set(socket, head.indexOf("\r\n\r\n") + 4);
      socket.send(this.response.replace("ACCEPT", acceptKey(key)));
      return;
    }
    const { frames, length } = decodeClientFrames(socket.received.subarray(read));
    this.#read.set(socket, read + length);
    for (const frame of frames) this.onFrame(socket, frame);
  }
}

export function summary(counts: LatencyCounts): LatencySummary {
  const histogram = new LatencyHistogram();
  histogram.add(counts);
  return histogram.summary();
}
