/**
 * Group 7: the closing handshake (RFC 6455, 5.5.1 and 7). A close frame is answered with the same
 * code, nothing behind it is heeded, and the gateway ends the TCP connection first (7.1.1).
 */
import {
  anEmptyClose,
  aPing,
  aTextAfterwards,
  type Chapter,
  type ConformanceCase,
  closed,
  failed,
  failedByHeader,
  message,
  normalClosure,
  stage,
} from "./case.ts";
import { bytesOf, CLOSE, CONTINUATION, closeFrame, frame, PING, TEXT } from "./frames.ts";

const first = frame(TEXT, "begun", { fin: false });
const last = frame(CONTINUATION, "and finished");
const normal = closeFrame(1000);
const REASON = "that is all";
const LONG = Buffer.alloc(256 * 1024, "quarter of a mebibyte ");

/** 7.4.1 and 7.4.2, and the codes that were registered up to RFC 6455. */
const VALID_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
/** Below all ranges, reserved for no frame (1004 to 1006), or nobody's. */
const INVALID_CODES = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
const BEYOND_CODES = [5000, 65_535];

/** Whatever byte is thought to follow it, a code of an application would come of it. */
const HALF_A_CODE = Uint8Array.of(0x0f);

/** The whole frame must be read to know what is wrong with its payload. */
function badClose(id: string, sentence: string, wrong: Uint8Array, code = 1002): ConformanceCase {
  const when = "at the frame's end";
  return failed({ id, sentence, code, when, decisive: [wrong], rest: [aPing] });
}

function basic(): ConformanceCase[] {
  const hello = stage([frame(TEXT, "hello")], [message(TEXT, "hello")]);
  return [
    {
      ...closed("7.1.1", "a text, then a close frame", 1000, [normal]),
      outcome: "echoed, then answered with 1000",
      stages: () => [hello, normalClosure],
    },
    closed("7.1.2", "two close frames", 1000, [normal], [anEmptyClose]),
    closed("7.1.3", "a close frame, then a ping", 1000, [normal], [aPing]),
    closed("7.1.4", "a close frame, then a text", 1000, [normal], [aTextAfterwards]),
    closed("7.1.5", "a close frame inside a fragmented text", 1000, [first, normal], [last]),
    longBeforeClose(),
  ];
}

/** What was sent before the close frame is echoed before it is answered, however long it is. */
function longBeforeClose(): ConformanceCase {
  const sent = [stage([frame(TEXT, LONG)], [message(TEXT, LONG)])];
  sent.push(stage([frame(TEXT, "and this")], [message(TEXT, "and this")]));
  return {
    ...closed("7.1.6", "a text of 256 KiB, a short one, a close frame, a ping", 1000, []),
    outcome: "both echoed, then answered with 1000",
    hub: "large",
    stages: () => [...sent, normalClosure, stage([frame(PING)])],
  };
}

function structure(): ConformanceCase[] {
  const longest = closeFrame(1000, "r".repeat(123));
  const tooLong = closeFrame(1000, "r".repeat(124));
  return [
    closed("7.3.1", "a close frame without payload", 1005, [anEmptyClose]),
    // 5.5.1: "the first two bytes of the body MUST be a 2-byte unsigned integer".
    badClose("7.3.2", "a close frame with one byte", frame(CLOSE, HALF_A_CODE)),
    closed("7.3.3", "a close frame with a code", 1000, [normal]),
    closed("7.3.4", "a close frame with a code and a reason", 1000, [closeFrame(1000, REASON)]),
    closed("7.3.5", "a close frame with a reason of 123 bytes", 1000, [longest]),
    failedByHeader("7.3.6", "a close frame with a reason of 124 bytes", tooLong, {
      rest: [aPing],
    }),
  ];
}

/** 8.1 has 1007 for text that is not UTF-8, and the reason is text (5.5.1). */
function reason(): ConformanceCase[] {
  const surrogate = Uint8Array.of(0xed, 0xa0, 0x80);
  const wrong = Buffer.concat([bytesOf("κόσμε"), surrogate, bytesOf("and more")]);
  const sentence = "a close frame whose reason is not UTF-8";
  return [badClose("7.5.1", sentence, closeFrame(1000, wrong), 1007)];
}

function codes(group: string, all: number[], make: typeof valid): ConformanceCase[] {
  return all.map((code, index) => make(`${group}.${index + 1}`, code));
}

function valid(id: string, code: number): ConformanceCase {
  return closed(id, `a close frame with code ${code}`, code, [closeFrame(code)]);
}

function invalid(id: string, code: number): ConformanceCase {
  return badClose(id, `a close frame with code ${code}`, closeFrame(code));
}

export const close: Chapter = {
  number: "7",
  title: "Close handling",
  groups: [
    { number: "7.1", title: "The closing handshake", cases: basic() },
    { number: "7.3", title: "The close frame's length", cases: structure() },
    { number: "7.5", title: "The close frame's reason", cases: reason() },
    { number: "7.7", title: "Codes that may be sent", cases: codes("7.7", VALID_CODES, valid) },
    {
      number: "7.9",
      title: "Codes that may not be sent",
      cases: codes("7.9", INVALID_CODES, invalid),
    },
    {
      number: "7.13",
      title: "Codes beyond all ranges",
      cases: codes("7.13", BEYOND_CODES, invalid),
    },
  ],
};
