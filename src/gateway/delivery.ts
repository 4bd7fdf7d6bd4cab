/**
 * Where messages leave: one frame to one connection, under the marks of its write queue. A frame
 * whose payload stands in the arena goes out in place; others are copied there once.
 */
import type { GatewayLimits } from "../config/configuration.ts";
import { Outbox } from "../reactor/outbox.ts";
import type { Reactor } from "../reactor/reactor.ts";
import type { Block } from "../reactor/write-queue.ts";
import type { Deflation } from "../websocket/deflation.ts";
import {
  COMPRESSED,
  HEADER_BYTES_MAX,
  headerBytesOf,
  PING_FRAME,
  writeFrameHeader,
} from "../websocket/encode.ts";
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

/** A message to many, which is encoded again when the arena was needed for something else. */
export interface Message {
  opcode: number;
  bytes: Uint8Array;
  /** Before it was compressed. */
  payloadLength: number;
  /** Once it was too long for the arena: it stays, and all receivers share it. */
  blockFrame: Frame | undefined;
}

/** Frames that go together to each of many: side by side in the arena, or one that is a block. */
export interface Frames {
  each: Frame[];
  offset: number;
  length: number;
  payloadLength: number;
  isBlock: boolean;
}

/** A message whose bytes an answer may go out with; a Receiver is one. */
export interface Received {
  readonly payload: Uint8Array;
  /** Its header may be written in front of the payload. */
  readonly hasRoom: boolean;
  /** Where it does not stand in the arena: keeps the bytes until what is returned is called. */
  keepPayload(): () => void;
}

export class Delivery {
  /** The message that is being handed to its service. */
  received: Received | undefined = undefined;
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
    const { received } = this;
    if (received?.hasRoom === true && received.payload === bytes) {
      this.#sendInPlace(slot, opcode, received, offset, length);
    } else this.#send(slot, this.encode(opcode, bytes, offset, length));
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

  /** Encodes frames side by side, once for many; they hold as long as one would. */
  encodeAll(messages: Message[]): Frames {
    const { outbox } = this.#reactor;
    // One of them alone may go beside the arena; several have to stand there together.
    if (messages.length > 1) {
      outbox.makeRoom(sumOf(messages, ({ bytes }) => HEADER_BYTES_MAX + bytes.length));
    }
    const each = messages.map((message) => {
      const { opcode, bytes, payloadLength } = message;
      if (message.blockFrame !== undefined) return message.blockFrame;
      const frame = this.encode(opcode, bytes, 0, bytes.length, payloadLength);
      if (frame.block !== undefined) message.blockFrame = frame;
      return frame;
    });
    const [{ offset, block }] = each as [Frame];
    const lengths = each.map(({ length }) => length);
    if (each.length > 1) outbox.joinFrames(offset, lengths);
    const length = sumOf(lengths, (frameBytes) => frameBytes);
    const payloadLength = sumOf(each, (frame) => frame.payloadLength);
    return { each, offset, length, payloadLength, isBlock: block !== undefined };
  }

  /** Sends them to one of many, uncounted; false where that has to be done one by one. */
  deliverAll(slot: number, frames: Frames): boolean {
    const { outbox, slots } = this.#reactor;
    // Nothing waits for it then, and nothing of the socket is out of order.
    if (frames.isBlock || slots.flags[slot] !== 0) return false;
    outbox.send(slot, frames.offset, frames.length);
    return true;
  }

  /** So many were sent them by `deliverAll`. */
  countSent(receivers: number, frames: Frames): void {
    this.messagesSent += receivers * frames.each.length;
    this.bytesSent += receivers * frames.payloadLength;
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

  /** An answer with the very bytes that came goes out where they stand. */
  #sendInPlace(
    slot: number,
    opcode: number,
    received: Received,
    offset: number,
    length: number,
  ): void {
    const { arena, outbox } = this.#reactor;
    const bytes = received.payload;
    const start = offset - headerBytesOf(length);
    writeFrameHeader(bytes, start, opcode, length);
    if (bytes === arena) {
      outbox.send(slot, start, offset + length - start);
      return;
    }
    const frame = bytes.subarray(start, offset + length);
    const block: Block = { bytes: frame, references: 0, droppable: true };
    outbox.sendBlock(slot, block);
    if (block.references > 0) block.released = received.keepPayload();
  }

  #send(slot: number, frame: Frame): void {
    if (frame.block === undefined) this.#reactor.outbox.send(slot, frame.offset, frame.length);
    else this.#reactor.outbox.sendBlock(slot, frame.block);
  }

  /** The marks count what waits already, so that one large message harms no healthy client. */
  #admit(hub: Hub, slot: number): Outcome {
    const { outbox } = this.#reactor;
    if (outbox.queuedBytes(slot) <= this.#softBytes) return SENT;
    const { slowConsumer } = hub.configuration;
    // Before the hard mark is looked at: a burst that one flush sends may have passed both.
    while (slowConsumer === "drop-oldest" && this.isBackedUp(slot) && outbox.dropOldest(slot)) {
      this.dropped["drop-oldest"] += 1;
    }
    if (outbox.queuedBytes(slot) > this.#hardBytes) return TOO_SLOW;
    if (slowConsumer !== "drop-newest") return SENT;
    this.dropped["drop-newest"] += 1;
    return DROPPED;
  }
}

function sumOf<Item>(items: readonly Item[], read: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + read(item), 0);
}
