/**
 * For tests: the codec of reactor/binding.ts over node:zlib in the place of the C one. It inflates
 * a message whole and hands it out in pieces, so it bounds nothing; and what follows a block that
 * says it is the last one is passed over.
 */
import assert from "node:assert/strict";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";

const TAIL: Uint8Array = Uint8Array.of(0, 0, 0xff, 0xff);
/** An empty last block: a stream that does not stand at the end of a block has none behind it. */
const LAST_BLOCK = Uint8Array.of(3, 0);

/** A message as a peer compresses it, without its tail (RFC 7692, 7.2.1). */
export function deflateMessage(message: Uint8Array | string, windowBits = 15): Buffer {
  const options = { windowBits, finishFlush: constants.Z_SYNC_FLUSH };
  const deflated = deflateRawSync(message, options);
  assert.deepEqual(deflated.subarray(-TAIL.length), Buffer.from(TAIL));
  return deflated.subarray(0, -TAIL.length);
}

/** The message of a peer that deflated with a window of 2^windowBits; throws where it is none. */
export function inflateMessage(payload: Uint8Array, windowBits = 15): Buffer {
  return inflateRawSync(Buffer.concat([payload, TAIL, LAST_BLOCK]), { windowBits });
}

export class ZlibCodec {
  /** Windows that were deflated with, in order. */
  readonly deflated: number[] = [];
  readonly #progress: Int32Array;
  /** What came of a payload whose last part has not. */
  #parts: Buffer[] = [];
  #rest: Buffer = Buffer.alloc(0);

  constructor(progress: Int32Array) {
    this.#progress = progress;
  }

  inflate(
    input: Uint8Array,
    offset: number,
    length: number,
    output: Uint8Array,
    isFirst: boolean,
    isLast: boolean,
  ): number {
    assert(offset >= 0 && length >= 0 && offset + length <= input.length, "a range of the input");
    if (isFirst) this.#parts = [];
    this.#parts.push(Buffer.from(input.subarray(offset, offset + length)));
    if (!isLast) {
      this.#progress.set([length, 0]);
      return 1;
    }
    try {
      if (length > 0 || isFirst) this.#rest = inflateMessage(Buffer.concat(this.#parts));
    } catch {
      this.#progress.set([0, 0]);
      return 2;
    }
    const piece = this.#rest.subarray(0, output.length);
    output.set(piece);
    this.#rest = this.#rest.subarray(piece.length);
    this.#progress.set([length, piece.length]);
    return this.#rest.length > 0 ? 1 : 0;
  }

  deflate(
    input: Uint8Array,
    offset: number,
    length: number,
    windowBits: number,
    output: Uint8Array,
  ): number {
    assert(offset >= 0 && length >= 0 && offset + length <= input.length, "a range of the input");
    this.deflated.push(windowBits);
    const deflated = deflateMessage(input.subarray(offset, offset + length), windowBits);
    if (deflated.length + 5 > output.length) return 0;
    output.set(deflated);
    return deflated.length;
  }
}
