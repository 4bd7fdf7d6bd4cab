import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { INFLATE_FULL, INFLATE_INVALID, INFLATED } from "../reactor/binding.ts";
import { deflateMessage, ZlibCodec } from "./codec.test.helper.ts";
import { compressedBytesMax, Inflation } from "./inflation.ts";
import { INVALID_DEFLATE, MESSAGE_TOO_BIG } from "./violation.ts";

const PIECE = 65_536;

/** Counts what is asked of the codec, and can be told what to answer. */
class WatchedCodec extends ZlibCodec {
  calls = 0;
  outputBytes = 0;

  override inflate(
    input: Uint8Array,
    offset: number,
    length: number,
    output: Uint8Array,
    isFirst: boolean,
    isLast: boolean,
  ): number {
    this.calls += 1;
    this.outputBytes += output.length;
    assert.equal(isFirst, this.calls === 1);
    return super.inflate(input, offset, length, output, isFirst, isLast);
  }
}

function opened() {
  const progress = new Int32Array(2);
  const codec = new WatchedCodec(progress);
  return { codec, inflation: new Inflation(codec, progress) };
}

/** The message, or what is wrong with it; `before` and `behind` are bytes beside the payload. */
function inflate(inflation: Inflation, payload: Uint8Array, messageBytesMax: number) {
  const input = Buffer.concat([Buffer.from("before"), payload, Buffer.from("behind")]);
  const violation = inflation.inflate(input, 6, payload.length, messageBytesMax);
  return violation ?? Buffer.from(inflation.take().subarray(0, inflation.length));
}

const LENGTHS = [0, 1, 100, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 17, 1_000_000];

describe("a compressed message", () => {
  for (const length of LENGTHS) {
    const message = Buffer.alloc(length).map((_, index) => (index * 7 + (index >> 8)) & 255);

    test(`of ${length} bytes is whole, and so is the next one`, () => {
      const { inflation } = opened();
      const payload = deflateMessage(message);
      assert.deepEqual(inflate(inflation, payload, 1_000_000), message);
      const next = opened();
      assert.deepEqual(inflate(next.inflation, payload, 1_000_000), message);
      next.codec.calls = 0;
      assert.deepEqual(inflate(next.inflation, deflateMessage("next"), 4), Buffer.from("next"));
    });

    if (length === 0) continue;
    test(`of ${length} bytes passes at its limit and not above`, () => {
      const payload = deflateMessage(message);
      assert.deepEqual(inflate(opened().inflation, payload, length), message);
      assert.equal(inflate(opened().inflation, payload, length - 1), MESSAGE_TOO_BIG);
    });
  }

  test("that fits in one piece takes no memory of its own", () => {
    const { inflation } = opened();
    inflate(inflation, deflateMessage("a"), 100);
    const first = inflation.take();
    assert.equal(first.length, PIECE);
    assert.equal(inflation.take(), first);
  });

  test("that is long is not kept beyond its time", () => {
    const { inflation } = opened();
    const payload = deflateMessage(Buffer.alloc(100_000));
    assert.equal(inflation.inflate(payload, 0, payload.length, 100_000), undefined);
    assert.equal(inflation.take().length, 100_000);
    assert.equal(inflation.take().length, PIECE);
  });
});

test("a bomb is cut off at the limit, and costs one piece more at the most", () => {
  const bomb = deflateMessage(Buffer.alloc(20 << 20));
  for (const messageBytesMax of [1, 1000, PIECE, 1 << 20, 5_000_000]) {
    const { codec, inflation } = opened();
    assert.equal(inflate(inflation, bomb, messageBytesMax), MESSAGE_TOO_BIG);
    assert.ok(codec.outputBytes <= messageBytesMax + PIECE, `${codec.outputBytes} bytes`);
  }
});

