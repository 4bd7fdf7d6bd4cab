import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { inflateMessage, ZlibCodec } from "./codec.test.helper.ts";
import { COMPRESS_BYTES_MIN, Deflation } from "./deflation.ts";

function opened() {
  const codec = new ZlibCodec(new Int32Array(2));
  return { codec, deflation: new Deflation(codec) };
}

/** What the message is deflated to, or undefined where it goes plain. */
function deflate(deflation: Deflation, message: Uint8Array, windowBits = 15): Buffer | undefined {
  const input = Buffer.concat([Buffer.from("before"), message, Buffer.from("behind")]);
  if (!deflation.deflate(input, 6, message.length, windowBits)) return undefined;
  return Buffer.from(deflation.take().subarray(0, deflation.length));
}

const text = (length: number) =>
  Buffer.from(
    Array.from({ length: Math.ceil(length / 8) }, (_, index) => `word ${index % 997}`)
      .join(" ")
      .padEnd(length, " again")
      .slice(0, length),
  );

describe("a message", () => {
  for (const length of [COMPRESS_BYTES_MIN, 1000, 65_536, 65_537, 1_000_000]) {
    test(`of ${length} bytes becomes smaller, for every window`, () => {
      const { codec, deflation } = opened();
      const message = text(length);
      const windows = [9, 10, 11, 12, 13, 14, 15];
      for (const windowBits of windows) {
        const deflated = deflate(deflation, message, windowBits);
        assert.ok(deflated !== undefined && deflated.length < length);
        assert.deepEqual(inflateMessage(deflated, windowBits), message);
      }
      const calls = windows.flatMap((it) => (length > 65_536 ? [it, it] : [it]));
      assert.deepEqual(codec.deflated, calls, "of a long one the beginning is tried first");
    });
  }

  test(`of fewer than ${COMPRESS_BYTES_MIN} bytes goes plain, and the codec is not asked`, () => {
    const { codec, deflation } = opened();
    for (const length of [0, 1, COMPRESS_BYTES_MIN - 1]) {
      assert.equal(deflate(deflation, Buffer.alloc(length)), undefined);
    }
    assert.deepEqual(codec.deflated, []);
  });

  for (const length of [COMPRESS_BYTES_MIN, 5000, 65_536, 100_000]) {
    test(`of ${length} bytes that cannot become smaller goes plain`, () => {
      const { deflation } = opened();
      assert.equal(deflate(deflation, randomBytes(length)), undefined);
      assert.ok(deflate(deflation, text(length)) !== undefined);
    });
  }

  test("that is as long as before goes plain", () => {
    const deflation = new Deflation({ deflate: (_input, _offset, length) => length });
    assert.equal(deflation.deflate(Buffer.alloc(300), 0, 300, 15), false);
    const smaller = new Deflation({ deflate: (_input, _offset, length) => length - 1 });
    assert.equal(smaller.deflate(Buffer.alloc(300), 0, 300, 15), true);
  });

  test("that is long is not tried whole when its beginning does not become smaller", () => {
    const lengths: number[] = [];
    const deflation = new Deflation({
      deflate: (_input, _offset, length) => {
        lengths.push(length);
        return Math.floor(length * 0.91);
      },
    });
    assert.equal(deflation.deflate(Buffer.alloc(100_000), 0, 100_000, 15), false);
    assert.deepEqual(lengths, [16_384]);
  });

  test("that is long is not kept beyond its time", () => {
    const { deflation } = opened();
    assert.equal(deflation.deflate(text(100_000), 0, 100_000, 15), true);
    const long = deflation.take();
    assert.notEqual(deflation.take(), long);
  });
});
