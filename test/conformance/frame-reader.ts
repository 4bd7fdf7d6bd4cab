/**
 * Reads what the gateway sends and accepts nothing but what RFC 6455 lets a server send: no mask,
 * lengths in as few bytes as can be, whole messages, reserved bits only as negotiated. It joins
 * bytes only when a frame is whole, so that many megabytes cost one copy.
 */
import assert from "node:assert/strict";
import { constants, inflateRawSync } from "node:zlib";
import { BINARY, CLOSE, PONG, TEXT } from "./frames.ts";

export interface ServerFrame {
  readonly opcode: number;
  /** Inflated, where it was compressed. */
  readonly payload: Uint8Array;
}

/** RFC 7692, 7.2.2: what a compressed message lacks at its end. */
const TAIL = Uint8Array.of(0x00, 0x00, 0xff, 0xff);

/**
 * zlib lets a distance reach behind the window as far as its output still lies in one piece; half
 * of the smallest window shows what a client with no more memory could not read.
 */
const CHUNK_BYTES = 256;
/** No distance of DEFLATE reaches behind this one. */
const WINDOW_BITS_MAX = 15;

export class FrameReader {
  readonly frames: ServerFrame[] = [];
  /** The window that was negotiated; undefined: no compression was. */
  readonly #windowBits: number | undefined;
  #chunks: Buffer[] = [];
  #length = 0;
  /** How many bytes there must be for a next step to be worth it. */
  #needed = 2;

  constructor(windowBits: number | undefined) {
    this.#windowBits = windowBits;
  }

  /** Bytes that are not a whole frame yet. */
  get unread(): number {
    return this.#length;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#needed) return;
    let rest: Buffer = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    let frameBytes = this.#frameBytes(rest);
    while (rest.length >= frameBytes) {
      this.frames.push(this.#decode(rest.subarray(0, frameBytes)));
      rest = rest.subarray(frameBytes);
      frameBytes = this.#frameBytes(rest);
    }
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#length = rest.length;
    this.#needed = frameBytes;
  }

  /** Bytes of the frame at the start, or more than there are where that cannot be told yet. */
  #frameBytes(bytes: Buffer): number {
    if (bytes.length < 2) return 2;
    const headerBytes = serverHeaderBytes(bytes);
    if (bytes.length < headerBytes) return headerBytes;
    return headerBytes + payloadLength(bytes);
  }

  #decode(bytes: Buffer): ServerFrame {
    const first = bytes[0] as number;
    const opcode = first & 15;
    assert.ok((first & 128) !== 0, "the gateway sends whole messages");
    assert.ok((first & 0x30) === 0, "the gateway sets neither RSV2 nor RSV3");
    assert.ok([TEXT, BINARY, CLOSE, PONG].includes(opcode), `opcode ${opcode}`);
    const payload = bytes.subarray(serverHeaderBytes(bytes));
    if ((first & 0x40) === 0) return { opcode, payload };
    assert.ok(opcode === TEXT || opcode === BINARY, "RSV1 on a control frame");
    return { opcode, payload: this.#inflate(payload) };
  }

  #inflate(payload: Uint8Array): Uint8Array {
    const windowBits = this.#windowBits;
    assert.ok(windowBits !== undefined, "RSV1, and no compression was negotiated");
    const chunkSize = windowBits < WINDOW_BITS_MAX ? CHUNK_BYTES : payload.length + 65_536;
    const options = { windowBits, chunkSize, finishFlush: constants.Z_SYNC_FLUSH };
    return inflateRawSync(Buffer.concat([payload, TAIL]), options);
  }
}

function serverHeaderBytes(bytes: Buffer): number {
  const second = bytes[1] as number;
  assert.ok(second < 128, "a server does not mask (RFC 6455, 5.1)");
  return second < 126 ? 2 : second === 126 ? 4 : 10;
}

function payloadLength(bytes: Buffer): number {
  const short = bytes[1] as number;
  if (short < 126) return short;
  const length = short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  assert.ok(length >= (short === 126 ? 126 : 65536), "a length has needless bytes");
  return length;
}
