/**
 * What clients send: the lengths at which a frame's header changes, text of every width of UTF-8,
 * and bytes that do not compress. The same in every run.
 */
import type { MessageKind } from "./peer.ts";

export const MEBIBYTE = 1024 * 1024;

/** RFC 6455, 5.2: 7 bits, 16 bits, 64 bits. */
export const HEADER_LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536];

export const TEXTS = [
  "",
  "a",
  "Grüße, Welt",
  "🙂🏳️‍🌈👩‍🚀𝄞",
  "\u0000\u007f\u0080\u07ff\u0800\uffff\u{10ffff}",
];

/** The whole is longer than what any of the clients sends in one frame of its own accord. */
const LONG_PART = 40_000;

export const FRAGMENTS: [MessageKind, Buffer[]][] = [
  ["text", [textOf(LONG_PART), textOf(LONG_PART), Buffer.from("🙂")]],
  ["binary", [binaryOf(LONG_PART), Buffer.alloc(0), binaryOf(1), binaryOf(LONG_PART)]],
];

/** So many bytes of text; it compresses well. */
export function textOf(length: number): Buffer {
  const text = Buffer.alloc(length, "x");
  text.write("é🙂".repeat(Math.floor(length / 6)));
  return text;
}

/** So many bytes of a linear congruential generator. */
export function binaryOf(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = length;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}
