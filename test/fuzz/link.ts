/**
 * Target: the codec of links. Frames of docs/link-vectors.json, spoiled and in a row, come out the
 * same in whatever pieces they come; what is whole is written again with the same bytes; nothing
 * throws, and of what is not whole little is kept.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { FrameWriter } from "../../src/link/body.ts";
import { decodeGatewayFrame, decodeServiceFrame } from "../../src/link/decode.ts";
import { writeFrame } from "../../src/link/encode.ts";
import { isFault } from "../../src/link/fault.ts";
import { LENGTH_BYTES } from "../../src/link/frame.ts";
import { FrameSplitter } from "../../src/link/splitter.ts";
import { cut, type Random } from "./random.ts";
import { count, type Target } from "./target.ts";

interface LinkCase {
  isFromGateway: boolean;
  bytes: Uint8Array;
  pieces: number[];
}

const FRAME_BYTES_MAX = 4096;
/** What a splitter may keep whatever came. */
const KEPT_BYTES_MIN = 4096;

const file = new URL("../../../docs/link-vectors.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Record<
  "frames" | "faults",
  { from: string; bytes: string }[]
>;
const known = [...vectors.frames, ...vectors.faults];
const samples = (from: string) =>
  known.filter((each) => each.from === from).map(({ bytes }) => Buffer.from(bytes, "hex"));
const fromGateway = samples("gateway");
const fromService = samples("service");

const tally = new Map<string, number>();

export const link: Target<LinkCase> = {
  tally,
  shortRuns: 2000,

  generate(random: Random) {
    const isFromGateway = random.chance(0.5);
    const frames = isFromGateway ? fromGateway : fromService;
    const parts = random.list(random.between(1, 6), () => spoil(random, random.pick(frames)));
    const bytes = Uint8Array.from(Buffer.concat(parts));
    return { isFromGateway, bytes, pieces: random.pieces(bytes.length) };
  },

  check(each) {
    const whole = readAll(each, [each.bytes]);
    assert.deepEqual(readAll(each, cut(each.bytes, each.pieces)), whole, "in pieces");
    const single = Array.from(each.bytes, (byte) => Uint8Array.of(byte));
    assert.deepEqual(readAll(each, single), whole, "in single bytes");
    count(tally, whole.at(-1)?.replace(/^[0-9a-f]+$/, "a frame") ?? "nothing whole");
  },

  *smaller(each) {
    for (let at = 0; at < each.bytes.length; at += Math.max(1, each.bytes.length >> 3)) {
      const bytes = Uint8Array.from([
        ...each.bytes.subarray(0, at),
        ...each.bytes.subarray(at + 1),
      ]);
      yield { ...each, bytes, pieces: [] };
    }
  },
};

function spoil(random: Random, sample: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(sample);
  const kind = random.below(6);
  if (kind === 0) bytes[random.below(bytes.length)] = random.below(256);
  if (kind === 1) return bytes.subarray(0, random.below(bytes.length));
  if (kind === 2) return Buffer.concat([bytes, random.bytes(random.below(8))]);
  if (kind === 3) {
    // A frame of that length, whatever is in it.
    const body = random.bytes(random.between(1, 60));
    const frame = Buffer.concat([Buffer.alloc(LENGTH_BYTES), body]);
    frame.writeUInt32BE(body.length);
    frame[LENGTH_BYTES] = random.pick([random.below(16), 0x41 + random.below(14)]);
    return frame;
  }
  return bytes;
}

/** Of each whole frame its body in hex, or its fault; behind them the fault of a length. */
function readAll({ isFromGateway }: LinkCase, pieces: Iterable<Uint8Array>): string[] {
  const splitter = new FrameSplitter(FRAME_BYTES_MAX);
  const read: string[] = [];
  const decode = isFromGateway ? decodeGatewayFrame : decodeServiceFrame;
  for (const piece of pieces) {
    const fault = splitter.push(piece, 0, piece.length, (bytes, start, end) => {
      const frame = decode(bytes, start, end);
      if (isFault(frame)) {
        read.push(frame.fault);
        return undefined;
      }
      const writer = new FrameWriter();
      writeFrame(writer, frame);
      const again = Buffer.from(writer.take().subarray(LENGTH_BYTES)).toString("hex");
      assert.equal(again, Buffer.from(bytes.subarray(start, end)).toString("hex"));
      read.push(again);
      return undefined;
    });
    assert.ok(splitter.reservedBytes <= 2 * splitter.keptBytes + KEPT_BYTES_MIN);
    if (fault !== undefined) return [...read, `${fault.fault} of a length`];
  }
  return read;
}
