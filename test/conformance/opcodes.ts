/**
 * Group 4: "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket
 * Connection_" (RFC 6455, 5.2), each of the ten reserved ones.
 */
import {
  aPing,
  type Chapter,
  type ConformanceCase,
  failedByHeader,
  message,
  stage,
} from "./case.ts";
import { frame, TEXT } from "./frames.ts";

const text = "before the reserved opcode";
const before = stage([frame(TEXT, text)], [message(TEXT, text)]);
/** In each kind: alone without and with payload, then between a text and a ping. */
const PAYLOADS = ["", "payload", "", "payload", "payload, byte by byte"];

function reserved(group: string, first: number): ConformanceCase[] {
  return PAYLOADS.map((payload, index) => {
    const opcode = first + index;
    const what = `opcode ${opcode} ${payload === "" ? "without payload" : `with ${payload}`}`;
    const wrong = frame(opcode, payload === "" ? "" : "of no known kind");
    const id = `${group}.${index + 1}`;
    if (index < 2) return failedByHeader(id, `a frame of ${what}`, wrong);
    return failedByHeader(id, `a text, ${what}, a ping`, wrong, { before, rest: [aPing] });
  });
}

export const opcodes: Chapter = {
  number: "4",
  title: "Opcodes",
  groups: [
    { number: "4.1", title: "Reserved for data frames", cases: reserved("4.1", 3) },
    { number: "4.2", title: "Reserved for control frames", cases: reserved("4.2", 11) },
  ],
};
