import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Budget } from "../core/budget.ts";
import { ParkedInput } from "./parked-input.ts";

describe("parked input", () => {
  test("is a copy, charged to the budget until it is taken", () => {
    const budget = new Budget(1000);
    const parked = new ParkedInput(budget);
    const arena = Uint8Array.from(Buffer.from("hello"));
    parked.put(3, arena);
    arena.fill(0);
    assert.equal(parked.has(3), true);
    assert.equal(parked.bytes(3), 5);
    assert.equal(budget.held("parked"), 5);
    assert.equal(Buffer.from(parked.take(3) as Uint8Array).toString(), "hello");
    assert.equal(parked.has(3), false);
    assert.equal(budget.held("parked"), 0);
  });

  test("of one slot is not another's", () => {
    const budget = new Budget(1000);
    const parked = new ParkedInput(budget);
    parked.put(1, Buffer.from("one"));
    parked.put(2, Buffer.from("second"));
    assert.equal(parked.bytes(1), 3);
    assert.equal(parked.bytes(7), 0);
    assert.equal(parked.take(7), undefined);
    parked.drop(1);
    parked.drop(1);
    assert.equal(budget.held("parked"), 6);
    assert.equal(Buffer.from(parked.take(2) as Uint8Array).toString(), "second");
    assert.equal(parked.take(2), undefined);
    assert.equal(budget.held("parked"), 0);
  });

  test("is never put on top of what is parked already: that would change its order", () => {
    const parked = new ParkedInput(new Budget(1000));
    parked.put(1, Buffer.from("first"));
    assert.throws(() => parked.put(1, Buffer.from("second")), /slot 1/);
  });
});
