import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeClientFrames, serverFrame } from "./bench.test.helper.ts";
import { encodeFlight, encodeMasked } from "./flight.ts";

const mask = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

for (const length of [0, 1, 125, 126, 65_535, 65_536]) {
  test(`a flight of messages of ${length} B is what a server reads, and answers`, () => {
    const flight = encodeFlight(length, 3, false, mask);
    const { frames } = decodeClientFrames(Buffer.from(flight.frames));
    assert.deepEqual(
      frames.map(({ opcode, payload }) => [opcode, payload.length]),
      [2, 2, 2].map((opcode) => [opcode, length]),
    );
    const answers = frames.map(({ opcode, payload }) => serverFrame(opcode, payload));
    assert.deepEqual(Buffer.from(flight.answers), Buffer.concat([...answers, ...answers]));
    assert.equal(flight.frameBytes * 3, flight.frames.length);
    assert.equal(flight.answerBytes * 6, flight.answers.length);
  });
}

test("the messages of a flight differ, so that a mix-up shows", () => {
  for (const text of [true, false]) {
    const { frames } = decodeClientFrames(Buffer.from(encodeFlight(20, 32, text, mask).frames));
    assert.equal(new Set(frames.map(({ payload }) => payload.toString("latin1"))).size, 32);
  }
});

test("text is text: printable ASCII with the opcode of text", () => {
  const { frames } = decodeClientFrames(Buffer.from(encodeFlight(500, 4, true, mask).frames));
  for (const { opcode, payload } of frames) {
    assert.equal(opcode, 1);
    assert.match(payload.toString("latin1"), /^[\x20-\x7e]{500}$/);
  }
});

test("one masked frame is read back as it was given", () => {
  const { frames } = decodeClientFrames(Buffer.from(encodeMasked(10, Buffer.from("pong"), mask)));
  assert.deepEqual(frames, [{ opcode: 10, payload: Buffer.from("pong") }]);
});
