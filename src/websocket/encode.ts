/**
 * Frames from the server to the client: never masked, never fragmented. A frame's header is
 * written where its payload already stands, so that the payload is not copied.
 */
import { OPCODE_CLOSE, OPCODE_PING } from "./frame-header.ts";

const FIN = 128;

/** RFC 7692, 6: with this beside its opcode a message is compressed. */
export const COMPRESSED = 0x40;

/** RFC 6455, 5.5 and 5.5.1: a control frame's 125 bytes less the code's two. */
const CLOSE_REASON_BYTES_MAX = 123;

/** A ping without payload: its pong is as good as any other byte as a sign of life. */
export const PING_FRAME: Uint8Array = Uint8Array.of(FIN | OPCODE_PING, 0);

/** Of a frame of ours: it has no mask. */
export const HEADER_BYTES_MAX = 10;

/** Bytes of the header of a frame with `length` bytes of payload. */
export function headerBytesOf(length: number): 2 | 4 | 10 {
  if (length < 126) return 2;
  return length < 65536 ? 4 : 10;
}

/** Writes the header of a whole message, COMPRESSED or not, or control frame at `offset`. */
export function writeFrameHeader(
  into: Uint8Array,
  offset: number,
  opcode: number,
  length: number,
): void {
  into[offset] = FIN | opcode;
  if (length < 126) {
    into[offset + 1] = length;
  } else if (length < 65536) {
    into[offset + 1] = 126;
    into[offset + 2] = length >>> 8;
    into[offset + 3] = length;
  } else {
    into[offset + 1] = 127;
    writeUint32(into, offset + 2, Math.floor(length / 0x100000000));
    writeUint32(into, offset + 6, length >>> 0);
  }
}

/** A whole close frame. A reason that is too long is cut between two characters. */
export function encodeClose(code: number, reason: string): Uint8Array {
  const encoded = new Uint8Array(CLOSE_REASON_BYTES_MAX);
  // encodeInto stops in front of a character that does not fit whole.
  const reasonBytes = new TextEncoder().encodeInto(reason, encoded).written;
  const frame = new Uint8Array(4 + reasonBytes);
  writeFrameHeader(frame, 0, OPCODE_CLOSE, 2 + reasonBytes);
  frame[2] = code >>> 8;
  frame[3] = code;
  frame.set(encoded.subarray(0, reasonBytes), 4);
  return frame;
}

function writeUint32(into: Uint8Array, offset: number, value: number): void {
  into[offset] = value >>> 24;
  into[offset + 1] = value >>> 16;
  into[offset + 2] = value >>> 8;
  into[offset + 3] = value;
}
