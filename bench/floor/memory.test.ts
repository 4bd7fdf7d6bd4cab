import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleOf } from "./memory.ts";

const empty = { resident: 58e6, anonymous: 13e6, supervisor: 80e6 };
const small = { untouched: 15e6, touched: 16e6 };
const large = { untouched: 19e6, touched: 21.6e6 };

test("a connection costs the slope between the counts, and what came since it was empty", () => {
  assert.deepEqual(sampleOf([2000, 18_000], empty, small, large), {
    untouched: 250,
    touched: 350,
    whole: 333 + 1 / 3,
    empty: 58e6,
    supervisor: 80e6,
  });
});

test("what comes out below nothing is told as it is, and not as nothing", () => {
  const heavy = { untouched: 30e6, touched: 30e6 };
  const sample = sampleOf([2000, 18_000], { ...empty, anonymous: 37e6 }, heavy, large);
  assert.deepEqual([sample.untouched, sample.touched, sample.whole], [-687.5, -525, -1000]);
});

test("a server that is one process has nobody who watches over it", () => {
  const alone = { resident: 45e6, anonymous: 9e6 };
  assert.equal("supervisor" in sampleOf([1, 2], alone, small, large), false);
});
