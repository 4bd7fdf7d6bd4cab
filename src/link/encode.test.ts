/** What is written: many frames at once, and the header that a message has by itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import { BINARY, TEXT } from "../core/opcode.ts";
import { FrameWriter } from "./body.ts";
import { MESSAGE_HEADER_BYTES, writeFrame, writeMessageHeader } from "./encode.ts";
import { MESSAGE_TEXT, SEND_BINARY } from "./frame.ts";
import { anyFrame, encode, messages } from "./frames.test.helper.ts";

const runs = { seed: testSeed(), numRuns: propertyRuns(200, 20_000) };

test("a message's header, written by itself, is what stands before its payload", () => {
  const property = fc.property(messages, fc.nat({ max: 9 }), (message, at) => {
    const { type, channel, number, timeMs, bytes, start, end } = message;
    const opcode = type === MESSAGE_TEXT ? TEXT : BINARY;
    const into = new Uint8Array(at + MESSAGE_HEADER_BYTES + 1).fill(0xee);
    writeMessageHeader(into, at, opcode, channel, number, timeMs, end - start);
    const header = into.subarray(at, at + MESSAGE_HEADER_BYTES);
    const whole = Buffer.concat([header, bytes.subarray(start, end)]);
    assert.deepEqual(whole, Buffer.from(encode(message)));
    assert.deepEqual(into.subarray(0, at), new Uint8Array(at).fill(0xee));
    assert.equal(into.at(-1), 0xee);
  });
  fc.assert(property, runs);
});

test("frames stand one behind the other, as each would by itself", () => {
  const writer = new FrameWriter();
  const property = fc.property(fc.array(anyFrame), (frames) => {
    for (const frame of frames) writeFrame(writer, frame);
    const whole = Buffer.concat(frames.map(encode));
    assert.equal(writer.length, whole.length);
    assert.deepEqual(Buffer.from(writer.take()), whole);
    assert.equal(writer.length, 0);
  });
  fc.assert(property, runs);
});

test("what was taken is not written over, be it little or much", () => {
  for (const length of [10, 5000, 200_000]) {
    const writer = new FrameWriter();
    const send = (byte: number) => {
      const bytes = new Uint8Array(length).fill(byte);
      writeFrame(writer, { type: SEND_BINARY, channel: byte, bytes, start: 0, end: length });
      return writer.take();
    };
    const first = send(1);
    const copy = Buffer.from(first);
    const second = send(2);
    assert.deepEqual(Buffer.from(first), copy);
    assert.equal(second.length, length + 9);
    assert.equal(second.at(-1), 2);
  }
});
