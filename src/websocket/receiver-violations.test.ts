import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BINARY, TEXT } from "../core/opcode.ts";
import { type ClientFrame, concat, eventsOf } from "./receiver.test.helper.ts";
import * as violations from "./violation.ts";

const hello: ClientFrame = { opcode: TEXT, payload: "Hello" };
const longBytes = Uint8Array.from({ length: 200 }, (_, index) => index);

describe("each malformed stream has its violation", () => {
  const open: ClientFrame = { opcode: TEXT, payload: "a", fin: false };
  const part: ClientFrame = { opcode: 0, payload: "x", fin: false };
  const empty: ClientFrame = { ...part, payload: "" };
  const overlong = Uint8Array.of(0xc0, 0x80);
  const cases: [string, violations.Violation, ClientFrame[]][] = [
    ["RSV1", violations.RESERVED_BIT_SET, [{ ...hello, rsv: 4 }]],
    ["RSV3 of a ping", violations.RESERVED_BIT_SET, [{ opcode: 9, payload: "", rsv: 1 }]],
    ["opcode 3", violations.RESERVED_OPCODE, [{ opcode: 3, payload: "" }]],
    ["opcode 11", violations.RESERVED_OPCODE, [{ opcode: 11, payload: "" }]],
    ["no mask", violations.UNMASKED_FRAME, [{ ...hello, masked: false }]],
    [
      "a ping of 126 bytes",
      violations.CONTROL_FRAME_TOO_LONG,
      [{ opcode: 9, payload: longBytes.subarray(0, 126) }],
    ],
    [
      "a ping whose length is in 8 bytes",
      violations.CONTROL_FRAME_TOO_LONG,
      [{ opcode: 9, payload: "", announcedLength: 2n ** 40n }],
    ],
    [
      "a ping's fragment",
      violations.CONTROL_FRAME_FRAGMENTED,
      [{ opcode: 9, payload: "", fin: false }],
    ],
    ["a continuation of nothing", violations.UNEXPECTED_CONTINUATION, [part]],
    ["a continuation behind a message", violations.UNEXPECTED_CONTINUATION, [hello, part]],
    ["a message inside a message", violations.EXPECTED_CONTINUATION, [open, hello]],
    ["a short length in 2 bytes", violations.LENGTH_NOT_MINIMAL, [{ ...hello, lengthBytes: 2 }]],
    ["a short length in 8 bytes", violations.LENGTH_NOT_MINIMAL, [{ ...hello, lengthBytes: 8 }]],
    ["a length of 2^63", violations.LENGTH_TOO_LARGE, [{ ...hello, announcedLength: 2n ** 63n }]],
    [
      "a length of 2^63 - 1",
      violations.MESSAGE_TOO_BIG,
      [{ ...hello, announcedLength: 2n ** 63n - 1n }],
    ],
    [
      "a frame above the limit",
      violations.MESSAGE_TOO_BIG,
      [{ opcode: BINARY, payload: "", announcedLength: 301n }],
    ],
    [
      "frames that are above it together",
      violations.MESSAGE_TOO_BIG,
      [
        { opcode: BINARY, payload: longBytes, fin: false },
        { ...part, payload: "", announcedLength: 101n },
      ],
    ],
    ["nine frames", violations.TOO_MANY_FRAMES, [{ ...part, opcode: 2 }, ...Array(8).fill(part)]],
    ["four empty frames", violations.TOO_MANY_EMPTY_FRAMES, [open, empty, empty, empty, empty]],
    ["a text that is not UTF-8", violations.INVALID_UTF8, [{ ...hello, payload: overlong }]],
    [
      "a long text that is not UTF-8",
      violations.INVALID_UTF8,
      [{ ...hello, payload: concat(longBytes.subarray(0, 128), overlong) }],
    ],
    [
      "a text that ends inside a character",
      violations.INVALID_UTF8,
      [{ ...hello, payload: Uint8Array.of(0x41, 0xe2, 0x82) }],
    ],
    [
      "a long text that ends inside a character",
      violations.INVALID_UTF8,
      [{ ...hello, payload: concat(longBytes.subarray(0, 128), Uint8Array.of(0xe2, 0x82)) }],
    ],
    [
      "a fragmented text that ends inside a character",
      violations.INVALID_UTF8,
      [open, { opcode: 0, payload: Uint8Array.of(0xe2, 0x82) }],
    ],
    [
      "half a close code",
      violations.CLOSE_PAYLOAD_TOO_SHORT,
      [{ opcode: 8, payload: Uint8Array.of(3) }],
    ],
    [
      "close code 1005",
      violations.CLOSE_CODE_INVALID,
      [{ opcode: 8, payload: Uint8Array.of(3, 237) }],
    ],
    [
      "a close reason that is not UTF-8",
      violations.CLOSE_REASON_NOT_UTF8,
      [{ opcode: 8, payload: Uint8Array.of(3, 232, 0xff) }],
    ],
  ];
  for (const [name, violation, frames] of cases) {
    test(`${name}: ${violation.sentence}`, () => {
      assert.equal(eventsOf(...frames).at(-1), `violation: ${violation.sentence}`);
    });
  }

  test("and every violation is frozen, has a close code of its name and is in the cases", () => {
    const closeCodes = new Map([
      ["protocol-error", 1002],
      ["invalid-utf8", 1007],
      ["invalid-compression", 1007],
      ["message-too-big", 1009],
      ["too-many-frames", 1008],
    ]);
    // Nothing is compressed here: see receiver-compressed.test.ts.
    const covered = new Set([violations.INVALID_DEFLATE, ...cases.map(([, each]) => each)]);
    for (const violation of Object.values(violations)) {
      assert(Object.isFrozen(violation));
      assert.equal(violation.closeCode, closeCodes.get(violation.name));
      assert(covered.has(violation), violation.sentence);
    }
  });
});
