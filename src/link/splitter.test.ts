/**
 * A stream of frames is the same frames however it is cut, and what is kept of one that is not
 * whole is bounded by what came of it, not by what its length promises.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import type { LinkFault } from "./fault.ts";
import { SEND_TEXT, type Send } from "./frame.ts";
import { anyFrame, encode } from "./frames.test.helper.ts";
import { FrameSplitter } from "./splitter.ts";

const FRAME_BYTES_MAX = 1_000_000;
const runs = { seed: testSeed(), numRuns: propertyRuns(100, 20_000) };

/** Pushes pieces, each in the middle of something larger, and notes the frames as hex. */
class Feeder {
  readonly frames: string[] = [];
  readonly splitter: FrameSplitter;
  bytes = 0;

  constructor(frameBytesMax = FRAME_BYTES_MAX) {
    this.splitter = new FrameSplitter(frameBytesMax);
  }

  push(piece: Uint8Array): LinkFault | undefined {
    const around = Buffer.alloc(piece.length + 4, 0xee);
    around.set(piece, 3);
    const fault = this.splitter.push(around, 3, 3 + piece.length, (bytes, start, end) => {
      this.frames.push(Buffer.from(bytes.subarray(start, end)).toString("hex"));
      return undefined;
    });
    const { keptBytes, reservedBytes } = this.splitter;
    assert.ok(reservedBytes <= 2 * keptBytes + 4096, `${reservedBytes} for ${keptBytes}`);
    return fault;
  }
}

function send(length: number, channel = 1): Send {
  return {
    type: SEND_TEXT,
    channel,
    bytes: new Uint8Array(length).fill(97),
    start: 0,
    end: length,
  };
}

function hexOf(bodies: Uint8Array[]): string[] {
  return bodies.map((body) => Buffer.from(body.subarray(4)).toString("hex"));
}

describe("frames come whole", () => {
  const bodies = [send(0), send(1), send(300), send(0, 2), send(70)].map(encode);
  const stream = Buffer.concat(bodies);

  test("when the stream is cut at any one place", () => {
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const feeder = new Feeder();
      assert.equal(feeder.push(stream.subarray(0, cut)), undefined);
      assert.equal(feeder.push(stream.subarray(cut)), undefined);
      assert.deepEqual(feeder.frames, hexOf(bodies));
      assert.equal(feeder.splitter.keptBytes, 0);
    }
  });

  test("when it comes in single bytes, each frame with its last one", () => {
    const feeder = new Feeder();
    let ends = 0;
    for (const body of bodies) {
      for (const byte of body) {
        assert.equal(feeder.frames.length, ends);
        assert.equal(feeder.push(Uint8Array.of(byte)), undefined);
      }
      ends += 1;
      assert.equal(feeder.frames.length, ends);
    }
    assert.deepEqual(feeder.frames, hexOf(bodies));
  });

  test("when any frames are cut anywhere", () => {
    const large = fc.integer({ min: 0, max: 30_000 }).map((length) => send(length));
    const frames = fc.array(fc.oneof({ weight: 4, arbitrary: anyFrame }, large), { maxLength: 12 });
    const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 });
    const property = fc.property(frames, cuts, (made, places) => {
      const encoded = made.map(encode);
      const bytes = Buffer.concat(encoded);
      const sorted = places.map((place) => Math.floor(place * bytes.length)).sort((a, b) => a - b);
      const feeder = new Feeder();
      [0, ...sorted].forEach((start, index) => {
        assert.equal(feeder.push(bytes.subarray(start, sorted[index] ?? bytes.length)), undefined);
      });
      assert.deepEqual(feeder.frames, hexOf(encoded));
      assert.equal(feeder.splitter.keptBytes, 0);
    });
    fc.assert(property, runs);
  });
});

