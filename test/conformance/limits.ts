/**
 * Group 9: long messages, whole, in fragments and in chops, and many short ones in turn, on a hub
 * that takes 16 MiB in a message and has all other limits at their defaults.
 */
import {
  accepted,
  type Chapter,
  type ConformanceCase,
  message,
  type Stage,
  stage,
} from "./case.ts";
import { BINARY, fragments, frame, TEXT } from "./frames.ts";
import { chop } from "./framing.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const LENGTHS = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB];
const FRAGMENTED_BYTES = 4 * MIB;
const FRAGMENTS = [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB];
const CHOPPED_BYTES = MIB;
const CHOPS = [64, 128, 256, 512, KIB, 2 * KIB];
const SHORT_LENGTHS = [0, 16, 64, 256, KIB, 4 * KIB];
const ROUND_TRIPS = 1000;

/** Seventeen and thirteen bytes long, so that no cut falls at the same place twice. */
const LETTERS = "of any length, zß";
const NO_TEXT = Uint8Array.of(0xfe, 0, 1, 0x80, 0xff, 2, 0xc0, 3, 0xed, 0xa0, 4, 0xf5, 5);

function payloadOf(opcode: number, length: number): Uint8Array {
  if (opcode === BINARY) return Buffer.alloc(length, NO_TEXT);
  const payload = Buffer.alloc(length, LETTERS);
  // The last character may have been cut in two.
  return payload.fill("-", length - (length % Buffer.byteLength(LETTERS)));
}

function size(bytes: number): string {
  if (bytes < KIB) return `${bytes} bytes`;
  return bytes < MIB ? `${bytes / KIB} KiB` : `${bytes / MIB} MiB`;
}

function kindOf(opcode: number): string {
  return opcode === TEXT ? "text" : "binary message";
}

function large(
  id: string,
  sentence: string,
  stages: () => Iterable<Stage>,
  outcome = "echoed",
): ConformanceCase {
  return accepted(id, sentence, outcome, stages, "large");
}

function oneMessage(opcode: number, length: number, cut: (payload: Uint8Array) => Uint8Array[]) {
  const payload = payloadOf(opcode, length);
  return [stage(cut(payload), [message(opcode, payload)])];
}

function long(group: string, opcode: number): ConformanceCase[] {
  return LENGTHS.map((length, index) =>
    large(`${group}.${index + 1}`, `a ${kindOf(opcode)} of ${size(length)}`, () =>
      oneMessage(opcode, length, (payload) => [frame(opcode, payload)]),
    ),
  );
}

function fragmented(group: string, opcode: number): ConformanceCase[] {
  const what = `a ${kindOf(opcode)} of ${size(FRAGMENTED_BYTES)}`;
  return FRAGMENTS.map((bytes, index) =>
    large(`${group}.${index + 1}`, `${what} in frames of ${size(bytes)}`, () =>
      oneMessage(opcode, FRAGMENTED_BYTES, (payload) => fragments(opcode, payload, bytes)),
    ),
  );
}

function chopped(group: string, opcode: number): ConformanceCase[] {
  const what = `a ${kindOf(opcode)} of ${size(CHOPPED_BYTES)}`;
  return CHOPS.map((bytes, index) =>
    large(`${group}.${index + 1}`, `${what}, written in chops of ${size(bytes)}`, () =>
      oneMessage(opcode, CHOPPED_BYTES, (payload) => chop(frame(opcode, payload), bytes)),
    ),
  );
}

/** Each is sent when the one before has come back, where stages are sent apart. */
function roundTrips(group: string, opcode: number): ConformanceCase[] {
  return SHORT_LENGTHS.map((length, index) => {
    const what = opcode === TEXT ? "texts" : "binary messages";
    const sentence = `${ROUND_TRIPS.toLocaleString("en")} ${what} of ${size(length)}, in turn`;
    const stages = () => {
      const [one] = oneMessage(opcode, length, (payload) => [frame(opcode, payload)]);
      return Array.from({ length: ROUND_TRIPS }, () => one as Stage);
    };
    return large(`${group}.${index + 1}`, sentence, stages, "all echoed");
  });
}

export const limits: Chapter = {
  number: "9",
  title: "Limits and performance",
  groups: [
    { number: "9.1", title: "Long texts", cases: long("9.1", TEXT) },
    { number: "9.2", title: "Long binary messages", cases: long("9.2", BINARY) },
    { number: "9.3", title: "Texts in fragments", cases: fragmented("9.3", TEXT) },
    { number: "9.4", title: "Binary messages in fragments", cases: fragmented("9.4", BINARY) },
    { number: "9.5", title: "Texts in chops", cases: chopped("9.5", TEXT) },
    { number: "9.6", title: "Binary messages in chops", cases: chopped("9.6", BINARY) },
    { number: "9.7", title: "Round trips of texts", cases: roundTrips("9.7", TEXT) },
    { number: "9.8", title: "Round trips of binary messages", cases: roundTrips("9.8", BINARY) },
  ],
};
