/**
 * Frames out of a stream of bytes, wherever it was cut. Whole ones are seen where they lie; of
 * one that is not whole the bytes that came are kept, and no more is reserved than twice that.
 * It reads nothing but lengths.
 */
import type { LinkFault } from "./fault.ts";
import { LENGTH_BYTES } from "./frame.ts";

/** The type stands at `start`, the body behind it up to `end`; valid until it returns. */
export type Visit = (bytes: Uint8Array, start: number, end: number) => LinkFault | undefined;

const KEPT_BYTES_MIN = 4096;

export class FrameSplitter {
  readonly #frameBytesMax: number;
  #kept: Uint8Array = new Uint8Array(0);
  #keptBytes = 0;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Of the frame that is not whole yet. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** What is held in memory for it: at most twice as much, or 4,096 bytes. */
  get reservedBytes(): number {
    return this.#kept.length;
  }

  /** Stops at the first fault, its own or of `visit`, after which it is not to be used again. */
  push(bytes: Uint8Array, offset: number, end: number, visit: Visit): LinkFault | undefined {
    let at = offset;
    while (this.#keptBytes > 0 && at < end) {
      const isLengthKnown = this.#keptBytes >= LENGTH_BYTES;
      const wanted = LENGTH_BYTES + (isLengthKnown ? lengthAt(this.#kept, 0) : 0);
      const piece = Math.min(wanted - this.#keptBytes, end - at);
      this.#keep(bytes, at, at + piece, wanted);
      at += piece;
      if (this.#keptBytes < wanted) return undefined;
      const fault = isLengthKnown ? this.#visitKept(visit) : this.#faultOf(lengthAt(this.#kept, 0));
      if (fault !== undefined) return fault;
    }
    return this.#walk(bytes, at, end, visit);
  }

  #visitKept(visit: Visit): LinkFault | undefined {
    const fault = visit(this.#kept, LENGTH_BYTES, this.#keptBytes);
    this.#keptBytes = 0;
    if (this.#kept.length > KEPT_BYTES_MIN) this.#kept = new Uint8Array(0);
    return fault;
  }

  #walk(bytes: Uint8Array, offset: number, end: number, visit: Visit): LinkFault | undefined {
    let at = offset;
    while (end - at >= LENGTH_BYTES) {
      const length = lengthAt(bytes, at);
      const fault = this.#faultOf(length);
      if (fault !== undefined) return fault;
      const start = at + LENGTH_BYTES;
      if (end - start < length) break;
      const seen = visit(bytes, start, start + length);
      if (seen !== undefined) return seen;
      at = start + length;
    }
    if (at < end) this.#keep(bytes, at, end, end - at);
    return undefined;
  }

  #faultOf(length: number): LinkFault | undefined {
    if (length === 0) {
      return { fault: "frame-cut-short", sentence: "a frame has no type: its length is 0" };
    }
    if (length <= this.#frameBytesMax) return undefined;
    const limit = `${this.#frameBytesMax} are taken`;
    return { fault: "frame-too-large", sentence: `a frame of ${length} bytes came, and ${limit}` };
  }

  #keep(bytes: Uint8Array, start: number, end: number, wanted: number): void {
    const needed = this.#keptBytes + end - start;
    if (needed > this.#kept.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(wanted, 2 * needed), KEPT_BYTES_MIN));
      grown.set(this.#kept.subarray(0, this.#keptBytes));
      this.#kept = grown;
    }
    this.#kept.set(bytes.subarray(start, end), this.#keptBytes);
    this.#keptBytes = needed;
  }
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) * 0x1000000 +
    (((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number))
  );
}
