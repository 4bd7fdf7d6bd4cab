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
  ): number;
}

// What `Inflater.inflate` returns; anything else is no DEFLATE.
const INFLATED = 0;
const INFLATE_FULL = 1;

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

  constructor(inflater: Inflater, progress: Int32Array) {
    this.#inflater = inflater;
    this.#progress = progress;
    this.#output = this.#scratch;
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
    const state = this.#inflater.inflate(input, offset, length, this.#scratch, true);
    this.length = this.#progress[1] as number;
    if (state !== INFLATED && state !== INFLATE_FULL) return INVALID_DEFLATE;
    // Before the rest of it, so that a bomb costs no more than its limit and one piece.
    if (this.length > messageBytesMax) return MESSAGE_TOO_BIG;
    if (state === INFLATED) return undefined;
    const consumed = this.#progress[0] as number;
    return this.#inflateLong(input, offset + consumed, length - consumed, messageBytesMax);
  }

  /** Goes on with a message that fills the scratch buffer. */
  #inflateLong(
    input: Uint8Array,
    offset: number,
    length: number,
    messageBytesMax: number,
  ): Violation | undefined {
    const pieces = [this.#scratch];
    let produced = this.length;
    let at = offset;
    let state = INFLATE_FULL;
    while (state === INFLATE_FULL) {
      const piece = new Uint8Array(PIECE_BYTES);
      state = this.#inflater.inflate(input, at, offset + length - at, piece, false);
      if (state !== INFLATED && state !== INFLATE_FULL) return INVALID_DEFLATE;
      at += this.#progress[0] as number;
      produced += this.#progress[1] as number;
      if (produced > messageBytesMax) return MESSAGE_TOO_BIG;
      pieces.push(piece);
    }
    this.#output = join(pieces, produced);
    this.length = produced;
    return undefined;
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
