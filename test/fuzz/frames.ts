/**
 * Target: the receiver of frames. Whatever comes, in whatever pieces, and whatever another
 * connection sends in between, it reports what a naive decoder reads, and keeps little.
 */
import assert from "node:assert/strict";
import { expectedEvents } from "../../src/websocket/naive-decoder.test.helper.ts";
import { type ClientStream, clientStream, piecesOf, streamRules } from "./client-streams.ts";
import type { Random } from "./random.ts";
import { smallerStream } from "./shrink.ts";
import { newStream, StreamReader } from "./stream-reader.ts";
import { count, type Target } from "./target.ts";

const BYTE_BY_BYTE_MAX = 100;

interface FramesCase extends ClientStream {
  /** What comes on another connection between two pieces, one byte at a time; may be empty. */
  beside: Uint8Array;
}

const reader = new StreamReader(streamRules);
const tally = new Map<string, number>();

export const frames: Target<FramesCase> = {
  tally,
  shortRuns: 1000,

  generate(random: Random) {
    const stream = clientStream(random);
    const beside = random.chance(0.3) ? clientStream(random).bytes : new Uint8Array(0);
    return { ...stream, beside };
  },

  check(each) {
    const { bytes } = each;
    const expected = expectedEvents(bytes, streamRules);
    assert.deepEqual(eventsOf([bytes]), expected, "the whole stream");
    assert.deepEqual(eventsInPieces(each), expected, "the stream in pieces");
    if (bytes.length <= BYTE_BY_BYTE_MAX) {
      assert.deepEqual(eventsOf(Array.from(bytes, (byte) => Uint8Array.of(byte))), expected);
    }
    const half = bytes.subarray(0, each.pieces[0] ?? bytes.length >> 1);
    assert.deepEqual(eventsOf([half]), expectedEvents(half, streamRules), "its beginning");
    for (const event of expected) {
      count(tally, event.startsWith("violation") ? event : (event.split(" ")[0] as string));
    }
  },

  *smaller(each) {
    if (each.beside.length > 0) yield { ...each, beside: new Uint8Array(0) };
    yield* smallerStream(each);
  },
};

function eventsOf(pieces: Iterable<Uint8Array>): string[] {
  const stream = newStream();
  for (const piece of pieces) reader.read(stream, piece);
  return reader.end(stream).events;
}

/** With the other connection's bytes in between, which are to change nothing. */
function eventsInPieces(each: FramesCase): string[] {
  const { beside } = each;
  const stream = newStream();
  const other = newStream();
  let taken = 0;
  for (const piece of piecesOf(each)) {
    reader.read(stream, piece);
    reader.read(other, beside.subarray(taken, taken + 1));
    taken += 1;
  }
  reader.end(other);
  const arrived = beside.subarray(0, taken);
  assert.deepEqual(other.events, expectedEvents(arrived, streamRules), "the other connection");
  return reader.end(stream).events;
}
