/**
 * The receiver against a naive decoder that is written for nothing but being read: it sees a
 * prefix of a stream at once and says what must have been reported by then. A seeded generator
 * makes the streams, mostly right, sometimes wrong, and the pieces that they come in.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import { expectedEvents } from "./naive-decoder.test.helper.ts";
import { type ClientFrame, concat, encodeClientFrame, Feeder } from "./receiver.test.helper.ts";
import * as violations from "./violation.ts";

const MESSAGE_BYTES_MAX = 400;
const limits = { framesPerMessageMax: 5, emptyFramesPerMessageMax: 2 };
const rules = { ...limits, messageBytesMax: MESSAGE_BYTES_MAX };

const byte = fc.integer({ min: 0, max: 255 });
const key = fc.tuple(byte, byte, byte, byte);
const text = fc.string({ unit: "binary", maxLength: 60 }).map((it) => new TextEncoder().encode(it));
const payload = fc.oneof(
  { weight: 8, arbitrary: text },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 10 }) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 150 }) },
  { weight: 1, arbitrary: fc.constant(new Uint8Array(MESSAGE_BYTES_MAX).fill(0x61)) },
);

/** A message in fragments that cut its bytes, and so its characters, anywhere. */
const message: fc.Arbitrary<ClientFrame[]> = fc
  .record({
    opcode: fc.constantFrom(1, 1, 2),
    bytes: payload,
    cuts: fc.array(fc.nat({ max: 200 }), { maxLength: 6 }),
    keys: fc.array(key, { minLength: 7, maxLength: 7 }),
  })
  .map(({ opcode, bytes, cuts, keys }) => {
    const sorted = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b)];
    return sorted.map((start, index) => ({
      opcode: index === 0 ? opcode : 0,
      payload: bytes.subarray(start, sorted[index + 1] ?? bytes.length),
      fin: index === sorted.length - 1,
      key: keys[index] as [number, number, number, number],
    }));
  });
const control: fc.Arbitrary<ClientFrame[]> = fc
  .record({ opcode: fc.constantFrom(9, 10), payload: fc.uint8Array({ maxLength: 125 }), key })
  .map((frame) => [frame]);
const close: fc.Arbitrary<ClientFrame[]> = fc
  .record({
    code: fc.oneof(fc.integer({ min: 990, max: 1020 }), fc.integer({ min: 2990, max: 5010 })),
    reason: fc.uint8Array({ maxLength: 3 }),
    bytes: fc.constantFrom(0, 1, 5, 5, 5),
  })
  .map(({ code, reason, bytes }) => {
    const whole = concat(Uint8Array.of(code >> 8, code & 255), reason);
    return [{ opcode: 8, payload: whole.subarray(0, bytes) }];
  });
const wrong: fc.Arbitrary<ClientFrame[]> = fc
  .record({
    opcode: fc.integer({ min: 0, max: 15 }),
    rsv: fc.constantFrom(0, 0, 0, 0, 1, 2, 4),
    fin: fc.boolean(),
    masked: fc.constantFrom(true, true, true, true, false),
    payload,
    lengthBytes: fc.constantFrom<0 | 2 | 8>(2, 8, 8),
    announcedLength: fc.constantFrom(undefined, 126n, 300n, 65536n, 2n ** 53n, 2n ** 63n),
    key,
  })
  .map(({ announcedLength, ...frame }) => [
    announcedLength === undefined ? frame : { ...frame, announcedLength },
  ]);
/** Right but for one fault, of those that are rare among frames that are wrong at random. */
const spoilt: fc.Arbitrary<ClientFrame[]> = fc
  .constantFrom<ClientFrame>(
    { opcode: 2, payload: "a", masked: false },
    { opcode: 2, payload: "a", lengthBytes: 2 },
    { opcode: 9, payload: "a", fin: false },
    { opcode: 9, payload: new Uint8Array(126) },
    { opcode: 0, payload: "a" },
    { opcode: 2, payload: "a", lengthBytes: 8, announcedLength: 2n ** 63n },
    { opcode: 2, payload: new Uint8Array(MESSAGE_BYTES_MAX + 1) },
  )
  .map((frame) => [frame]);
const burst = fc.oneof(
  { weight: 6, arbitrary: message },
  { weight: 3, arbitrary: control },
  { weight: 1, arbitrary: wrong },
  { weight: 1, arbitrary: spoilt },
  { weight: 1, arbitrary: close },
);
const intruder = fc.oneof({ weight: 4, arbitrary: control }, { weight: 1, arbitrary: message });
/** Bursts one after the other, and other frames dropped in between the frames anywhere. */
const stream = fc
  .record({
    bursts: fc.array(burst, { minLength: 1, maxLength: 5 }),
    inserted: fc.array(fc.tuple(intruder, fc.nat({ max: 20 })), { maxLength: 3 }),
  })
  .map(({ bursts, inserted }) => {
    const frames = bursts.flat();
    for (const [[frame], at] of inserted) {
      frames.splice(at % (frames.length + 1), 0, frame as ClientFrame);
    }
    return concat(...frames.map(encodeClientFrame));
  });

test("a stream in any pieces is reported as a naive decoder reads it, at every moment", () => {
  const seen = new Map<string, number>();
  const pieces = fc.array(fc.integer({ min: 1, max: 150 }), { maxLength: 30 });
  const property = fc.property(stream, pieces, (bytes, lengths) => {
    const feeder = new Feeder(bytes.length, MESSAGE_BYTES_MAX, limits);
    let arrived = 0;
    for (const length of [...lengths, bytes.length]) {
      const piece = bytes.subarray(arrived, arrived + length);
      arrived += piece.length;
      feeder.feed(piece);
      assert.deepEqual(feeder.events, expectedEvents(bytes.subarray(0, arrived), rules));
    }
    for (const event of feeder.events) {
      const kind = event.startsWith("violation") ? event : (event.split(" ")[0] as string);
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
    }
  });
  fc.assert(property, { seed: testSeed(), numRuns: propertyRuns(3000, 2_000_000) });
  // The generator is worth something only if it gets everywhere.
  const kinds = ["message", "ping", "pong", "close"];
  // Nothing is compressed here: see receiver-compressed.test.ts.
  const { INVALID_DEFLATE: _, ...reachable } = violations;
  const sentences = Object.values(reachable).map(({ sentence }) => `violation: ${sentence}`);
  for (const kind of [...kinds, ...sentences]) assert(seen.has(kind), `never came to "${kind}"`);
});

test("a stream that comes byte by byte is reported as a naive decoder reads it", () => {
  const property = fc.property(stream, (bytes) => {
    const feeder = new Feeder(1, MESSAGE_BYTES_MAX, limits);
    for (const [index, one] of bytes.entries()) {
      feeder.feed(Uint8Array.of(one));
      const expected = expectedEvents(bytes.subarray(0, index + 1), rules);
      assert.deepEqual(feeder.events, expected);
      if (feeder.over) break;
    }
  });
  fc.assert(property, { seed: testSeed(), numRuns: propertyRuns(60, 200_000) });
});
