import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { READ, WRITE } from "./binding.ts";
import { BROKEN, CLOSED, FINISHING, QUEUED, SlotTable } from "./slot-table.ts";

describe("the slot table", () => {
  test("has no slot in use and nothing owed to any at first", () => {
    const slots = new SlotTable(4);
    assert.equal(slots.capacity, 4);
    assert.equal(slots.used, 0);
    assert.deepEqual([...slots.heads], [-1, -1, -1, -1]);
    assert.deepEqual([...slots.deadlines], [0, 0, 0, 0]);
    assert.deepEqual([...slots.generations], [0, 0, 0, 0]);
  });

  test("makes a slot that is opened again as good as new, but for its generation", () => {
    const slots = new SlotTable(4);
    slots.open(2, READ);
    slots.flags[2] = QUEUED | FINISHING | BROKEN | CLOSED;
    slots.heads[2] = 7;
    slots.deadlines[2] = 99;
    slots.interest[2] = WRITE;
    slots.generations[2] = 5;
    slots.open(2, READ);
    assert.equal(slots.flags[2], 0);
    assert.equal(slots.heads[2], -1);
    assert.equal(slots.deadlines[2], 0);
    assert.equal(slots.interest[2], READ);
    assert.equal(slots.generations[2], 5);
  });

  test("knows where loops over slots end: one above the highest that was ever opened", () => {
    const slots = new SlotTable(8);
    slots.open(3, READ);
    assert.equal(slots.used, 4);
    slots.open(0, READ);
    assert.equal(slots.used, 4);
    slots.open(7, READ);
    assert.equal(slots.used, 8);
  });

  test("has a bit of its own for every flag", () => {
    const flags = [QUEUED, FINISHING, BROKEN, CLOSED];
    assert.equal(
      flags.reduce((sum, flag) => sum + flag, 0),
      flags.reduce((all, flag) => all | flag, 0),
    );
  });
});
