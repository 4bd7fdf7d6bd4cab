/**
 * For tests: an `Unmask` in plain TypeScript in the place of the C one, a client's encoder of
 * frames, right or wrong, and a stand-in for the gateway that feeds a receiver in pieces and
 * checks after every step what must always hold.
 */
import assert from "node:assert/strict";
import { ZlibCodec } from "./codec.test.helper.ts";
import { Inflation } from "./inflation.ts";
import {
  CLOSE,
  MESSAGE,
  MORE,
  PING,
  PONG,
  Receiver,
  type ReceiverLimits,
  type Unmask,
  VIOLATION,
} from "./receiver.ts";
import type { UnfinishedMessage } from "./unfinished-message.ts";
import { checkUtf8, UTF8_REJECT } from "./utf8.ts";

const INNER_STATE_SHIFT = 100;

/**
 * Its states inside a sequence are deliberately not those of utf8.ts, as C's are not, so that
 * mixing the two implementations within one message fails.
 */
export function naiveUnmask(arena: Uint8Array): Unmask {
  return (to, offset, length, key, utf8) => {
    for (let index = 0; index < length; index++) {
      const masked = arena[offset + index] as number;
      arena[to + index] = masked ^ ((key >>> (8 * (index & 3))) & 255);
    }
    if (utf8 < 0) return utf8;
    assert(utf8 <= UTF8_REJECT || utf8 > INNER_STATE_SHIFT, "another implementation's state");
    const before = utf8 > UTF8_REJECT ? utf8 - INNER_STATE_SHIFT : utf8;
    const after = checkUtf8(before, arena, to, to + length);
    return after > UTF8_REJECT ? after + INNER_STATE_SHIFT : after;
  };
}

export interface ClientFrame {
  opcode: number;
  payload: Uint8Array | string;
  fin?: boolean;
  rsv?: number;
  masked?: boolean;
  key?: readonly [number, number, number, number];
  /** How many bytes the length is written in; by default as few as can be. */
  lengthBytes?: 0 | 2 | 8;
  /** What the header says, where that is not the payload's length. */
  announcedLength?: bigint;
}

