/**
 * Inflates the messages of all connections of a worker, one at a time and each from its start
 * (RFC 7692, 7.2.2, without context takeover), and stops where a message grows past its limit.
 * The DEFLATE itself is a codec's; this has no state of a connection.
 */
import { INVALID_DEFLATE, MESSAGE_TOO_BIG, type Violation } from "./violation.ts";

/** The half of the codec that this needs: reactor/binding.ts says what it does. */
export interface Inflater {
  inflate(
    input: Uint8Array,
    offset: number,
    length: number,
    output: Uint8Array,
    isFirst: boolean,
    isLast: boolean,
  ): number;
}

// What `Inflater.inflate` returns; anything else is no DEFLATE.
const INFLATED = 0;
const INFLATE_FULL = 1;

/** Some bytes of a payload: [offset, offset + length) of an array. */
export interface Part {
  bytes: Uint8Array;
  offset: number;
  length: number;
}

/** The usual message fits, and a longer one is taken in pieces of this. */
const PIECE_BYTES = 64 << 10;

/**
 * Bytes that a message of `messageBytesMax` may have while it is compressed: what zlib's own bound
 * says of its worst settings, which write bytes that cannot be compressed with nine bits each.
 */
export function compressedBytesMax(messageBytesMax: number): number {
  return messageBytesMax + (messageBytesMax >> 3) + (messageBytesMax >> 6) + 64;
}

export class Inflation {
  /** Bytes of the message that was inflated last. */
  length = 0;
  #output: Uint8Array;
  readonly #inflater: Inflater;
  /** The inflater's: bytes consumed and bytes produced. */
  readonly #progress: Int32Array;
  readonly #scratch = new Uint8Array(PIECE_BYTES);

  // Of the message being inflated: the pieces of its output, all but the last of them full, and
  // what of the last one is not.
  readonly #pieces: Uint8Array[] = [];
  #room: Uint8Array;
  #isFirst = true;

  constructor(inflater: Inflater, progress: Int32Array) {
    this.#inflater = inflater;
    this.#progress = progress;
    this.#output = this.#scratch;
    this.#room = this.#scratch;
  }

  /** The message is its first `length` bytes; they hold until the next one is inflated. */
  take(): Uint8Array {
    const output = this.#output;
    // A long one is not kept beyond its time.
    this.#output = this.#scratch;
    return output;
  }

  /** Inflates one whole message, to be taken unless this returns what is wrong with it. */
  inflate(
    input: Uint8Array,
    offset: number,
    length: number,
    messageBytesMax: number,
  ): Violation | undefined {
    this.#begin();
    const violation = this.#read(input, offset, length, true, messageBytesMax);
    this.#end(violation);
    return violation;
  }

  /** The same for a payload in parts, which are not put together first. */
  inflateParts(parts: readonly Part[], messageBytesMax: number): Violation | undefined {
    this.#begin();
    let violation: Violation | undefined;
    for (const [index, { bytes, offset, length }] of parts.entries()) {
      const isLast = index === parts.length - 1;
      violation = this.#read(bytes, offset, length, isLast, messageBytesMax);
      if (violation !== undefined) break;
    }
    this.#end(violation);
    return violation;
  }

  #begin(): void {
    this.length = 0;
    this.#isFirst = true;
    this.#room = this.#scratch;
    this.#pieces.push(this.#scratch);
  }

  #end(violation: Violation | undefined): void {
    const [first] = this.#pieces as [Uint8Array];
    if (violation === undefined) {
      this.#output = this.#pieces.length === 1 ? first : join(this.#pieces, this.length);
    }
    this.#pieces.length = 0;
  }

  #read(
    input: Uint8Array,
    offset: number,
    length: number,
    isLast: boolean,
    messageBytesMax: number,
  ): Violation | undefined {
    const end = offset + length;
    let at = offset;
    while (true) {
      const room = this.#room;
      const state = this.#inflater.inflate(input, at, end - at, room, this.#isFirst, isLast);
      if (state !== INFLATED && state !== INFLATE_FULL) return INVALID_DEFLATE;
      this.#isFirst = false;
      at += this.#progress[0] as number;
      const produced = this.#progress[1] as number;
      this.length += produced;
      // Before the rest of it, so that a bomb costs no more than its limit and one piece.
      if (this.length > messageBytesMax) return MESSAGE_TOO_BIG;
      if (state === INFLATED) return undefined;
      if (produced < room.length) {
        // This part is used up, and the next one goes on here.
        this.#room = room.subarray(produced);
        return undefined;
      }
      this.#room = new Uint8Array(PIECE_BYTES);
      this.#pieces.push(this.#room);
    }
  }
}

/** All pieces are full but the last one. */
function join(pieces: Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece.subarray(0, length - at), at);
    at += piece.length;
  }
  return whole;
}
