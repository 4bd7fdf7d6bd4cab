import assert from "node:assert/strict";
import { test } from "node:test";
import { formatJudgements, judge, type Target } from "./judge.ts";
import { results } from "./report.test.helper.ts";
import { targets } from "./targets.ts";

function target(bound: Target["bound"], values: number[], unit = " B"): Target {
  const described = { workload: "echo", what: "it", unit, digits: 0, values: () => values };
  return bound === undefined ? described : { ...described, bound };
}

function verdictOf(bound: Target["bound"], ...values: number[]): string | undefined {
  return judge([target(bound, values)], results)[0]?.verdict;
}

test("a target is met at its bound, by the median", () => {
  assert.equal(verdictOf({ most: 10 }, 1, 10, 99), "met");
  assert.equal(verdictOf({ most: 10 }, 1, 11, 12), "missed");
  assert.equal(verdictOf({ least: 10 }, 10), "met");
  assert.equal(verdictOf({ least: 10 }, 9), "missed");
  assert.equal(verdictOf({ less: 10 }, 10), "missed");
  assert.equal(verdictOf({ less: 10 }, 9), "met");
});

test("a goal is told apart from the bound that has to be kept", () => {
  assert.equal(verdictOf({ most: 10, goal: 5 }, 5), "goal met");
  assert.equal(verdictOf({ most: 10, goal: 5 }, 6), "met");
});

test("a verdict that not all rounds bear out is within the noise", () => {
  const isNoise = (bound: Target["bound"], ...values: number[]) =>
    judge([target(bound, values)], results)[0]?.isWithinNoise;
  assert.equal(isNoise({ most: 10 }, 8, 9, 10), false);
  assert.equal(isNoise({ most: 10 }, 8, 9, 11), true);
  assert.equal(isNoise({ most: 10 }, 10, 12, 13), true);
  assert.equal(isNoise({ most: 10 }, 11, 12, 13), false);
  assert.equal(isNoise({ less: 10 }, 9, 9, 10), true);
  assert.equal(isNoise({ least: 10 }, 9, 11, 12), true);
  assert.equal(isNoise({ least: 10 }, 10, 11, 12), false);
  assert.equal(isNoise({ most: 10, goal: 5 }, 4, 6, 10), false, "it is met, whatever the goal");
  assert.equal(isNoise({ most: 10, goal: 5 }, 4, 5, 6), true, "the goal is not");
  assert.equal(isNoise({ most: 10, goal: 5 }, 4, 4, 5), false);
  assert.equal(isNoise(undefined, 1, 99), false);
  assert.equal(isNoise({ most: 10 }), false);
});

test("what was not measured is neither met nor missed, and what is beside has no target", () => {
  assert.equal(verdictOf({ most: 10 }), "not measured");
  assert.equal(verdictOf({ most: 10 }, Number.NaN), "not measured");
  assert.equal(verdictOf(undefined, 3), "no target");
});

test("a table has bound, median with its range, and verdict, with their unit", () => {
  const rows = formatJudgements(
    judge(
      [
        target({ most: 10, goal: 5 }, [5, 6, 7]),
        target({ least: 1_500_000 }, [1_400_000, 1_600_000], ""),
        target({ less: 1 }, [3]),
        target({ less: 2 }, [1, 3, 3]),
        target(undefined, [2]),
        target({ most: 0 }, []),
      ],
      results,
    ),
  ).split("\n");
  assert.deepEqual(rows.slice(2), [
    "| it | ≤ 10 B, goal 5 | **6** (5 to 7) B | met |",
    "| it | ≥ 1,500,000 | **1,500,000** (1,400,000 to 1,600,000) | met, within the noise |",
    "| it | < 1 B | **3** B | **missed** |",
    "| it | < 2 B | **3** (1 to 3) B | **missed**, within the noise |",
    "| it | – | **2** B |  |",
    "| it | ≤ 0 B | – | not measured |",
  ]);
});

/** What a workload of these results has, whatever scenario and contender are asked for. */
function valuesOf(what: string, own: Record<string, number>[], base: Record<string, number>[]) {
  const found = targets.find((each) => each.what === what);
  assert.ok(found !== undefined, what);
  return found.values((_, contender) => (contender === "Headgate" ? own : base));
}

test("ratios and differences are of one round each", () => {
  const own = [{ cost: 10, userUs: 3 }, { cost: 30, userUs: 4 }, { cost: 1 }];
  const base = [
    { cost: 5, userUs: 1 },
    { cost: 10, userUs: 3.5 },
  ];
  assert.deepEqual(valuesOf("Echo, 20 B: CPU against the floor", own, base), [2, 3]);
  assert.deepEqual(valuesOf("Echo, 20 B: user part above the floor's", own, base), [2, 0.5]);
  assert.deepEqual(valuesOf("Echo, 20 B: CPU against the floor", own, []), []);
});

test("of stalls the worst round counts", () => {
  const what = "Longest turn of the loop in all rounds, pushing 4 KiB to 18,000";
  assert.deepEqual(valuesOf(what, [{ turnMs: 5 }, { turnMs: 12 }, { cost: 1 }], []), [12]);
  assert.deepEqual(valuesOf(what, [], []), []);
});

test("counts are those of the rounds", () => {
  const what = "Idle connection, anonymous: memory, after one message";
  assert.deepEqual(valuesOf(what, [{ touched: 5 }, { touched: 7 }, { cost: 1 }], []), [5, 7]);
});