test("what is no DEFLATE, or ends in the middle of it, is told", () => {
  const { inflation } = opened();
  const whole = deflateMessage("Hello, hello, hello");
  for (const payload of [Uint8Array.of(0xff, 0xff, 0xff), whole.subarray(0, -3)]) {
    assert.equal(inflate(opened().inflation, payload, 1000), INVALID_DEFLATE);
  }
  assert.deepEqual(inflate(inflation, whole, 1000).toString(), "Hello, hello, hello");
});

test("what is no DEFLATE behind the first piece is told, and nothing of it is kept", () => {
  const progress = new Int32Array(2);
  let calls = 0;
  const codec = {
    inflate(_input: Uint8Array, _offset: number, length: number, output: Uint8Array) {
      calls += 1;
      progress.set([calls < 3 ? 1 : length, output.length]);
      return calls < 3 ? INFLATE_FULL : INFLATE_INVALID;
    },
  };
  const inflation = new Inflation(codec, progress);
  assert.equal(inflation.inflate(new Uint8Array(10), 0, 10, 1 << 20), INVALID_DEFLATE);
  assert.equal(calls, 3);
  assert.equal(inflation.take().length, PIECE);
});

test("the codec is given a payload's parts one after the other, into the room that is left", () => {
  const progress = new Int32Array(2);
  const given: unknown[][] = [];
  // Each byte of input becomes a third of a piece, and the last one says that all is there.
  const codec = {
    inflate(
      input: Uint8Array,
      offset: number,
      length: number,
      output: Uint8Array,
      isFirst: boolean,
      isLast: boolean,
    ) {
      given.push([input.length, offset, length, output.length, isFirst, isLast]);
      const third = Math.ceil(PIECE / 3);
      const taken = Math.min(length, Math.ceil(output.length / third));
      progress.set([taken, Math.min(output.length, taken * third)]);
      return isLast && taken === length ? INFLATED : INFLATE_FULL;
    },
  };
  const inflation = new Inflation(codec, progress);
  const parts = [10, 20, 30].map((size) => ({ bytes: new Uint8Array(size), offset: 5, length: 2 }));
  assert.equal(inflation.inflateParts(parts, 1 << 20), undefined);
  const third = Math.ceil(PIECE / 3);
  assert.deepEqual(given, [
    [10, 5, 2, PIECE, true, false],
    [20, 5, 2, PIECE - 2 * third, false, false],
    [20, 6, 1, PIECE, false, false],
    [30, 5, 2, PIECE - third, false, true],
  ]);
  assert.equal(inflation.length, 2 * PIECE);
  assert.equal(inflation.take().length, inflation.length);
  assert.equal(inflation.inflateParts(parts, PIECE), MESSAGE_TOO_BIG);
  assert.equal(inflation.take().length, PIECE, "nothing of it is kept");
});

test("the codec is given what it has not consumed", () => {
  const progress = new Int32Array(2);
  const given: number[][] = [];
  const codec = {
    inflate(_: Uint8Array, offset: number, length: number, output: Uint8Array, isFirst: boolean) {
      given.push([offset, length, Number(isFirst)]);
      progress.set([3, given.length < 3 ? output.length : 5]);
      return given.length < 3 ? INFLATE_FULL : INFLATED;
    },
  };
  const inflation = new Inflation(codec, progress);
  assert.equal(inflation.inflate(new Uint8Array(100), 50, 9, 1 << 20), undefined);
  assert.deepEqual(given, [
    [50, 9, 1],
    [53, 6, 0],
    [56, 3, 0],
  ]);
  assert.equal(inflation.length, 2 * PIECE + 5);
});

test("a message that cannot be compressed may be longer than the limit while it is", () => {
  for (const messageBytesMax of [1024, 131_072, 64 << 20]) {
    const bound = compressedBytesMax(messageBytesMax);
    // Nine bits for each byte, as fixed codes have it, and the ends of blocks.
    assert.ok(bound >= (messageBytesMax * 9) / 8 + 64);
    assert.ok(bound <= messageBytesMax * 1.15 + 64);
  }
});
