/**
 * A client's frames as bytes, right or wrong, and the cuts that cases make in them. Written for
 * large streams: a payload is masked once, into the frame's own buffer. It sends nothing.
 */

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** No byte twice, so that a mask turned wrongly shows. */
const KEY = [0xa7, 0x31, 0x5c, 0xe9] as const;
const KEY_BYTES = 4;

interface FrameOptions {
  fin?: boolean;
  /** The three reserved bits as a number, 0 to 7. */
  rsv?: number;
}

/** A masked frame; its length in as few bytes as can be. */
export function frame(
  opcode: number,
  payload: Uint8Array | string = "",
  { fin = true, rsv = 0 }: FrameOptions = {},
): Uint8Array {
  const body = bytesOf(payload);
  const lengthBytes = body.length < 126 ? 0 : body.length < 65536 ? 2 : 8;
  const headerBytes = 2 + lengthBytes + KEY_BYTES;
  const bytes = Buffer.allocUnsafe(headerBytes + body.length);
  bytes[0] = (fin ? 128 : 0) | (rsv << 4) | opcode;
  bytes[1] = 128 | (lengthBytes === 0 ? body.length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) bytes.writeUInt16BE(body.length, 2);
  if (lengthBytes === 8) bytes.writeBigUInt64BE(BigInt(body.length), 2);
  bytes.set(KEY, 2 + lengthBytes);
  for (let index = 0; index < body.length; index++) {
    bytes[headerBytes + index] = (body[index] as number) ^ (KEY[index & 3] as number);
  }
  return bytes;
}

/** The frames of one message whose payload is cut into fragments of that many bytes. */
export function fragments(
  opcode: number,
  payload: Uint8Array | string,
  fragmentBytes: number,
  rsv = 0,
): Uint8Array[] {
  const body = bytesOf(payload);
  const frames: Uint8Array[] = [];
  for (let start = 0; start < body.length || start === 0; start += fragmentBytes) {
    const first = start === 0;
    const fin = start + fragmentBytes >= body.length;
    const part = body.subarray(start, start + fragmentBytes);
    frames.push(frame(first ? opcode : CONTINUATION, part, { fin, rsv: first ? rsv : 0 }));
  }
  return frames;
}

/** A close frame with a code, which may be one that nobody may send, and a reason. */
export function closeFrame(code: number, reason: Uint8Array | string = ""): Uint8Array {
  const payload = Buffer.concat([Uint8Array.of(code >> 8, code & 255), bytesOf(reason)]);
  return frame(CLOSE, payload);
}

/** A frame in two: its first bytes, and the rest. */
export function cut(bytes: Uint8Array, length: number): [Uint8Array, Uint8Array] {
  return [bytes.subarray(0, length), bytes.subarray(length)];
}

/** A frame cut behind its header. */
export function cutHeader(bytes: Uint8Array): [Uint8Array, Uint8Array] {
  return cut(bytes, headerLength(bytes));
}

/** Bytes of the header that these bytes of a client begin with. */
export function headerLength(bytes: Uint8Array): number {
  const short = (bytes[1] ?? 0) & 127;
  return 2 + (short < 126 ? 0 : short === 126 ? 2 : 8) + KEY_BYTES;
}

export function bytesOf(payload: Uint8Array | string): Uint8Array {
  return typeof payload === "string" ? Buffer.from(payload) : payload;
}
