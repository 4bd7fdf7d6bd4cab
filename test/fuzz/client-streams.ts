/**
 * Streams as clients send them: mostly right, some with one fault, some with many, cut off
 * anywhere, and now and then nothing but noise. What a receiver makes of them is not known here.
 */
import { cut, type Random } from "./random.ts";

/** What all receivers of these streams are held to: small, so that streams come to them. */
export const streamRules = {
  messageBytesMax: 400,
  framesPerMessageMax: 5,
  emptyFramesPerMessageMax: 2,
};

export interface ClientStream {
  bytes: Uint8Array;
  /** Lengths that the bytes come in. */
  pieces: number[];
}

export interface StreamFrame {
  opcode: number;
  payload: Uint8Array;
  fin: boolean;
  rsv?: number;
  unmasked?: boolean;
  /** How many bytes the length is written in; by default as few as can be. */
  lengthBytes?: 0 | 2 | 8;
  /** What the header says, where that is not the payload's length. */
  announced?: bigint;
}

/** A character of each length and kind, and the sequences that only look like one. */
const TEXTS = ["a", "é", "ß€", "𝄞", "日本", "\u{10ffff}", "\u{7ff}", "\u{ffff}", "\u{fffd}"];
const NOT_UTF8 = ["c0af", "eda080", "f4908080", "f8888080", "80", "c3", "e282", "f09d84", "ff"];

export function clientStream(random: Random): ClientStream {
  const bytes = spoil(random, random.chance(0.02) ? random.bytes(random.below(60)) : sound(random));
  return { bytes, pieces: random.pieces(bytes.length) };
}

function sound(random: Random): Uint8Array {
  const frames = random.list(random.between(1, 4), () => clientFrames(random)).flat();
  for (let inserted = random.pick([0, 0, 1, 3]); inserted > 0; inserted--) {
    const [frame] = random.chance(0.8) ? [control(random)] : message(random);
    if (frame !== undefined) frames.splice(random.below(frames.length + 1), 0, frame);
  }
  return Buffer.concat(frames.map((frame) => encodeFrame(frame, random)));
}

/** Cuts some off, and changes a few bytes of some. */
function spoil(random: Random, bytes: Uint8Array): Uint8Array {
  const kept = random.chance(0.25) ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes;
  if (random.chance(0.85) || kept.length === 0) return kept;
  const spoilt = Uint8Array.from(kept);
  for (let changes = random.between(1, 3); changes > 0; changes--) {
    const at = random.below(spoilt.length);
    spoilt[at] = random.chance(0.5) ? random.below(256) : (spoilt[at] as number) ^ (1 << (at % 8));
  }
  return spoilt;
}

/** A message, a control frame, or one that is wrong. */
export function clientFrames(random: Random): StreamFrame[] {
  const dice = random.below(12);
  if (dice < 6) return message(random);
  if (dice < 9) return [control(random)];
  if (dice < 10) return [wrong(random)];
  return dice < 11 ? [spoilt(random)] : [close(random)];
}

/** A message in fragments that cut its bytes, and so its characters, anywhere. */
function message(random: Random): StreamFrame[] {
  const opcode = random.pick([1, 1, 2]);
  const bytes = random.chance(0.8) ? text(random) : random.bytes(random.below(150));
  const count = random.chance(0.6) ? 1 : random.between(2, 6);
  const lengths = random.list(count - 1, () => random.below(bytes.length + 1));
  const starts = [0, ...lengths.sort((a, b) => a - b)];
  return starts.map((start, index) => ({
    opcode: index === 0 ? opcode : 0,
    payload: bytes.subarray(start, starts[index + 1] ?? bytes.length),
    fin: index === count - 1,
  }));
}

function text(random: Random): Uint8Array {
  if (random.chance(0.05)) return new Uint8Array(random.pick([125, 126, 400])).fill(0x61);
  const parts = random.list(random.below(14), () => Buffer.from(random.pick(TEXTS)));
  if (random.chance(0.15)) {
    const wrong = Buffer.from(random.pick(NOT_UTF8), "hex");
    parts.splice(random.below(parts.length + 1), 0, wrong);
  }
  return Buffer.concat(parts);
}

