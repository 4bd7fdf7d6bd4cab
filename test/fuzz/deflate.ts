/**
 * Target: the codec of compressed messages, in the addon, and what stands around it. Round trips;
 * noise never becomes a message that it is not; the limit holds, whatever room the output has; and
 * one connection's message leaves nothing behind that shows in another's.
 */
import assert from "node:assert/strict";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { INFLATE_FULL, INFLATED, loadBinding } from "../../src/reactor/binding.ts";
import { Inflation } from "../../src/websocket/inflation.ts";
import { INVALID_DEFLATE, MESSAGE_TOO_BIG } from "../../src/websocket/violation.ts";
import { inflateNaively } from "./naive-inflate.ts";
import type { Random } from "./random.ts";
import { withoutPieces } from "./shrink.ts";
import { count, type Target } from "./target.ts";

interface DeflateCase {
  /** What a client sends as a compressed message. */
  payload: Uint8Array;
  /** What another connection's message was before it, and is sent by us. */
  plain: Uint8Array;
  windowBits: number;
  messageBytesMax: number;
  /** Room for each step of inflating; the last one goes on. */
  rooms: number[];
}

const TAIL_BYTES = 4;
const SYNC = { finishFlush: constants.Z_SYNC_FLUSH };
const progress = new Int32Array(2);
const codec = loadBinding().createCodec(progress);
const inflation = new Inflation(codec, progress);
const tally = new Map<string, number>();

export const deflate: Target<DeflateCase> = {
  tally,
  shortRuns: 300,

  generate(random) {
    return {
      payload: compressed(random),
      plain: plain(random),
      windowBits: random.between(9, 15),
      messageBytesMax: random.pick([0, 10, 100, 1000, 5000]),
      rooms: random.list(random.between(1, 3), () => random.pick([1, 2, 7, 64, 1000])),
    };
  },

  check(each) {
    checkRoundTrip(each);
    const { payload, messageBytesMax } = each;
    const { bytes, isWhole } = inflateNaively(payload);
    const expected = Buffer.from(bytes).toString("hex");
    assert.equal(inflateInRooms(each), isWhole ? expected : undefined, "in small rooms");
    const violation = inflation.inflate(payload, 0, payload.length, messageBytesMax);
    count(tally, violation?.sentence ?? "a message");
    if (violation === MESSAGE_TOO_BIG) {
      assert(bytes.length > messageBytesMax, "it is bigger than the limit");
      return;
    }
    assert.equal(violation, isWhole ? undefined : INVALID_DEFLATE);
    if (!isWhole) return;
    assert(bytes.length <= messageBytesMax, "the limit holds");
    const taken = inflation.take().subarray(0, inflation.length);
    assert.equal(Buffer.from(taken).toString("hex"), expected);
  },

  *smaller(each) {
    for (const plain of withoutPieces(each.plain)) yield { ...each, plain };
    for (const payload of withoutPieces(each.payload)) yield { ...each, payload };
  },
};

function plain(random: Random): Uint8Array {
  const word = random.bytes(random.between(1, 12));
  const words = random.list(random.below(40), () => {
    return random.chance(0.7) ? word : random.bytes(random.below(8));
  });
  return Buffer.concat(words);
}

/** A message that zlib has deflated in some way, most of them spoilt; or noise. */
function compressed(random: Random): Uint8Array {
  if (random.chance(0.1)) return random.bytes(random.below(40));
  const parts = random.list(random.pick([1, 1, 2]), () => block(random));
  const bytes = Uint8Array.from(Buffer.concat(parts));
  if (random.chance(0.1) && bytes.length > 0) bytes[0] = (bytes[0] as number) ^ 1;
  for (let changes = random.pick([0, 0, 0, 1, 2]); changes > 0 && bytes.length > 0; changes--) {
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
  }
  return random.chance(0.15) ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes;
}

function block(random: Random): Uint8Array {
  const { Z_FIXED, Z_DEFAULT_STRATEGY, Z_HUFFMAN_ONLY, Z_RLE } = constants;
  const options = {
    level: random.pick([0, 1, 6, 9]),
    strategy: random.pick([Z_FIXED, Z_DEFAULT_STRATEGY, Z_HUFFMAN_ONLY, Z_RLE]),
    memLevel: random.pick([1, 8]),
  };
  // A whole stream ends in a final block; RFC 7692, 7.2.3.4 has a byte behind it.
  if (random.chance(0.15)) {
    const whole = deflateRawSync(plain(random), options);
    return random.chance(0.5) ? Buffer.concat([whole, Uint8Array.of(0)]) : whole;
  }
  const flushed = deflateRawSync(plain(random), { ...options, ...SYNC });
  return flushed.subarray(0, flushed.length - (random.chance(0.9) ? TAIL_BYTES : 0));
}

/** What we send, zlib reads with a window of that size, and our own codec too. */
function checkRoundTrip({ plain, windowBits }: DeflateCase): void {
  const output = Buffer.alloc(2 * plain.length + 64);
  const length = codec.deflate(plain, 0, plain.length, windowBits, output);
  assert(length > 0, "it fits");
  const sent = output.subarray(0, length);
  const tailed = Buffer.concat([sent, Uint8Array.of(0, 0, 255, 255)]);
  assert.deepEqual(inflateRawSync(tailed, { windowBits, ...SYNC }), Buffer.from(plain));
  const back = Buffer.alloc(plain.length + 1);
  assert.equal(codec.inflate(sent, 0, length, back, true, true), INFLATED);
  assert.deepEqual(back.subarray(0, progress[1]), Buffer.from(plain));
  const again = Buffer.alloc(output.length);
  assert.equal(codec.deflate(plain, 0, plain.length, windowBits, again), length);
  assert.deepEqual(again.subarray(0, length), sent, "no message changes the next one's form");
}

/** The whole message, as hexadecimal text, inflated into outputs that are too small for it. */
function inflateInRooms({ payload, rooms }: DeflateCase): string | undefined {
  const parts: Buffer[] = [];
  let [offset, isFirst, state] = [0, true, INFLATE_FULL];
  for (let step = 0; state === INFLATE_FULL; step++) {
    const room = Buffer.alloc((rooms[step] ?? rooms.at(-1) ?? 1) + 1, 0xa5);
    const inside = room.subarray(0, room.length - 1);
    state = codec.inflate(payload, offset, payload.length - offset, inside, isFirst, true);
    assert.equal(room.at(-1), 0xa5, "nothing is written behind the room");
    assert((progress[1] as number) <= inside.length);
    if (state === INFLATE_FULL) assert.equal(progress[1], inside.length, "full is full");
    offset += progress[0] as number;
    parts.push(inside.subarray(0, progress[1]));
    isFirst = false;
  }
  assert(offset <= payload.length);
  return state === INFLATED ? Buffer.concat(parts).toString("hex") : undefined;
}
