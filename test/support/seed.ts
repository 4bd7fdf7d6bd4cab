/**
 * How many cases a generated test tries, and from which seed. `npm test` runs few of them and
 * `npm run test:long` many; both choose a seed, print it and obey HEADGATE_SEED, so that a
 * failure can be had again.
 */
import { randomInt } from "node:crypto";

/** Where a run stands between few cases (0) and many (1); set by scripts/test.ts. */
const share = Number(process.env.HEADGATE_TEST_SHARE ?? 0);

let chosen: number | undefined;

/** Cases to try: `short` of them in an ordinary run, up to `long` in a long one. */
export function propertyRuns(short: number, long: number): number {
  return Math.max(short, Math.ceil(long * share));
}

/** A size that is no number of cases: `long` in every long run, its short form included. */
export function runSize(short: number, long: number): number {
  return share > 0 ? long : short;
}

/** Numbers from 0 to below 1, the same ones for the same seed. */
export function seededRandom(seed = testSeed()): () => number {
  // Mulberry32: small, quick, and its period is all of 2^32.
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One seed for the whole process, an integer fit for fast-check; printed when first asked for. */
export function testSeed(): number {
  if (chosen === undefined) {
    chosen = Number(process.env.HEADGATE_SEED ?? randomInt(2 ** 31));
    console.log(`HEADGATE_SEED=${chosen}`);
  }
  return chosen;
}
