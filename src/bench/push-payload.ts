/**
 * The payload of a push: its number and when it was (meant to be) sent, both in digits so that it
 * is text as well, and a filling that depends on the number.
 */
import { PUSH_BYTES_MIN } from "./options.ts";

const NUMBER_DIGITS = 10;
/** Microseconds of CLOCK_MONOTONIC, which all processes of a machine have in common. */
const TIME_DIGITS = 17;

/** Pushes that are made and not delivered to all; those that are due beyond wait. */
const PUSHES_MAX = 1000;
/** Their payloads together, as far as there is more than one. */
const PUSHED_BYTES_MAX = 64 << 20;

/** How many pushes of this length may be under way. */
export function pushesMax(payloadBytes: number): number {
  return Math.max(1, Math.min(PUSHES_MAX, Math.floor(PUSHED_BYTES_MAX / payloadBytes)));
}

export interface PushStamp {
  number: number;
  sentAtMs: number;
}

/** What to add to performance.now() for a time that other processes understand. */
export const monotonicOffsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export function encodePush({ number, sentAtMs }: PushStamp, length: number): Buffer {
  const time = Math.round(sentAtMs * 1000);
  const head = `${digits(number, NUMBER_DIGITS)} ${digits(time, TIME_DIGITS)} `;
  return Buffer.from(head.padEnd(PUSH_BYTES_MIN).padEnd(length, fillingOf(number)), "latin1");
}

/** Undefined for what is no push of this length, whole and with its own filling. */
export function decodePush(payload: Uint8Array, length: number): PushStamp | undefined {
  if (payload.length !== length) return undefined;
  const head = Buffer.from(payload.buffer, payload.byteOffset, PUSH_BYTES_MIN).toString("latin1");
  const match = /^(\d{10}) (\d{17}) /.exec(head);
  if (match === null) return undefined;
  const stamp = { number: Number(match[1]), sentAtMs: Number(match[2]) / 1000 };
  return encodePush(stamp, length).equals(payload) ? stamp : undefined;
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, "0");
}

function fillingOf(number: number): string {
  return `abcdefghijklmnopqrstuvwxyz${number}`;
}