function control(random: Random): StreamFrame {
  const length = random.pick([0, 3, 125, random.below(126)]);
  return { opcode: random.pick([9, 10]), payload: random.bytes(length), fin: true };
}

function close(random: Random): StreamFrame {
  const code = random.chance(0.5) ? random.between(990, 1020) : random.between(2990, 5010);
  const whole = Buffer.concat([Uint8Array.of(code >> 8, code & 255), text(random)]);
  const payload = whole.subarray(0, random.pick([0, 1, 2, 125]));
  return { opcode: 8, payload, fin: true };
}

/** Wrong in any number of ways at once, or in none. */
function wrong(random: Random): StreamFrame {
  const announced = random.pick([undefined, 126n, 300n, 65536n, 2n ** 53n, 2n ** 63n]);
  return {
    opcode: random.below(16),
    rsv: random.pick([0, 0, 0, 0, 1, 2, 4]),
    fin: random.chance(0.5),
    unmasked: random.chance(0.2),
    payload: random.chance(0.5) ? text(random) : random.bytes(random.below(150)),
    ...(random.chance(0.5) ? { lengthBytes: random.pick([2, 8] as const) } : {}),
    ...(announced === undefined ? {} : { announced }),
  };
}

/** Right but for one fault, of those that are rare among frames that are wrong at random. */
function spoilt(random: Random): StreamFrame {
  const frame = { opcode: 2, payload: random.bytes(1), fin: true };
  return random.pick<StreamFrame>([
    { ...frame, unmasked: true },
    { ...frame, lengthBytes: 2 },
    { ...frame, lengthBytes: 8 },
    { ...frame, opcode: 9, fin: false },
    { ...frame, opcode: 9, payload: new Uint8Array(126) },
    { ...frame, opcode: 9, lengthBytes: 2 },
    { ...frame, opcode: 0 },
    { ...frame, lengthBytes: 8, announced: 2n ** 63n },
    { ...frame, lengthBytes: 8, announced: 2n ** 53n },
    { ...frame, payload: new Uint8Array(streamRules.messageBytesMax + 1) },
  ]);
}

export function encodeFrame(frame: StreamFrame, random: Random): Uint8Array {
  const { payload } = frame;
  const length = frame.announced ?? BigInt(payload.length);
  const minimal = length < 126n ? 0 : length < 65536n ? 2 : 8;
  const lengthBytes = frame.lengthBytes ?? minimal;
  const headerBytes = 2 + lengthBytes + (frame.unmasked ? 0 : 4);
  const bytes = Buffer.allocUnsafe(headerBytes + payload.length);
  bytes[0] = (frame.fin ? 128 : 0) | ((frame.rsv ?? 0) << 4) | frame.opcode;
  bytes[1] = (frame.unmasked ? 0 : 128) | (lengthBytes === 0 ? Number(length) : lengthBytes + 124);
  if (lengthBytes === 2) bytes.writeUInt16BE(Number(length & 0xffffn), 2);
  if (lengthBytes === 8) {
    bytes[1] = (bytes[1] & 128) | 127;
    bytes.writeBigUInt64BE(length, 2);
  }
  bytes.set(payload, headerBytes);
  if (frame.unmasked) return bytes;
  // A key of zeroes is a key as well, and receivers like to take a short cut for it.
  const key = random.chance(0.05) ? 0 : random.below(2 ** 32);
  bytes.writeUInt32BE(key, headerBytes - 4);
  for (let index = 0; index < payload.length; index++) {
    const at = headerBytes + index;
    bytes[at] = (bytes[at] as number) ^ (bytes[headerBytes - 4 + (index & 3)] as number);
  }
  return bytes;
}

export function piecesOf({ bytes, pieces }: ClientStream): Uint8Array[] {
  return cut(bytes, pieces);
}
