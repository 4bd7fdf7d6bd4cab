/**
 * Where the cases of fuzzing come from: one generator of numbers, seeded, and the few choices
 * that all targets make with it. The same seed gives the same case, on every machine.
 */
import { seededRandom } from "../support/seed.ts";

export class Random {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = seededRandom(seed);
  }

  /** An integer in [0, end). */
  below(end: number): number {
    return Math.floor(this.#next() * end);
  }

  /** An integer in [min, max]. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  chance(share: number): boolean {
    return this.#next() < share;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let index = 0; index < length; index++) bytes[index] = this.below(256);
    return bytes;
  }

  /** `count` results of `make`. */
  list<Item>(count: number, make: () => Item): Item[] {
    return Array.from({ length: count }, make);
  }

  /** Lengths of the pieces that `length` bytes come in; none: they come whole. */
  pieces(length: number): number[] {
    if (length < 2 || this.chance(0.15)) return [];
    const longest = this.pick([1, 3, 16, 150, length]);
    const pieces: number[] = [];
    for (let rest = length; rest > 0; rest -= pieces.at(-1) as number) {
      pieces.push(Math.min(rest, this.between(1, longest)));
    }
    return pieces;
  }
}

/** Cuts bytes into pieces of these lengths; what is left over is the last one. */
export function cut(bytes: Uint8Array, pieces: readonly number[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (const length of [...pieces, bytes.length]) {
    if (start >= bytes.length) break;
    parts.push(bytes.subarray(start, start + length));
    start += length;
  }
  return parts;
}