/** A frame as a client sends it, with whatever faults were asked for. */
export function encodeClientFrame(frame: ClientFrame): Uint8Array {
  const payload =
    typeof frame.payload === "string" ? new TextEncoder().encode(frame.payload) : frame.payload;
  const length = frame.announcedLength ?? BigInt(payload.length);
  const lengthBytes = frame.lengthBytes ?? (length < 126n ? 0 : length < 65536n ? 2 : 8);
  const short = lengthBytes === 0 ? Number(length) : lengthBytes === 2 ? 126 : 127;
  const masked = frame.masked ?? true;
  const key = frame.key ?? [0x37, 0xfa, 0x21, 0x3d];
  const first = ((frame.fin ?? true) ? 128 : 0) | ((frame.rsv ?? 0) << 4) | frame.opcode;
  const bytes = [first, (masked ? 128 : 0) | short];
  for (let index = lengthBytes - 1; index >= 0; index--) {
    bytes.push(Number((length >> BigInt(8 * index)) & 255n));
  }
  if (masked) bytes.push(...key);
  payload.forEach((byte, index) => {
    bytes.push(masked ? byte ^ (key[index % 4] as number) : byte);
  });
  return Uint8Array.from(bytes);
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

const EVENT_NAMES = new Map([
  [MESSAGE, "message"],
  [PING, "ping"],
  [PONG, "pong"],
  [CLOSE, "close"],
]);
const MARGIN = 7;
const MARGIN_BYTE = 0xa5;

/** One connection's stream, fed to a receiver of its own in pieces; the events as sentences. */
export class Feeder {
  readonly events: string[] = [];
  readonly receiver: Receiver;
  readonly arena: Uint8Array;
  /** What the connection has unfinished between two pieces. */
  partial: UnfinishedMessage | undefined = undefined;
  /** CLOSE or VIOLATION was reported. */
  over = false;
  /** Calls of `unmask`, and the bytes that they were about. */
  unmaskCalls = 0;
  unmaskedBytes = 0;
  readonly #messageBytesMax: number;
  /** Bytes received since nothing was unfinished. */
  #received = 0;
  readonly #compressible: boolean;

  /** With an `inflation` the connection negotiated compression. */
  constructor(
    arenaBytes: number,
    messageBytesMax: number,
    limits: ReceiverLimits,
    inflation: Inflation | undefined = undefined,
  ) {
    this.arena = new Uint8Array(arenaBytes + 2 * MARGIN);
    this.#messageBytesMax = messageBytesMax;
    const unmask = naiveUnmask(this.arena);
    const counting: Unmask = (to, offset, length, key, utf8) => {
      this.unmaskCalls += 1;
      this.unmaskedBytes += length;
      return unmask(to, offset, length, key, utf8);
    };
    this.receiver = new Receiver(this.arena, counting, limits, inflation);
    this.#compressible = inflation !== undefined;
  }

  /** Reads all that a piece has in it, unless the stream is over. */
  feed(piece: Uint8Array): void {
    const { receiver, arena } = this;
    const end = MARGIN + piece.length;
    // Nothing of an earlier piece may be needed any more, nor anything beside this one touched.
    arena.fill(MARGIN_BYTE);
    arena.set(piece, MARGIN);
    receiver.begin(this.partial, this.#compressible);
    let offset = MARGIN;
    while (!this.over) {
      const event = receiver.next(offset, end, this.#messageBytesMax);
      this.#received += receiver.position - offset;
      if (event !== MORE) this.#record(event);
      this.#check(offset, end);
      offset = receiver.position;
      if (event === MORE) {
        assert.equal(offset, end, "MORE has consumed everything");
        break;
      }
    }
    this.partial = receiver.partial;
    assert(arena.subarray(0, MARGIN).every((byte) => byte === MARGIN_BYTE));
    assert(arena.subarray(end).every((byte) => byte === MARGIN_BYTE));
  }

  #record(event: number): void {
    const { opcode, payload, payloadOffset, payloadLength, closeCode, violation } = this.receiver;
    this.over = event === CLOSE || event === VIOLATION;
    if (event === VIOLATION) {
      this.events.push(`violation: ${violation?.sentence}`);
      return;
    }
    assert(payloadOffset + payloadLength <= payload.length);
    const bytes = payload.subarray(payloadOffset, payloadOffset + payloadLength);
    const name = `${EVENT_NAMES.get(event as typeof MESSAGE)} ${opcode}`;
    const code = event === CLOSE ? ` ${closeCode}` : "";
    this.events.push(`${name}${code} ${Buffer.from(bytes).toString("hex")}`);
  }

  /** What must hold after every step. */
  #check(offset: number, end: number): void {
    const { partial, position } = this.receiver;
    assert(offset <= position && position <= end, "the position stays within the piece");
    if (partial === undefined) {
      this.#received = 0;
      return;
    }
    assert(!this.over, "nothing is kept of a stream that is over");
    assert(partial.frameRemaining === 0 || partial.heldLength === 0);
    assert(partial.bytesHeld <= 2 * this.#received + 64, "it grows by what has arrived");
    assert.equal(partial.startedAt, 0, "the clock is somebody else's");
  }
}

export const limits: ReceiverLimits = { framesPerMessageMax: 8, emptyFramesPerMessageMax: 3 };
export const MESSAGE_BYTES_MAX = 300;

export function feeder(): Feeder {
  return new Feeder(4096, MESSAGE_BYTES_MAX, limits);
}

/** The same for a connection that negotiated compression. */
export function compressibleFeeder(): Feeder {
  const progress = new Int32Array(2);
  const inflation = new Inflation(new ZlibCodec(progress), progress);
  return new Feeder(4096, MESSAGE_BYTES_MAX, limits, inflation);
}

/** The events of a stream that arrives whole, cut in two at every place, and byte by byte. */
export function eventsOf(...frames: ClientFrame[]): string[] {
  return eventsThrough(feeder, frames);
}

export function eventsThrough(open: () => Feeder, frames: ClientFrame[]): string[] {
  const stream = concat(...frames.map(encodeClientFrame));
  const whole = open();
  whole.feed(stream);
  for (let cut = 0; cut <= stream.length; cut++) {
    const cutInTwo = open();
    cutInTwo.feed(stream.subarray(0, cut));
    cutInTwo.feed(stream.subarray(cut));
    assert.deepEqual(cutInTwo.events, whole.events, `cut at ${cut}`);
  }
  const byteByByte = open();
  for (const byte of stream) byteByByte.feed(Uint8Array.of(byte));
  assert.deepEqual(byteByByte.events, whole.events, "byte by byte");
  return whole.events;
}
