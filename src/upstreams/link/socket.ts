/**
 * One socket to an instance of a service, over the worker's own reactor: it dials, splits what
 * comes into frames, puts frames out, and knows whether anything comes at all. What frames mean
 * is link.ts's.
 */
import { constants } from "node:os";
import { FrameWriter } from "../../link/body.ts";
import { decodeServiceFrame } from "../../link/decode.ts";
import { MESSAGE_HEADER_BYTES, writeFrame, writeMessageHeader } from "../../link/encode.ts";
import type { LinkFault } from "../../link/fault.ts";
import { isFault } from "../../link/fault.ts";
import type { GatewayFrame, ServiceFrame } from "../../link/frame.ts";
import { FrameSplitter } from "../../link/splitter.ts";
import type { Reactor, SocketEvents } from "../../reactor/reactor.ts";
import { ticksOf } from "../../reactor/ticks.ts";
import type { Address } from "./address.ts";

/** What a larger frame is written from: memory of its own, and not the outbox'. */
const OUTBOX_FRAME_BYTES_MAX = 256 << 10;
const SECOND_TICKS = ticksOf(1000);

export type LinkReactor = Pick<
  Reactor,
  "arena" | "close" | "dial" | "outbox" | "pause" | "resume" | "setDeadline" | "slots" | "tick"
>;

export interface LinkSocketEvents {
  connected(): void;
  /** Bytes of the frame are valid until this returns; a fault ends the socket. */
  frame(frame: ServiceFrame): LinkFault | undefined;
  /** Behind the frames of one read. */
  read(): void;
  /** Once a second while it is connected. */
  second(): void;
  /** The peer closed it: what `lost` is told as the cause. */
  ended(): string;
  /** It is of no more use, by a fault of the peer or not; never behind `close`. */
  lost(cause: string, fault: LinkFault | undefined): void;
}

export interface LinkSocketOptions {
  reactor: LinkReactor;
  address: Address;
  connectTimeoutMs: number;
  frameBytesMax: number;
}

export class LinkSocket implements SocketEvents {
  readonly #reactor: LinkReactor;
  readonly #events: LinkSocketEvents;
  readonly #splitter: FrameSplitter;
  readonly #writer = new FrameWriter();
  readonly #slot: number;
  #isConnected = false;
  #isClosed = false;
  #isPaused = false;
  /** Something came since this was last asked. */
  #isHeard = true;

  /** Throws a sentence where there is no dialling at all: no descriptor, no such socket. */
  constructor({ reactor, address, ...options }: LinkSocketOptions, events: LinkSocketEvents) {
    this.#reactor = reactor;
    this.#events = events;
    this.#splitter = new FrameSplitter(options.frameBytesMax);
    const { host, port } = address;
    this.#slot = reactor.dial(host, port, "", this);
    if (this.#slot < 0) throw new Error(describeErrno(-this.#slot));
    reactor.setDeadline(this.#slot, reactor.tick + ticksOf(options.connectTimeoutMs));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether anything came since the last call; who is not read is not blamed. */
  takeHeard(): boolean {
    const heard = this.#isHeard || this.#isPaused;
    this.#isHeard = false;
    return heard;
  }

  /** Bytes that the peer has not taken. */
  get queuedBytes(): number {
    return this.#isClosed ? 0 : this.#reactor.outbox.queuedBytes(this.#slot);
  }

  /** For how many ticks the peer has taken nothing of what waits for it. */
  get stalledTicks(): number {
    const { outbox, tick } = this.#reactor;
    return this.queuedBytes === 0 ? 0 : tick - outbox.progressTick(this.#slot);
  }

  send(frame: GatewayFrame): void {
    if (this.#isClosed) return;
    writeFrame(this.#writer, frame);
    const bytes = this.#writer.take();
    const at = this.#reserve(bytes.length);
    if (at < 0) {
      this.#sendBlock(bytes);
      return;
    }
    this.#reactor.arena.set(bytes, at);
    this.#reactor.outbox.send(this.#slot, at, bytes.length);
  }

  sendMessage(
    channel: number,
    number: number,
    opcode: number,
    timeMs: number,
    body: Uint8Array,
  ): void {
    if (this.#isClosed) return;
    const length = MESSAGE_HEADER_BYTES + body.length;
    const at = this.#reserve(length);
    const { arena, outbox } = this.#reactor;
    const bytes = at < 0 ? new Uint8Array(length) : arena;
    const start = Math.max(at, 0);
    writeMessageHeader(bytes, start, opcode, channel, number, timeMs, body.length);
    bytes.set(body, start + MESSAGE_HEADER_BYTES);
    if (at < 0) this.#sendBlock(bytes);
    else outbox.send(this.#slot, at, length);
  }

  /** Nothing more is read until `resume`. */
  pause(): void {
    if (this.#isClosed) return;
    this.#isPaused = true;
    this.#reactor.pause(this.#slot);
  }

  resume(): void {
    if (this.#isClosed) return;
    this.#isPaused = false;
    // Its silence begins now.
    this.#isHeard = true;
    this.#reactor.resume(this.#slot);
  }

  /** At once, or behind what is owed; nothing is told of it any more. */
  close(isOrderly: boolean): void {
    if (this.#isClosed) return;
    if (isOrderly) this.#reactor.outbox.flush();
    this.#isClosed = true;
    this.#reactor.close(this.#slot, false);
  }

  connected(slot: number): void {
    this.#isConnected = true;
    this.#reactor.setDeadline(slot, this.#reactor.tick + SECOND_TICKS);
    this.#events.connected();
  }

  received(_slot: number, offset: number, end: number): void {
    this.#isHeard = true;
    const fault = this.#splitter.push(this.#reactor.arena, offset, end, this.#visit);
    if (fault !== undefined) this.#lose(`${fault.fault}: ${fault.sentence}`, fault);
    else this.#events.read();
  }

  ended(): void {
    this.#lose(this.#events.ended(), undefined);
  }

  broke(_slot: number, errno: number): void {
    this.#lose(describeErrno(errno), undefined);
  }

  /** What it sent before can still be read, and behind it its end. */
  unwritable(): void {}

  hungUp(slot: number): void {
    this.#reactor.resume(slot);
  }

  queued(): void {}

  drained(): void {}

  tookUp(): void {}

  expired(slot: number): void {
    if (!this.#isConnected) {
      this.#lose("no connection came about in time", undefined);
      return;
    }
    this.#reactor.setDeadline(slot, this.#reactor.tick + SECOND_TICKS);
    this.#events.second();
  }

  /** Whoever finds it dead from outside. */
  giveUp(cause: string): void {
    this.#lose(cause, undefined);
  }

  readonly #visit = (bytes: Uint8Array, start: number, end: number): LinkFault | undefined => {
    // An earlier frame of the same read may have led to its end.
    if (this.#isClosed) return undefined;
    const frame = decodeServiceFrame(bytes, start, end);
    return isFault(frame) ? frame : this.#events.frame(frame);
  };

  /** -1 for a frame that is too large for the outbox, or where the socket is gone by then. */
  #reserve(length: number): number {
    return length > OUTBOX_FRAME_BYTES_MAX ? -1 : this.#reactor.outbox.reserve(length);
  }

  #sendBlock(bytes: Uint8Array): void {
    this.#reactor.outbox.sendBlock(this.#slot, { bytes, references: 0, droppable: false });
  }

  #lose(cause: string, fault: LinkFault | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reactor.close(this.#slot, fault !== undefined);
    this.#events.lost(cause, fault);
  }
}

const names = new Map(Object.entries(constants.errno).map(([name, errno]) => [errno, name]));

function describeErrno(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}
