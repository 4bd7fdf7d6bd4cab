/**
 * Deflates messages for clients that negotiated it, one at a time and each from its start, where
 * that makes them smaller. The DEFLATE itself is a codec's; this has no state of a connection.
 */

/** The half of the codec that this needs: reactor/binding.ts says what it does. */
export interface Deflater {
  deflate(
    input: Uint8Array,
    offset: number,
    length: number,
    windowBits: number,
    output: Uint8Array,
  ): number;
}

/** Shorter messages go plain: from their own start they hardly become smaller. */
export const COMPRESS_BYTES_MIN = 256;

/** What the usual message is deflated into; a longer one gets memory of its own. */
const SCRATCH_BYTES = 64 << 10;

/**
 * Of a longer one the beginning is tried first: a mebibyte of a picture took 30 ms to find that
 * it does not become smaller.
 */
const PROBE_BYTES = 16 << 10;
const PROBE_RATIO_MAX = 0.9;

export class Deflation {
  /** Bytes of the message that was deflated last. */
  length = 0;
  readonly #deflater: Deflater;
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);
  #output: Uint8Array;

  constructor(deflater: Deflater) {
    this.#deflater = deflater;
    this.#output = this.#scratch;
  }

  /** The message is its first `length` bytes; they hold until the next one is deflated. */
  take(): Uint8Array {
    const output = this.#output;
    // A long one is not kept beyond its time.
    this.#output = this.#scratch;
    return output;
  }

  /** Deflates one whole message, to be taken; false where it goes plain. */
  deflate(input: Uint8Array, offset: number, length: number, windowBits: number): boolean {
    if (length < COMPRESS_BYTES_MIN) return false;
    const isLong = length > SCRATCH_BYTES;
    if (isLong && !this.#isWorthwhile(input, offset, windowBits)) return false;
    const output = isLong ? new Uint8Array(length) : this.#scratch;
    const deflated = this.#deflater.deflate(input, offset, length, windowBits, output);
    if (deflated === 0 || deflated >= length) return false;
    this.#output = output;
    this.length = deflated;
    return true;
  }

  #isWorthwhile(input: Uint8Array, offset: number, windowBits: number): boolean {
    const scratch = this.#scratch;
    const deflated = this.#deflater.deflate(input, offset, PROBE_BYTES, windowBits, scratch);
    return deflated <= PROBE_BYTES * PROBE_RATIO_MAX;
  }
}