describe("what is kept", () => {
  test("is at most twice what came, and 4,096 bytes", () => {
    const bytes = encode(send(FRAME_BYTES_MAX - 5));
    const feeder = new Feeder();
    for (let at = 0; at < bytes.length; at += 997) {
      assert.equal(feeder.push(bytes.subarray(at, at + 997)), undefined);
      const came = Math.min(at + 997, bytes.length);
      assert.equal(feeder.splitter.keptBytes, came === bytes.length ? 0 : came);
    }
    assert.equal(feeder.frames.length, 1);
  });

  test("is little while a large frame has only been announced", () => {
    const feeder = new Feeder();
    feeder.push(encode(send(FRAME_BYTES_MAX - 5)).subarray(0, 5));
    assert.equal(feeder.splitter.keptBytes, 5);
    assert.equal(feeder.splitter.reservedBytes, 4096);
  });

  test("is not kept behind a large frame", () => {
    const feeder = new Feeder();
    const bytes = encode(send(50_000));
    feeder.push(bytes.subarray(0, 40_000));
    assert.ok(feeder.splitter.reservedBytes >= 40_000);
    feeder.push(bytes.subarray(40_000));
    assert.equal(feeder.splitter.reservedBytes, 0);
  });

  test("is nothing of frames that are whole: they are seen where they lie", () => {
    const bytes = Buffer.concat([encode(send(5)), encode(send(6))]);
    const splitter = new FrameSplitter(FRAME_BYTES_MAX);
    const seen: number[] = [];
    splitter.push(bytes, 0, bytes.length, (from, start) => {
      assert.equal(from, bytes);
      seen.push(start);
      return undefined;
    });
    assert.deepEqual(seen, [4, 18]);
    assert.equal(splitter.reservedBytes, 0);
  });
});

describe("a length that is a fault", () => {
  /** The fault of a stream that comes in pieces of `size`, and how many bytes it took. */
  function faultOf(stream: Uint8Array, size: number, frameBytesMax: number): [string?, number?] {
    const feeder = new Feeder(frameBytesMax);
    for (let at = 0; at < stream.length; at += size) {
      const fault = feeder.push(stream.subarray(at, at + size));
      if (fault !== undefined) return [fault.fault, at + size];
    }
    return [];
  }

  for (const size of [1, 3, 4, 5, 1000]) {
    test(`is one in pieces of ${size}, before the body comes`, () => {
      const whole = encode(send(3));
      const at = (bytes: number) => Math.ceil(bytes / size) * size;
      const empty = Buffer.concat([whole, Buffer.alloc(4)]);
      assert.deepEqual(faultOf(empty, size, 9), ["frame-cut-short", at(empty.length)]);
      const large = Buffer.concat([whole, Buffer.of(0, 0, 0, 9)]);
      assert.deepEqual(faultOf(large, size, 8), ["frame-too-large", at(large.length)]);
      assert.deepEqual(faultOf(large, size, 9), []);
      const huge = Buffer.concat([whole, Buffer.alloc(4, 0xff)]);
      assert.deepEqual(faultOf(huge, size, 2 ** 31), ["frame-too-large", at(huge.length)]);
    });
  }

  test("comes behind the frames before it", () => {
    const feeder = new Feeder();
    const fault = feeder.push(Buffer.concat([encode(send(3)), Buffer.alloc(4), encode(send(4))]));
    assert.equal(fault?.fault, "frame-cut-short");
    assert.equal(feeder.frames.length, 1);
  });

  test("says how much came and how much is taken", () => {
    const fault = new Feeder(10).push(Buffer.of(0, 0, 1, 0));
    assert.equal(fault?.sentence, "a frame of 256 bytes came, and 10 are taken");
  });
});

test("random bytes are frames or a fault, and nothing is thrown", () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 });
  const property = fc.property(pieces, (all) => {
    const feeder = new Feeder(2000);
    for (const piece of all) if (feeder.push(piece) !== undefined) return;
  });
  fc.assert(property, runs);
});

test("a fault of the visitor ends the walk, in one piece or in two", () => {
  const bytes = Buffer.concat([encode(send(5)), encode(send(6)), encode(send(7))]);
  const refusal: LinkFault = { fault: "out-of-place", sentence: "a frame is out of place" };
  for (const cut of [0, 2, 10]) {
    const splitter = new FrameSplitter(FRAME_BYTES_MAX);
    let seen = 0;
    const visit = () => {
      seen += 1;
      return refusal;
    };
    const first = splitter.push(bytes, 0, cut, visit);
    assert.equal(first ?? splitter.push(bytes, cut, bytes.length, visit), refusal);
    assert.equal(seen, 1);
  }
});
