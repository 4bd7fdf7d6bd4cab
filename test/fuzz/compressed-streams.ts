/**
 * Streams of a client that has negotiated compression (RFC 7692): messages that are compressed
 * and messages that are not, in fragments, between them the same faults as elsewhere, and faults
 * of compression's own.
 */
import { constants, deflateRawSync } from "node:zlib";
import {
  type ClientStream,
  clientFrames,
  encodeFrame,
  type StreamFrame,
  streamRules,
} from "./client-streams.ts";
import type { Random } from "./random.ts";

/** Of the first byte's three reserved bits: "Per-Message Compressed". */
const RSV1 = 4;
const TAIL_BYTES = 4;

export function compressedStream(random: Random): ClientStream {
  const frames = random.list(random.between(1, 3), () => {
    return random.chance(0.6) ? compressedMessage(random) : clientFrames(random);
  });
  const whole = Buffer.concat(frames.flat().map((frame) => encodeFrame(frame, random)));
  const bytes = random.chance(0.15) ? whole.subarray(0, random.below(whole.length + 1)) : whole;
  return { bytes, pieces: random.pieces(bytes.length) };
}

function compressedMessage(random: Random): StreamFrame[] {
  const payload = spoil(random, deflated(random));
  const count = random.chance(0.6) ? 1 : random.between(2, 4);
  const cuts = random.list(count - 1, () => random.below(payload.length + 1));
  const starts = [0, ...cuts.sort((a, b) => a - b)];
  const opcode = random.pick([1, 2]);
  // A later frame of a message has no such bit, nor has a control frame.
  const isWrong = random.chance(0.03);
  const frames = starts.map((start, index) => ({
    opcode: index === 0 ? opcode : 0,
    payload: payload.subarray(start, starts[index + 1] ?? payload.length),
    fin: index === count - 1,
    rsv: index === 0 || isWrong ? RSV1 : 0,
  }));
  if (random.chance(0.2)) {
    const ping = { opcode: 9, payload: random.bytes(3), fin: true, rsv: isWrong ? RSV1 : 0 };
    frames.splice(random.below(frames.length + 1), 0, ping);
  }
  return frames;
}

function deflated(random: Random): Buffer {
  const length = random.pick([0, 5, 50, 300, streamRules.messageBytesMax, 401, 2000]);
  const plain = random.chance(0.8) ? Buffer.alloc(length, "añ€𝄞") : random.bytes(length);
  const level = random.pick([0, 1, 9]);
  // A final block; RFC 7692, 7.2.3.4 has a byte behind it, and 7.2.1 other blocks.
  if (random.chance(0.1)) {
    const behind = random.pick(["", "00", "4a0400", "ff"]);
    return Buffer.concat([deflateRawSync(plain, { level }), Buffer.from(behind, "hex")]);
  }
  const finishFlush = constants.Z_SYNC_FLUSH;
  const flushed = deflateRawSync(plain, { level, finishFlush });
  return flushed.subarray(0, flushed.length - TAIL_BYTES);
}

function spoil(random: Random, payload: Buffer): Uint8Array {
  const dice = random.below(10);
  if (dice === 0) return payload.subarray(0, random.below(payload.length + 1));
  if (dice > 1 || payload.length === 0) return payload;
  const spoilt = Uint8Array.from(payload);
  const at = random.below(spoilt.length);
  spoilt[at] = (spoilt[at] as number) ^ (1 << random.below(8));
  return spoilt;
}
