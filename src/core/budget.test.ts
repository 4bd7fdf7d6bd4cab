import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Budget } from "./budget.ts";

describe("the budget", () => {
  test("adds up what is held, by kind and together with what carriers hold", () => {
    const budget = new Budget(1000);
    budget.charge("parked", 1);
    budget.charge("unfinished", 20);
    budget.charge("queued", 300);
    budget.unacknowledgedBytes = () => 400;
    assert.equal(budget.held("parked"), 1);
    assert.equal(budget.held("unfinished"), 20);
    assert.equal(budget.held("queued"), 300);
    assert.equal(budget.bytes, 721);
  });

  test("is back at nothing when everything was released", () => {
    const budget = new Budget(1000);
    for (const kind of ["parked", "unfinished", "queued"] as const) {
      budget.charge(kind, 70);
      budget.charge(kind, 30);
      budget.release(kind, 100);
      assert.equal(budget.held(kind), 0);
    }
    assert.equal(budget.bytes, 0);
  });

  test("is strained from 80 % on and exhausted from 95 % on", () => {
    const budget = new Budget(1000);
    budget.charge("queued", 799);
    assert.deepEqual([budget.isStrained, budget.isExhausted], [false, false]);
    budget.charge("parked", 1);
    assert.deepEqual([budget.isStrained, budget.isExhausted], [true, false]);
    budget.charge("unfinished", 149);
    assert.deepEqual([budget.isStrained, budget.isExhausted], [true, false]);
    budget.charge("unfinished", 1);
    assert.deepEqual([budget.isStrained, budget.isExhausted], [true, true]);
    budget.release("queued", 799);
    assert.deepEqual([budget.isStrained, budget.isExhausted], [false, false]);
  });

  test("is overfull only where letting go of what is held here would help", () => {
    const budget = new Budget(1000);
    let unacknowledgedBytes = 900;
    budget.unacknowledgedBytes = () => unacknowledgedBytes;
    assert.deepEqual([budget.isStrained, budget.isOverfull], [true, false]);
    budget.charge("queued", 200);
    assert.equal(budget.isOverfull, false);
    budget.charge("queued", 1);
    assert.equal(budget.isOverfull, true);
    unacknowledgedBytes = 500;
    assert.equal(budget.isOverfull, false);
  });
});
