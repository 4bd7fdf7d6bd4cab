/**
 * Where messages leave: one frame to one connection, under the marks of its write queue. A frame
 * whose payload stands in the arena goes out in place; others are copied there once.
 */
import type { GatewayLimits } from "../config/configuration.ts";
import { Outbox } from "../reactor/outbox.ts";
import type { Reactor } from "../reactor/reactor.ts";
import type { Block } from "../reactor/write-queue.ts";
import type { Deflation } from "../websocket/deflation.ts";
import { COMPRESSED, headerBytesOf, PING_FRAME, writeFrameHeader } from "../websocket/encode.ts";
import { OPCODE_PONG } from "../websocket/frame-header.ts";
import type { Departure } from "./departure.ts";
import type { Hub } from "./hub.ts";

/** What became of one message to one connection. */
export const SENT = 0;
export const DROPPED = 1;
/** Its queue was past the hard mark: it is to be closed as a slow consumer. */
export const TOO_SLOW = 2;
export type Outcome = typeof SENT | typeof DROPPED | typeof TOO_SLOW;

/** Longer frames are not copied into the arena. */
const ARENA_FRAME_BYTES_MAX = Outbox.BYTES >> 2;
/** Where the ping frame stands in the arena, for good. */
const PING_OFFSET = 0;
/** FIN and the opcode. */
const PONG_FIRST_BYTE = 0x80 | OPCODE_PONG;

/** A frame that any number of connections may be sent: in the arena until the next flush, or a
 * block. */
export interface Frame {
  offset: number;
  length: number;
  /** Of the payload alone, before it was compressed. */
  payloadLength: number;
  block: Block | undefined;
}

export class Delivery {
  messagesSent = 0;
  /** Of payload, before it was compressed. */
  bytesSent = 0;
  /** Messages that were dropped, by the policy for slow consumers. */
  readonly dropped = { "drop-newest": 0, "drop-oldest": 0 };
  readonly #reactor: Reactor;
  readonly #departure: Departure;
  readonly #softBytes: number;
  readonly #hardBytes: number;
  readonly #deflation: Deflation | undefined;
  readonly #deflateWindowBits: Uint8Array;

  constructor(
    reactor: Reactor,
    departure: Departure,
    limits: GatewayLimits,
    deflation: Deflation | undefined,
    deflateWindowBits: Uint8Array,
  ) {
    this.#deflation = deflation;
    this.#deflateWindowBits = deflateWindowBits;
    this.#reactor = reactor;
    this.#departure = departure;
    this.#softBytes = limits.writeQueueSoftBytes;
    this.#hardBytes = limits.writeQueueHardBytes;
    reactor.arena.set(PING_FRAME, PING_OFFSET);
  }

  /** Sends one message to one open connection. */
  deliver(
    hub: Hub,
    slot: number,
    opcode: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const outcome = this.#admit(hub, slot);
    if (outcome === TOO_SLOW) {
      this.#departure.disconnect(slot, "slow-consumer");
      return;
    }
    if (outcome === DROPPED) return;
    this.messagesSent += 1;
    this.bytesSent += length;
    if (this.#deflation !== undefined && this.#deflateWindowBits[slot] !== 0) {
      const frame = this.#deflate(this.#deflation, slot, opcode, bytes, offset, length);
      if (frame !== undefined) {
        this.#send(slot, frame);
        return;
      }
    }
    if (bytes === this.#reactor.arena) {
      // A client's header is at least four bytes longer than ours: ours fits in front.
      const headerBytes = headerBytesOf(length);
      writeFrameHeader(bytes, offset - headerBytes, opcode, length);
      this.#reactor.outbox.send(slot, offset - headerBytes, headerBytes + length);
      return;
    }
    this.#send(slot, this.encode(opcode, bytes, offset, length));
  }

  /** Afterwards frames of so many bytes together, headers included, can stand side by side. */
  makeRoom(bytes: number): void {
    this.#reactor.outbox.makeRoom(bytes);
  }

