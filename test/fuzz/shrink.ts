/**
 * Makes a case that fails smaller while it still fails, by leaving out ever shorter pieces of
 * its bytes, its text or its list. It is simple and bounded: the result need not be the smallest.
 */
import { type AnyTarget, failureOf } from "./target.ts";

const ATTEMPTS_MAX = 4000;
const TIME_MAX_MS = 10_000;

export interface Failure {
  message: string;
  /** The case that shows it, as small as it got. */
  failing: unknown;
}

export async function shrink(target: AnyTarget, failure: Failure): Promise<Failure> {
  let smallest = failure;
  let attempts = 0;
  const untilMs = performance.now() + TIME_MAX_MS;
  for (let again = target.smaller !== undefined; again; ) {
    again = false;
    for (const failing of target.smaller?.(smallest.failing) ?? []) {
      attempts += 1;
      if (attempts > ATTEMPTS_MAX || performance.now() > untilMs) return smallest;
      const message = await failureOf(target, failing);
      if (message === undefined) continue;
      smallest = { message, failing };
      again = true;
      break;
    }
  }
  return smallest;
}

/** Every way to leave out one piece: of half the length first, of one element last. */
export function* withoutPieces<Whole extends Uint8Array | string | readonly unknown[]>(
  whole: Whole,
): Generator<Whole> {
  const { length } = whole;
  for (let piece = length; piece > 0; piece = Math.floor(piece / 2)) {
    for (let start = 0; start < length; start += piece) {
      yield join(whole, whole.slice(0, start), whole.slice(start + piece)) as Whole;
    }
  }
}

function join(whole: unknown, before: unknown, behind: unknown): unknown {
  if (typeof whole === "string") return `${before}${behind}`;
  const both = [...(before as Iterable<number>), ...(behind as Iterable<number>)];
  return whole instanceof Uint8Array ? Uint8Array.from(both) : both;
}

/** For cases of bytes that come in pieces: first whole, then with less of them. */
export function* smallerStream<Case extends { bytes: Uint8Array; pieces: number[] }>(
  each: Case,
): Generator<Case> {
  if (each.pieces.length > 0) {
    yield { ...each, pieces: [] };
    yield { ...each, pieces: Array.from(each.bytes, () => 1) };
    for (const pieces of withoutPieces(each.pieces)) yield { ...each, pieces };
  }
  for (const bytes of withoutPieces(each.bytes)) yield { ...each, bytes };
}
