/**
 * The header of a frame (RFC 6455, 5.2): decoding it and checking it, as two functions. Acting on
 * it is the receiver's. A header that is not complete yet is decoded again from its first byte:
 * it has 14 bytes at the most.
 */
import { BINARY, TEXT } from "../core/opcode.ts";
import {
  CONTROL_FRAME_FRAGMENTED,
  CONTROL_FRAME_TOO_LONG,
  EXPECTED_CONTINUATION,
  LENGTH_NOT_MINIMAL,
  LENGTH_TOO_LARGE,
  RESERVED_BIT_SET,
  RESERVED_OPCODE,
  UNEXPECTED_CONTINUATION,
  UNMASKED_FRAME,
  type Violation,
} from "./violation.ts";

/** RFC 6455, 11.8; text and binary are in core/opcode.ts. */
const OPCODE_CONTINUATION = 0;
export const OPCODE_CLOSE = 8;
export const OPCODE_PING = 9;
export const OPCODE_PONG = 10;

/** RFC 7692, 6: the bit "Per-Message Compressed" among the three. */
const RSV1 = 4;

/** RFC 6455, 5.5. */
const CONTROL_PAYLOAD_BYTES_MAX = 125;

/** One object is used again for every frame, so that reading a frame allocates nothing. */
export class FrameHeader {
  fin = false;
  /** The three reserved bits as a number, 0 to 7. */
  rsv = 0;
  opcode = 0;
  masked = false;
  /**
   * Of the payload. What is no safe integer is MAX_SAFE_INTEGER, above every limit; what the
   * protocol rules out (the highest bit set) is Infinity.
   */
  length = 0;
  /** The mask's four bytes in the order of memory, as a little-endian int32. */
  key = 0;
  headerBytes = 0;
}

/** Bytes of a header, told from its second byte. */
export function headerBytesFor(secondByte: number): number {
  const short = secondByte & 127;
  const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
  return 2 + lengthBytes + ((secondByte & 128) === 0 ? 0 : 4);
}

/** Decodes the header that begins at `offset`; false when it ends behind `end`. */
export function decodeFrameHeader(
  bytes: Uint8Array,
  offset: number,
  end: number,
  into: FrameHeader,
): boolean {
  if (end - offset < 2) return false;
  const first = bytes[offset] as number;
  const second = bytes[offset + 1] as number;
  const headerBytes = headerBytesFor(second);
  if (end - offset < headerBytes) return false;
  const short = second & 127;
  into.fin = (first & 128) !== 0;
  into.rsv = (first >> 4) & 7;
  into.opcode = first & 15;
  into.masked = (second & 128) !== 0;
  into.headerBytes = headerBytes;
  if (short < 126) into.length = short;
  else if (short === 126) {
    into.length = ((bytes[offset + 2] as number) << 8) | (bytes[offset + 3] as number);
  } else into.length = decodeLongLength(bytes, offset + 2);
  if (into.masked) into.key = readInt32(bytes, offset + headerBytes - 4);
  return true;
}

/**
 * The first rule that a header breaks. `fragmented`: a message is waiting for its next frame;
 * `compressible`: the connection negotiated compression.
 */
export function checkFrameHeader(
  header: FrameHeader,
  fragmented: boolean,
  compressible: boolean,
): Violation | undefined {
  if (header.rsv !== 0 && !(compressible && beginsCompressed(header))) return RESERVED_BIT_SET;
  const opcode = header.opcode;
  if ((opcode > 2 && opcode < 8) || opcode > OPCODE_PONG) return RESERVED_OPCODE;
  if (!header.masked) return UNMASKED_FRAME;
  if (opcode >= OPCODE_CLOSE) {
    if (header.length > CONTROL_PAYLOAD_BYTES_MAX) return CONTROL_FRAME_TOO_LONG;
    if (!header.fin) return CONTROL_FRAME_FRAGMENTED;
  } else if (opcode === OPCODE_CONTINUATION) {
    if (!fragmented) return UNEXPECTED_CONTINUATION;
  } else if (fragmented) return EXPECTED_CONTINUATION;
  return checkLength(header);
}

/** RFC 7692, 6: only the first frame of a message says that it is compressed. */
function beginsCompressed({ rsv, opcode }: FrameHeader): boolean {
  return rsv === RSV1 && (opcode === TEXT || opcode === BINARY);
}

function checkLength(header: FrameHeader): Violation | undefined {
  // A masked header has 6, 8 or 14 bytes.
  if (header.headerBytes === 6) return undefined;
  if (header.length === Infinity) return LENGTH_TOO_LARGE;
  const lengthMin = header.headerBytes === 8 ? 126 : 65536;
  return header.length < lengthMin ? LENGTH_NOT_MINIMAL : undefined;
}

/** The mask as it stands after `length` bytes: byte 0 of memory is the number's lowest. */
export function turnKey(key: number, length: number): number {
  const bits = (length & 3) * 8;
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits));
}

function decodeLongLength(bytes: Uint8Array, offset: number): number {
  const high = readUint32(bytes, offset);
  if (high >= 0x80000000) return Infinity;
  if (high > 0x1fffff) return Number.MAX_SAFE_INTEGER;
  return high * 0x100000000 + readUint32(bytes, offset + 4);
}

function readUint32(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset] as number) << 24) |
      ((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number)) >>>
    0
  );
}

function readInt32(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] as number) |
    ((bytes[offset + 1] as number) << 8) |
    ((bytes[offset + 2] as number) << 16) |
    ((bytes[offset + 3] as number) << 24)
  );
}
