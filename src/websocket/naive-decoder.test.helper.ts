/**
 * For tests: a decoder of a client's stream that is written for nothing but being read. It sees a
 * prefix of the stream at once and says what must have been reported by then; it keeps no state,
 * copies what it likes and knows no compression.
 */
import { isUtf8 } from "node:buffer";
import { concat } from "./receiver.test.helper.ts";
import * as violations from "./violation.ts";

export interface StreamRules {
  messageBytesMax: number;
  framesPerMessageMax: number;
  emptyFramesPerMessageMax: number;
}

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
export function expectedEvents(stream: Uint8Array, rules: StreamRules): string[] {
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
    if (total > BigInt(rules.messageBytesMax)) return fail(violations.MESSAGE_TOO_BIG);
    if (message.frames.length > rules.framesPerMessageMax) return fail(violations.TOO_MANY_FRAMES);
    const empty = message.frames.filter(({ length }) => length === 0n).length;
    if (empty > rules.emptyFramesPerMessageMax) return fail(violations.TOO_MANY_EMPTY_FRAMES);
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
