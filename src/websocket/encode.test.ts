import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeClose, headerBytesOf, PING_FRAME, writeFrameHeader } from "./encode.ts";
import { decodeFrameHeader, FrameHeader, OPCODE_CLOSE, OPCODE_PING } from "./frame-header.ts";

test("a header is as short as can be and reads back, whatever the length", () => {
  for (const length of [0, 1, 125, 126, 65535, 65536, 2 ** 31, 2 ** 32 + 7, 2 ** 40]) {
    const into = new Uint8Array(20);
    writeFrameHeader(into, 5, 2, length);
    const header = new FrameHeader();
    const headerBytes = headerBytesOf(length);
    assert(decodeFrameHeader(into, 5, 5 + headerBytes, header));
    assert.deepEqual(
      { ...header },
      { fin: true, rsv: 0, opcode: 2, masked: false, length, key: 0, headerBytes },
    );
    assert.equal(headerBytes, length < 126 ? 2 : length < 65536 ? 4 : 10);
    assert(into.subarray(0, 5).every((byte) => byte === 0));
    assert(into.subarray(5 + headerBytes).every((byte) => byte === 0));
  }
});

test("the ping has no payload", () => {
  assert.deepEqual(PING_FRAME, Uint8Array.of(0x80 | OPCODE_PING, 0));
});

test("a close frame has its code and reason", () => {
  const frame = encodeClose(4001, "grüß");
  assert.deepEqual(frame.subarray(0, 4), Uint8Array.of(0x80 | OPCODE_CLOSE, 8, 0x0f, 0xa1));
  assert.equal(new TextDecoder().decode(frame.subarray(4)), "grüß");
});

test("a close frame may do without a reason", () => {
  assert.deepEqual(encodeClose(1000, ""), Uint8Array.of(0x88, 2, 0x03, 0xe8));
});

test("a reason that is too long is cut between two characters", () => {
  for (const [character, fitting] of [
    ["a", 123],
    ["é", 61],
    ["€", 41],
    ["😀", 30],
  ] as const) {
    const frame = encodeClose(1011, character.repeat(200));
    const reason = new TextDecoder("utf-8", { fatal: true }).decode(frame.subarray(4));
    assert.equal(reason, character.repeat(fitting));
    assert.equal(frame[1], frame.length - 2);
  }
});
