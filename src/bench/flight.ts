/**
 * The messages that one connection has in flight, encoded once for all: masked, as a client sends
 * them, and as the server will send them back. It knows no socket.
 */
import { BINARY, TEXT } from "../core/opcode.ts";
import { headerBytesOf, writeFrameHeader } from "../websocket/encode.ts";

const MASK_BYTES = 4;
const MASKED = 128;

export interface Flight {
  opcode: number;
  payloadBytes: number;
  /** Messages, each with a payload of its own. */
  count: number;
  /** The masked frames, `frameBytes` each. */
  frames: Uint8Array;
  frameBytes: number;
  /** The unmasked frames, `answerBytes` each, twice over: a cycle is read from anywhere in it. */
  answers: Uint8Array;
  answerBytes: number;
}

/**
 * RFC 6455, 5.3 wants a fresh mask for every frame, against scripts that choose what a proxy sees.
 * Here nobody chooses, and a server cannot tell.
 */
export function encodeFlight(
  payloadBytes: number,
  count: number,
  text: boolean,
  mask: Uint8Array,
): Flight {
  const opcode = text ? TEXT : BINARY;
  const headerBytes = headerBytesOf(payloadBytes);
  const answerBytes = headerBytes + payloadBytes;
  const frameBytes = answerBytes + MASK_BYTES;
  const frames = new Uint8Array(count * frameBytes);
  const answers = new Uint8Array(2 * count * answerBytes);
  for (let message = 0; message < count; message += 1) {
    const payload = makePayload(payloadBytes, message, text);
    const answer = encodeAnswer(opcode, payload);
    answers.set(answer, message * answerBytes);
    answers.set(answer, (count + message) * answerBytes);
    frames.set(maskFrame(answer, headerBytes, mask), message * frameBytes);
  }
  return { opcode, payloadBytes, count, frames, frameBytes, answers, answerBytes };
}

/** One client's frame. */
export function encodeMasked(opcode: number, payload: Uint8Array, mask: Uint8Array): Uint8Array {
  return maskFrame(encodeAnswer(opcode, payload), headerBytesOf(payload.length), mask);
}

/** Different for every message of a flight, so that a server that mixes them up is found out. */
function makePayload(length: number, message: number, text: boolean): Uint8Array {
  return Uint8Array.from({ length }, (_, at) =>
    text ? 32 + ((at + message * 7) % 95) : at * 131 + (at >> 8) + message * 29,
  );
}

function encodeAnswer(opcode: number, payload: Uint8Array): Uint8Array {
  const headerBytes = headerBytesOf(payload.length);
  const frame = new Uint8Array(headerBytes + payload.length);
  writeFrameHeader(frame, 0, opcode, payload.length);
  frame.set(payload, headerBytes);
  return frame;
}

function maskFrame(frame: Uint8Array, headerBytes: number, mask: Uint8Array): Uint8Array {
  const masked = new Uint8Array(frame.length + MASK_BYTES);
  masked.set(frame.subarray(0, headerBytes));
  masked[1] = (masked[1] as number) | MASKED;
  masked.set(mask, headerBytes);
  for (let at = headerBytes; at < frame.length; at += 1) {
    const byte = mask[(at - headerBytes) % MASK_BYTES] as number;
    masked[at + MASK_BYTES] = (frame[at] as number) ^ byte;
  }
  return masked;
}
