import assert from "node:assert/strict";
import { test } from "node:test";
import { runCampaign } from "./campaign.ts";
import { cut, Random } from "./random.ts";
import { smallerStream, withoutPieces } from "./shrink.ts";
import { generate, readCase, type Target, writeCase } from "./target.ts";

interface Stream {
  bytes: Uint8Array;
  pieces: number[];
}

/** Wrong about every stream that has a byte of 7. */
function brokenTarget(): Target<Stream> {
  return {
    tally: new Map(),
    shortRuns: 1,
    generate: (random) => ({ bytes: random.bytes(200), pieces: random.pieces(200) }),
    check({ bytes }) {
      assert(!bytes.includes(7), "there is a seven");
    },
    smaller: smallerStream,
  };
}

const bounds = { first: 0, stride: 1, runs: 1000, timeMs: Infinity };

test("a case that fails ends the run, with its seed and as small as it gets", async () => {
  const target = brokenTarget();
  const marks: number[] = [];
  const mark = (seed: number) => marks.push(seed);
  const { failure, cases } = await runCampaign(target, { seed: 5, ...bounds, mark });
  assert.equal(failure?.seed, 5 + cases - 1);
  assert.deepEqual(marks.length, cases);
  assert.match(failure?.message ?? "", /there is a seven/);
  assert.equal(failure?.written, '{"bytes":{"hex":"07"},"pieces":[]}');
  const alone = { seed: failure?.seed ?? 0, ...bounds, runs: 1, mark };
  const again = await runCampaign(target, alone);
  assert.equal(again.failure?.written, failure?.written);
});

test("processes share the cases of a run, and each case has one seed in all of them", async () => {
  const seeds: number[] = [];
  const target = { ...brokenTarget(), check: () => {} };
  const mark = (seed: number) => seeds.push(seed);
  for (const first of [0, 1]) {
    await runCampaign(target, { seed: 2 ** 31 - 2, ...bounds, runs: 5, first, stride: 2, mark });
  }
  assert.deepEqual(seeds, [2 ** 31 - 2, 0, 2, 2 ** 31 - 1, 1]);
});

test("a run ends when its time is over", async () => {
  const target = { ...brokenTarget(), check: () => {} };
  const run = { seed: 1, ...bounds, runs: Infinity, timeMs: 10, mark: () => {} };
  const { cases, failure } = await runCampaign(target, run);
  assert.ok(cases > 0);
  assert.equal(failure, undefined);
});

test("the same seed makes the same case, and another one another", () => {
  const target = brokenTarget();
  assert.deepEqual(generate(target, 9), generate(target, 9));
  assert.notDeepEqual(generate(target, 9), generate(target, 10));
});

test("a case that was written down is read back", () => {
  const each = {
    bytes: Uint8Array.of(0, 255),
    list: ["\ud800", 1, Buffer.from("a")],
    nested: { none: null },
  };
  const read = readCase(JSON.parse(writeCase(each)));
  assert.deepEqual(read, { ...each, list: ["\ud800", 1, Uint8Array.of(97)] });
});

test("pieces are the bytes, cut anywhere", () => {
  for (let seed = 0; seed < 50; seed++) {
    const random = new Random(seed);
    const bytes = random.bytes(random.below(100));
    const parts = cut(bytes, random.pieces(bytes.length));
    assert.deepEqual(Buffer.concat(parts), Buffer.from(bytes));
  }
});

test("to leave out pieces begins with the longest and comes to every single element", () => {
  assert.deepEqual([...withoutPieces("abcd")], ["", "cd", "ab", "bcd", "acd", "abd", "abc"]);
  assert.deepEqual([...withoutPieces("")], []);
});
