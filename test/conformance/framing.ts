/**
 * Group 1: unfragmented messages at the edges where the length changes its form (RFC 6455, 5.2),
 * as text and as binary.
 */
import { accepted, type Chapter, type ConformanceCase, message, stage } from "./case.ts";
import { BINARY, frame, TEXT } from "./frames.ts";

/** 125 is the last length of seven bits, 65,535 the last of sixteen. */
const LENGTHS = [0, 125, 126, 127, 128, 65_535, 65_536, 65_536];
const CHOPPED = LENGTHS.length - 1;
const CHOP_BYTES = 997;

function lengths(group: string, opcode: number, payloadOf: (length: number) => Uint8Array) {
  return LENGTHS.map((length, index): ConformanceCase => {
    const kind = opcode === TEXT ? "text" : "binary message";
    const chopped = index === CHOPPED ? `, written in chops of ${CHOP_BYTES}` : "";
    const sentence = `a ${kind} of ${length.toLocaleString("en")} bytes${chopped}`;
    const payload = payloadOf(length);
    const bytes = frame(opcode, payload);
    const sends = chopped === "" ? [bytes] : chop(bytes, CHOP_BYTES);
    const stages = [stage(sends, [message(opcode, payload)])];
    return accepted(`${group}.${index + 1}`, sentence, "echoed", () => stages);
  });
}

/** Each chop is a write of its own wherever the runner cuts at all. */
export function chop(bytes: Uint8Array, chopBytes: number): Uint8Array[] {
  const chops: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += chopBytes) {
    chops.push(bytes.subarray(start, start + chopBytes));
  }
  return chops;
}

const letters = (length: number) => Buffer.alloc(length, "abcdefghijklmnopqrstuvwxyz0123456789-");
/** No byte of it begins a character. */
const noText = (length: number) => Buffer.alloc(length, Uint8Array.of(0xfe, 0x80, 0xff, 0xbf, 0));

export const framing: Chapter = {
  number: "1",
  title: "Framing",
  groups: [
    { number: "1.1", title: "Text", cases: lengths("1.1", TEXT, letters) },
    { number: "1.2", title: "Binary", cases: lengths("1.2", BINARY, noText) },
  ],
};
