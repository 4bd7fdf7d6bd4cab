/**
 * The ways in which a case's bytes are cut for the wire. What a client reads may not depend on
 * them: TCP has no frames, and a read ends where it likes.
 */
import type { Stage } from "./case.ts";
import { headerLength } from "./frames.ts";

export const WHOLE = "whole";
export const AS_SENT = "frame by frame";
export const SINGLE_BYTES = "in single bytes";
const RANDOM_SPLITS = "at random splits";

export const deliveries = [WHOLE, AS_SENT, SINGLE_BYTES, RANDOM_SPLITS] as const;
export type Delivery = (typeof deliveries)[number];

/** These bytes after a header, and as many at the end of a frame, are written one by one. */
export const EDGE_BYTES = 64;
/** So many frames at a case's beginning are, and as many at the end of its first stage. */
export const EDGE_FRAMES = 8;
const SPLITS_MAX = 48;

/** More frames than these are written in groups: the turns of the event loop would take longest. */
const TURNS_MAX = 20_000;
const GROUPED_FRAMES = 16;
/** Frames that are not cut are written together, as far as a socket takes them well. */
const JOINED_BYTES_MAX = 64 * 1024;

/** All that is sent, in one piece. */
export function join(stages: readonly Stage[]): Buffer {
  return Buffer.concat(stages.flatMap(({ sends }) => sends));
}

export function* byFrames({ sends }: Stage): Iterable<Uint8Array> {
  const size = sends.length > TURNS_MAX ? GROUPED_FRAMES : 1;
  if (size === 1) yield* sends;
  else {
    for (let start = 0; start < sends.length; start += size) {
      yield Buffer.concat(sends.slice(start, start + size));
    }
  }
}

/** A stream cut at random places; few pieces are large, and some are single bytes. */
export function splitAtRandom(stream: Uint8Array, random: () => number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let start = 0;
  while (start < stream.length) {
    const left = stream.length - start;
    const length = pieces.length < SPLITS_MAX ? Math.ceil(left * random() ** 4) : left;
    pieces.push(stream.subarray(start, start + Math.max(1, length)));
    start += Math.max(1, length);
  }
  return pieces;
}

/** Cuts the stages of one case into single bytes, as far as that ends in time. */
export class ByteCutter {
  #frames = 0;

  *cut({ sends }: Stage): Iterable<Uint8Array> {
    const isFirst = this.#frames < EDGE_FRAMES;
    let uncut: Uint8Array[] = [];
    let uncutBytes = 0;
    for (const [index, piece] of sends.entries()) {
      const atEnd = isFirst && index >= sends.length - EDGE_FRAMES;
      const isCut = this.#frames < EDGE_FRAMES || atEnd;
      this.#frames += 1;
      if (uncut.length > 0 && (isCut || uncutBytes + piece.length > JOINED_BYTES_MAX)) {
        yield Buffer.concat(uncut);
        uncut = [];
        uncutBytes = 0;
      }
      if (isCut) yield* singleBytes(piece);
      else {
        uncut.push(piece);
        uncutBytes += piece.length;
      }
    }
    if (uncut.length > 0) yield Buffer.concat(uncut);
  }
}

function* singleBytes(piece: Uint8Array): Iterable<Uint8Array> {
  const edge = headerLength(piece) + EDGE_BYTES;
  const isLong = piece.length > edge + EDGE_BYTES;
  const head = isLong ? edge : piece.length;
  for (let index = 0; index < head; index++) yield piece.subarray(index, index + 1);
  if (!isLong) return;
  yield piece.subarray(edge, piece.length - EDGE_BYTES);
  for (let index = piece.length - EDGE_BYTES; index < piece.length; index++) {
    yield piece.subarray(index, index + 1);
  }
}
