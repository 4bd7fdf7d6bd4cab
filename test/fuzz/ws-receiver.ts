/**
 * Target: our receiver against the one of `ws`. The same stream in the same pieces is reported
 * alike, message by message, down to the code that the connection is closed with; where not, a
 * row of the two tables of differences proves why.
 */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { type ClientStream, clientStream, piecesOf, streamRules } from "./client-streams.ts";
import { compressedStream } from "./compressed-streams.ts";
import { smallerStream } from "./shrink.ts";
import { newStream, StreamReader } from "./stream-reader.ts";
import { count, type Target } from "./target.ts";
import { compressedRows } from "./ws-compressed-differences.ts";
import { type Readings, rows } from "./ws-differences.ts";
import { wsCompressedEvents, wsEvents } from "./ws-stream.ts";

interface WsCase extends ClientStream {
  compressible: boolean;
}

/** A stream has a few faults at the most; a proof that needs more goes round in circles. */
const PROOFS_MAX = 8;
/** They take twice as long as others: `ws` inflates in threads. */
const COMPRESSED_SHARE = 0.2;

/** It has no limit of empty frames alone, and so none of these streams may come to ours. */
const reader = new StreamReader({
  ...streamRules,
  emptyFramesPerMessageMax: streamRules.framesPerMessageMax,
});
const tally = new Map<string, number>();

export const wsReceiver: Target<WsCase> = {
  tally,
  shortRuns: 1000,
  smaller: smallerStream,

  generate(random) {
    const compressible = random.chance(COMPRESSED_SHARE);
    const stream = compressible ? compressedStream(random) : clientStream(random);
    return { ...stream, compressible };
  },

  check(each) {
    const pieces = piecesOf(each);
    return each.compressible ? checkCompressed(each.bytes, pieces) : checkPlain(each.bytes, pieces);
  },
};

/** Nothing has to be waited for but a proof. */
function checkPlain(bytes: Uint8Array, pieces: Uint8Array[]): Promise<void> | undefined {
  const readings = { ...readOurs(bytes, pieces, false), theirs: wsEvents(pieces) };
  if (!isDeepStrictEqual(readings.ours, readings.theirs)) return judge(readings);
  count(tally, "alike");
  return undefined;
}

async function checkCompressed(bytes: Uint8Array, pieces: Uint8Array[]): Promise<void> {
  const theirs = await wsCompressedEvents(pieces);
  const readings = { ...readOurs(bytes, pieces, true), theirs };
  if (isDeepStrictEqual(readings.ours, theirs)) count(tally, "alike, with compression");
  else await judge(readings);
}

function readOurs(bytes: Uint8Array, pieces: Uint8Array[], compressible: boolean) {
  const stream = newStream(compressible);
  for (const piece of pieces) reader.read(stream, piece);
  const { events, violation } = reader.end(stream);
  const ours = violation === undefined ? events : events.slice(0, -1);
  if (violation !== undefined) ours.push(`fail ${violation.closeCode}`);
  return { bytes, ours, violation, compressible };
}

async function judge(readings: Readings): Promise<void> {
  const name = await explain(readings, PROOFS_MAX);
  if (name !== undefined) count(tally, `explained: ${name}`);
  else assert.deepEqual(readings.ours, readings.theirs, "a difference that nothing explains");
}

/** The row that proves the difference, or undefined. */
async function explain(readings: Readings, proofs: number): Promise<string | undefined> {
  if (proofs === 0) return undefined;
  const read = async (bytes: Uint8Array) => {
    const pieces = [bytes];
    const { compressible } = readings;
    const theirs = compressible ? await wsCompressedEvents(pieces) : wsEvents(pieces);
    const other = { ...readOurs(bytes, pieces, compressible), theirs };
    const isAlike = isDeepStrictEqual(other.ours, theirs);
    return { ...other, agrees: isAlike || (await explain(other, proofs - 1)) !== undefined };
  };
  for (const { name, why, proves } of [...rows, ...compressedRows]) {
    if (await proves(readings, read)) return `${name} (${why})`;
  }
  return undefined;
}
