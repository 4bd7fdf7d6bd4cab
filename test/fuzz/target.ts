/**
 * What a fuzzing target is, how one case of it is tried, and how a case is written down, in
 * reports and in the files of regressions: as JSON in which bytes are hexadecimal text.
 */
import { Random } from "./random.ts";

export interface Target<Case> {
  /** A case that depends on nothing but the numbers it is made of. */
  generate(random: Random): Case;
  /** Throws when the product does what it must not. */
  check(each: Case): Promise<void> | undefined | void;
  /** Simpler cases, those that leave out the most first; they are tried when one has failed. */
  smaller?(each: Case): Iterable<Case>;
  /** What came up, and how often: shown at the end, so that a target that sleeps is seen. */
  readonly tally: Map<string, number>;
  /** Cases that `npm test` tries. */
  readonly shortRuns: number;
}

// biome-ignore lint/suspicious/noExplicitAny: a target takes only cases that it made itself.
export type AnyTarget = Target<any>;

/** The seeds of a run follow each other, so that each repeats its case by itself. */
export function caseSeed(seed: number, index: number): number {
  return (seed + index) % 2 ** 31;
}

export function generate(target: AnyTarget, seed: number): unknown {
  return target.generate(new Random(seed));
}

/** Why a case fails, or undefined. */
export async function failureOf(target: AnyTarget, each: unknown): Promise<string | undefined> {
  try {
    const checked = target.check(each);
    if (checked !== undefined) await checked;
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

export function count(tally: Map<string, number>, kind: string): void {
  tally.set(kind, (tally.get(kind) ?? 0) + 1);
}

export function writeCase(each: unknown): string {
  return JSON.stringify(writable(each));
}

/** Before JSON comes to it: a Buffer has a form of its own there. */
function writable(each: unknown): unknown {
  if (typeof each !== "object" || each === null) return each;
  if (each instanceof Uint8Array) return { hex: Buffer.from(each).toString("hex") };
  if (Array.isArray(each)) return each.map(writable);
  return Object.fromEntries(Object.entries(each).map(([key, value]) => [key, writable(value)]));
}

/** Takes a case from what `writeCase` wrote, parsed. */
export function readCase(written: unknown): unknown {
  if (typeof written !== "object" || written === null) return written;
  if (Array.isArray(written)) return written.map(readCase);
  if ("hex" in written) return Uint8Array.from(Buffer.from(String(written.hex), "hex"));
  return Object.fromEntries(Object.entries(written).map(([key, value]) => [key, readCase(value)]));
}
