/**
 * The receiver against a naive decoder that is written for nothing but being read: it sees a
 * prefix of a stream at once and says what must have been reported by then. A seeded generator
 * makes the streams, mostly right, sometimes wrong, and the pieces that they come in.
 */
import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import { type ClientFrame, concat, encodeClientFrame, Feeder } from "./receiver.test.helper.ts";
import * as violations from "./violation.ts";

const limits = { framesPerMessageMax: 5, emptyFramesPerMessageMax: 2 };
const MESSAGE_BYTES_MAX = 400;

interface Frame {
  fin: boolean;
  rsv: number;
  opcode: number;
  masked: boolean;
  length: bigint;
  minimal: boolean;
  /** What has arrived of it. */
  payload: Uint8Array;
  end: number;
}

function decodeNaively(stream: Uint8Array, start: number): Frame | undefined {
  const [first = 0, second = 0] = stream.subarray(start, start + 2);
  const lengthBytes = (second & 127) === 127 ? 8 : (second & 127) === 126 ? 2 : 0;
  const masked = second >= 128;
  const payloadStart = start + 2 + lengthBytes + (masked ? 4 : 0);
  if (stream.length < start + 2 || stream.length < payloadStart) return undefined;
  let length = BigInt(lengthBytes === 0 ? second & 127 : 0);
  for (const byte of stream.subarray(start + 2, start + 2 + lengthBytes)) {
    length = length * 256n + BigInt(byte);
  }
  const key = stream.subarray(payloadStart - 4, payloadStart);
  const end = payloadStart + Number(length);
  const payload = stream.subarray(payloadStart, end).map((byte, i) => byte ^ (key[i % 4] ?? 0));
  const [fin, rsv, opcode] = [first >= 128, (first >> 4) % 8, first % 16];
  const minimal = lengthBytes === 0 || length >= (lengthBytes === 2 ? 126n : 65536n);
  return { fin, rsv, opcode, masked, length, minimal, payload, end };
}

function violationOf(frame: Frame, fragmented: boolean): violations.Violation | undefined {
  const control = frame.opcode >= 8;
  if (frame.rsv > 0) return violations.RESERVED_BIT_SET;
  if (![0, 1, 2, 8, 9, 10].includes(frame.opcode)) return violations.RESERVED_OPCODE;
  if (!frame.masked) return violations.UNMASKED_FRAME;
  if (control && frame.length > 125n) return violations.CONTROL_FRAME_TOO_LONG;
  if (control && !frame.fin) return violations.CONTROL_FRAME_FRAGMENTED;
  if (frame.opcode === 0 && !fragmented) return violations.UNEXPECTED_CONTINUATION;
  if (!control && frame.opcode > 0 && fragmented) return violations.EXPECTED_CONTINUATION;
  if (frame.length >= 2n ** 63n) return violations.LENGTH_TOO_LARGE;
  return frame.minimal ? undefined : violations.LENGTH_NOT_MINIMAL;
}

/** Whether bytes can still become UTF-8: by some one of the endings that a character can have. */
function canBeginUtf8(bytes: Uint8Array): boolean {
  const endings = [[], ...[0x80, 0x90, 0xa0].flatMap((a) => [[a], [a, 0x80], [a, 0x80, 0x80]])];
  return endings.some((ending) => isUtf8(concat(bytes, Uint8Array.from(ending))));
}

function closeEvent(payload: Uint8Array): string {
  const [high, low] = payload;
  if (high === undefined) return "close 8 1005 ";
  if (low === undefined) return `violation: ${violations.CLOSE_PAYLOAD_TOO_SHORT.sentence}`;
  const code = high * 256 + low;
  const reserved = [1004, 1005, 1006].includes(code);
  const known = (code >= 1000 && code <= 1014 && !reserved) || (code >= 3000 && code <= 4999);
  if (!known) return `violation: ${violations.CLOSE_CODE_INVALID.sentence}`;
  if (!isUtf8(payload.subarray(2))) {
    return `violation: ${violations.CLOSE_REASON_NOT_UTF8.sentence}`;
  }
  return `close 8 ${code} ${hex(payload)}`;
}

/** All that must have been reported when `stream` has arrived. */
function expectedEvents(stream: Uint8Array): string[] {
  const events: string[] = [];
  let message: { opcode: number; frames: Frame[] } | undefined;
  const fail = ({ sentence }: violations.Violation) => [...events, `violation: ${sentence}`];
  let frame = decodeNaively(stream, 0);
  for (; frame !== undefined; frame = decodeNaively(stream, frame.end)) {
    const whole = frame.end <= stream.length;
    const violation = violationOf(frame, message !== undefined);
    if (violation !== undefined) return fail(violation);
    if (frame.opcode >= 8) {
      if (!whole) return events;
      if (frame.opcode === 8) return [...events, closeEvent(frame.payload)];
      events.push(`${frame.opcode === 9 ? "ping 9" : "pong 10"} ${hex(frame.payload)}`);
      continue;
    }
    message ??= { opcode: frame.opcode, frames: [] };
    message.frames.push(frame);
    const total = message.frames.reduce((sum, { length }) => sum + length, 0n);
    if (total > BigInt(MESSAGE_BYTES_MAX)) return fail(violations.MESSAGE_TOO_BIG);
    if (message.frames.length > limits.framesPerMessageMax) return fail(violations.TOO_MANY_FRAMES);
    const empty = message.frames.filter(({ length }) => length === 0n).length;
    if (empty > limits.emptyFramesPerMessageMax) return fail(violations.TOO_MANY_EMPTY_FRAMES);
    const payload = concat(...message.frames.map((each) => each.payload));
    const finished = whole && frame.fin;
    const sound = finished ? isUtf8(payload) : canBeginUtf8(payload);
    if (message.opcode === 1 && !sound) return fail(violations.INVALID_UTF8);
    if (!whole) return events;
    if (!finished) continue;
    events.push(`message ${message.opcode} ${hex(payload)}`);
    message = undefined;
  }
  return events;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

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
      assert.deepEqual(feeder.events, expectedEvents(bytes.subarray(0, arrived)));
    }
    for (const event of feeder.events) {
      const kind = event.startsWith("violation") ? event : (event.split(" ")[0] as string);
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
    }
  });
  fc.assert(property, { seed: testSeed(), numRuns: propertyRuns(3000, 2_000_000) });
  // The generator is worth something only if it gets everywhere.
  const kinds = ["message", "ping", "pong", "close"];
  const sentences = Object.values(violations).map(({ sentence }) => `violation: ${sentence}`);
  for (const kind of [...kinds, ...sentences]) assert(seen.has(kind), `never came to "${kind}"`);
});

test("a stream that comes byte by byte is reported as a naive decoder reads it", () => {
  const property = fc.property(stream, (bytes) => {
    const feeder = new Feeder(1, MESSAGE_BYTES_MAX, limits);
    for (const [index, one] of bytes.entries()) {
      feeder.feed(Uint8Array.of(one));
      const expected = expectedEvents(bytes.subarray(0, index + 1));
      assert.deepEqual(feeder.events, expected);
      if (feeder.over) break;
    }
  });
  fc.assert(property, { seed: testSeed(), numRuns: propertyRuns(60, 200_000) });
});
