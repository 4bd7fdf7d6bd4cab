/**
 * The fields of a frame's body, read and written one after the other: big-endian numbers, texts
 * with two bytes of length, and a payload that takes the rest. It knows no frame.
 */
import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import type { LinkFault } from "./fault.ts";
import { LENGTH_BYTES, TEXT_BYTES_MAX } from "./frame.ts";

const TWO_TO_32 = 0x100000000;

/** Reads on past a fault, and gives 0 and "" from there: ask for `fault` when all is read. */
export class BodyReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;
  fault: LinkFault | undefined;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  u8(): number {
    return this.#has(1) ? (this.bytes[this.at++] as number) : 0;
  }

  u16(): number {
    if (!this.#has(2)) return 0;
    const { at, bytes } = this;
    this.at += 2;
    return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  }

  u32(): number {
    if (!this.#has(4)) return 0;
    const { at, bytes } = this;
    this.at += 4;
    const low =
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number);
    return (bytes[at] as number) * 0x1000000 + low;
  }

  /** Of milliseconds and the like: what is no safe integer is a fault. */
  u64(): number {
    const value = this.u32() * TWO_TO_32 + this.u32();
    if (Number.isSafeInteger(value)) return value;
    this.wrong(`${value} is no time`);
    return 0;
  }

  text(): string {
    const length = this.u16();
    if (!this.#has(length)) return "";
    const { at, bytes } = this;
    this.at += length;
    if (length === 0) return "";
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset + at, length);
    if (isUtf8(piece)) return piece.toString("utf8");
    this.fault ??= { fault: "not-utf8", sentence: "a text in a frame is not UTF-8" };
    return "";
  }

  /** The rest of the frame. */
  payload(): { bytes: Uint8Array; start: number; end: number } {
    const { bytes, at: start, end } = this;
    this.at = end;
    return { bytes, start, end };
  }

  wrong(what: string): void {
    this.fault ??= { fault: "wrong-value", sentence: `a frame has a wrong value: ${what}` };
  }

  /** All fields were read: nothing may stand behind them. */
  finish(): void {
    if (this.at >= this.end) return;
    const left = this.end - this.at;
    this.fault ??= {
      fault: "frame-too-long",
      sentence: `a frame has ${left} bytes behind its last field`,
    };
  }

  #has(length: number): boolean {
    if (this.end - this.at >= length) return true;
    this.at = this.end;
    this.fault ??= { fault: "frame-cut-short", sentence: "a frame ends within its fields" };
    return false;
  }
}

const ROOM_BYTES_MIN = 4096;
/** A writer that once had much to write does not keep that much for ever. */
const ROOM_BYTES_KEPT = 65_536;

/**
 * Frames one behind the other, for one write; `take` them, and it begins afresh. That numbers fit
 * is the caller's to see to, and a text that does not is a bug.
 */
export class FrameWriter {
  #bytes: Uint8Array;
  #at = 0;
  #start = 0;

  constructor(room = ROOM_BYTES_MIN) {
    this.#bytes = new Uint8Array(room);
  }

  get length(): number {
    return this.#at;
  }

  begin(type: number): this {
    this.#start = this.#at;
    this.#makeRoom(LENGTH_BYTES);
    this.#at += LENGTH_BYTES;
    return this.u8(type);
  }

  u8(value: number): this {
    this.#makeRoom(1);
    this.#bytes[this.#at++] = value;
    return this;
  }

  u16(value: number): this {
    this.#makeRoom(2);
    this.#bytes[this.#at++] = value >>> 8;
    this.#bytes[this.#at++] = value;
    return this;
  }

  u32(value: number): this {
    this.#makeRoom(4);
    putU32(this.#bytes, this.#at, value);
    this.#at += 4;
    return this;
  }

  u64(value: number): this {
    this.#makeRoom(8);
    putU64(this.#bytes, this.#at, value);
    this.#at += 8;
    return this;
  }

  text(text: string): this {
    this.#makeRoom(2 + 3 * text.length);
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(this.#at + 2));
    assert(written <= TEXT_BYTES_MAX, `a text of ${written} bytes has no place in a frame`);
    this.u16(written);
    this.#at += written;
    return this;
  }

  payload({ bytes, start, end }: { bytes: Uint8Array; start: number; end: number }): this {
    this.#makeRoom(end - start);
    const isAll = start === 0 && end === bytes.length;
    this.#bytes.set(isAll ? bytes : bytes.subarray(start, end), this.#at);
    this.#at += end - start;
    return this;
  }

  end(): void {
    putU32(this.#bytes, this.#start, this.#at - this.#start - LENGTH_BYTES);
  }

  /** What was written since the last call; the caller's own. */
  take(): Uint8Array {
    const isLarge = this.#bytes.length > ROOM_BYTES_KEPT;
    const taken = isLarge ? this.#bytes.subarray(0, this.#at) : this.#bytes.slice(0, this.#at);
    if (isLarge) this.#bytes = new Uint8Array(ROOM_BYTES_MIN);
    this.#at = 0;
    return taken;
  }

  #makeRoom(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at + length));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }
}

const encoder = new TextEncoder();

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function putU64(bytes: Uint8Array, at: number, value: number): void {
  putU32(bytes, at, Math.floor(value / TWO_TO_32));
  putU32(bytes, at + 4, value % TWO_TO_32);
}
