import assert from "node:assert/strict";
import { test } from "node:test";
import type { Contender } from "../floor/servers.ts";
import { compare } from "./comparison.ts";

function entry(name: string, costs: (number | string)[]) {
  const start: Contender["start"] = () => assert.fail("nothing is started");
  return { contender: { name, raw: false, start }, costs: [...costs] };
}

async function compareCosts(entries: ReturnType<typeof entry>[], warmUpRounds = 0) {
  const order: string[] = [];
  const plan = { scenario: "s", rounds: 3, base: "base", progress: () => {} };
  const comparison = await compare(
    entries,
    { ...plan, warmUpRounds },
    async ({ contender, costs }) => {
      order.push(contender.name);
      const cost = costs.shift();
      if (typeof cost === "number") return { cost };
      throw new Error(`a command\n${cost}`);
    },
  );
  return { ...comparison, order };
}

test("contenders take turns, and a ratio is of one round", async () => {
  const { figures, order } = await compareCosts([
    entry("base", [10, 20, 40]),
    entry("other", [5, 30, 40]),
  ]);
  assert.deepEqual(order, ["base", "other", "base", "other", "base", "other"]);
  assert.deepEqual(figures[0]?.ratios, [1, 1, 1]);
  assert.deepEqual(figures[1]?.ratios, [0.5, 1.5, 1]);
});

test("one that fails is named, asked no more, and keeps the rounds that it did", async () => {
  const { figures, failures, order } = await compareCosts([
    entry("base", [10, 10, 10]),
    entry("other", [20, "it broke"]),
  ]);
  assert.deepEqual(failures, [{ scenario: "s", contender: "other", reason: "it broke" }]);
  assert.deepEqual(order, ["base", "other", "base", "other", "base"]);
  assert.deepEqual(figures[1]?.ratios, [2]);
});

test("without the base there are costs and no ratios", async () => {
  const { figures } = await compareCosts([entry("base", ["no"]), entry("other", [1, 2, 3])]);
  assert.deepEqual(figures, [
    {
      scenario: "s",
      contender: "other",
      samples: [{ cost: 1 }, { cost: 2 }, { cost: 3 }],
      ratios: [],
    },
  ]);
});

test("rounds that warm up do not count", async () => {
  const { figures } = await compareCosts(
    [entry("base", [99, 50, 1, 1, 1]), entry("other", [1, 1, 2, 2, 2])],
    2,
  );
  assert.deepEqual(figures[1]?.ratios, [2, 2, 2]);
});