  /** Encodes a frame once; it holds until the next flush, or `encode` without room for both. */
  encode(
    opcode: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    payloadLength = length,
  ): Frame {
    const headerBytes = headerBytesOf(length);
    const frameBytes = headerBytes + length;
    const payload = bytes.subarray(offset, offset + length);
    if (frameBytes > ARENA_FRAME_BYTES_MAX) {
      const frame = new Uint8Array(frameBytes);
      writeFrameHeader(frame, 0, opcode, length);
      frame.set(payload, headerBytes);
      const block = { bytes: frame, references: 0, droppable: true };
      return { offset: 0, length: frameBytes, payloadLength, block };
    }
    const { arena, outbox } = this.#reactor;
    const at = outbox.reserve(frameBytes);
    writeFrameHeader(arena, at, opcode, length);
    arena.set(payload, at + headerBytes);
    return { offset: at, length: frameBytes, payloadLength, block: undefined };
  }

  /** Sends an encoded frame to one of many; whoever is TOO_SLOW is the caller's to close. */
  deliverFrame(hub: Hub, slot: number, frame: Frame): Outcome {
    const outcome = this.#admit(hub, slot);
    if (outcome !== SENT) return outcome;
    this.messagesSent += 1;
    this.bytesSent += frame.payloadLength;
    this.#send(slot, frame);
    return SENT;
  }

  ping(slot: number): void {
    this.#reactor.outbox.send(slot, PING_OFFSET, PING_FRAME.length);
  }

  /** A pong in place of the ping, whose header is longer. */
  pong(slot: number, bytes: Uint8Array, offset: number, length: number): void {
    const { arena, outbox } = this.#reactor;
    // RFC 6455, 5.5.3: the latest ping's answer stands for those of the earlier ones.
    outbox.dropFrame(slot, PONG_FIRST_BYTE);
    if (bytes === arena) {
      writeFrameHeader(arena, offset - 2, OPCODE_PONG, length);
      outbox.send(slot, offset - 2, 2 + length);
      return;
    }
    const frame = this.encode(OPCODE_PONG, bytes, offset, length);
    outbox.send(slot, frame.offset, frame.length);
  }

  /**
   * Whether so much waits for this client that nothing more is read from it: what it sends
   * would only add answers that it does not take.
   */
  isBackedUp(slot: number): boolean {
    return this.#reactor.outbox.queuedBytes(slot) > this.#softBytes;
  }

  /** Whether it has taken enough of that to be read again. */
  isRelieved(slot: number): boolean {
    return this.#reactor.outbox.queuedBytes(slot) <= this.#softBytes / 2;
  }

  /** The frame with the message deflated, or undefined where it goes plain. */
  #deflate(
    deflation: Deflation,
    slot: number,
    opcode: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Frame | undefined {
    // Now, and not when the frame is encoded: what is deflated has to stand until then.
    this.#reactor.outbox.makeRoom(Math.min(length, ARENA_FRAME_BYTES_MAX));
    const windowBits = this.#deflateWindowBits[slot] as number;
    if (!deflation.deflate(bytes, offset, length, windowBits)) return undefined;
    return this.encode(opcode | COMPRESSED, deflation.take(), 0, deflation.length);
  }

  #send(slot: number, frame: Frame): void {
    if (frame.block === undefined) this.#reactor.outbox.send(slot, frame.offset, frame.length);
    else this.#reactor.outbox.sendBlock(slot, frame.block);
  }

  /** The marks count what waits already, so that one large message harms no healthy client. */
  #admit(hub: Hub, slot: number): Outcome {
    const queuedBytes = this.#reactor.outbox.queuedBytes(slot);
    if (queuedBytes <= this.#softBytes) return SENT;
    if (queuedBytes > this.#hardBytes) return TOO_SLOW;
    switch (hub.configuration.slowConsumer) {
      case "drop-newest":
        this.dropped["drop-newest"] += 1;
        return DROPPED;
      case "drop-oldest":
        while (this.isBackedUp(slot) && this.#reactor.outbox.dropOldest(slot)) {
          this.dropped["drop-oldest"] += 1;
        }
        return SENT;
      case "keep":
        return SENT;
    }
  }
}
