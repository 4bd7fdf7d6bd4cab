/**
 * Which of several instances is a connection's: the one whose hash with it is the highest, so
 * that one instance more or less moves no connection but those that have to (Thaler and
 * Ravishankar, 1998: highest random weight).
 */
import { generationOf, slotOf } from "../../core/connection-id.ts";

/** Of an instance's address, once. */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return mix(hash);
}

export function weightOf(place: number, seed: number): number {
  return mix(mix(seed ^ slotOf(place)) ^ (generationOf(place) | 0));
}

/** Each bit of the number moves half of the bits of the result (the finalizer of MurmurHash3). */
function mix(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
