/**
 * A connection's id: the worker's random nonce, a dot, and its place (slot and generation), both
 * in base64url. The id itself says where the connection is, so no table finds it, and a stale id
 * finds nothing: a slot's generation changes at every close, and the nonce at every start.
 */
import { randomBytes } from "node:crypto";

/** Slots fit in 20 bits and generations in 32, so that a place is a safe integer. */
export const SLOTS_MAX = 2 ** 20;

/** The last digit of a place has four bits too many, which are zero. */
const ID = /^([A-Za-z0-9_-]{11})\.([A-Za-z0-9_-]{9}[AQgw])$/;

export function makeNonce(): string {
  return randomBytes(8).toString("base64url");
}

/** A place is the number by which one worker knows a connection, never used twice by it. */
export function placeOf(slot: number, generation: number): number {
  return generation * SLOTS_MAX + slot;
}

export function slotOf(place: number): number {
  // The low 20 bits survive the cut to 32; a remainder of a large number is slow.
  return place & (SLOTS_MAX - 1);
}

export function generationOf(place: number): number {
  return Math.floor(place / SLOTS_MAX);
}

export function formatConnectionId(nonce: string, place: number): string {
  const bytes = Buffer.allocUnsafe(7);
  bytes.writeUIntBE(slotOf(place), 0, 3);
  bytes.writeUInt32BE(generationOf(place), 3);
  return `${nonce}.${bytes.toString("base64url")}`;
}

/** The parts of an id, or undefined for what no worker ever gave out. */
export function parseConnectionId(id: string): { nonce: string; place: number } | undefined {
  const match = ID.exec(id);
  if (match === null) return undefined;
  const [, nonce, encodedPlace] = match as unknown as [string, string, string];
  const bytes = Buffer.from(encodedPlace, "base64url");
  const slot = bytes.readUIntBE(0, 3);
  if (slot >= SLOTS_MAX) return undefined;
  return { nonce, place: placeOf(slot, bytes.readUInt32BE(3)) };
}
