import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PushMemory } from "./push-memory.ts";

const TWO_MINUTES_MS = 120_000;

describe("a push with an id", () => {
  test("reaches every connection once, however often it is repeated", () => {
    const memory = new PushMemory(1000);
    assert.deepEqual(memory.unreached("a", [1, 2, 3], 0), [1, 2, 3]);
    assert.deepEqual(memory.unreached("a", [1, 2, 3], 1), []);
    assert.deepEqual(memory.unreached("a", [3, 4, 1, 5], 2), [4, 5]);
    assert.deepEqual(memory.unreached("a", [5, 4, 3, 2, 1], 3), []);
  });

  test("is not another push", () => {
    const memory = new PushMemory(1000);
    memory.unreached("a", [1, 2], 0);
    assert.deepEqual(memory.unreached("b", [1, 2], 0), [1, 2]);
    assert.deepEqual(memory.unreached("", [1, 2], 0), [1, 2]);
  });

  test("is forgotten two minutes after its first try, and not before", () => {
    const memory = new PushMemory(1000);
    memory.unreached("a", [1], 5);
    assert.deepEqual(memory.unreached("a", [1, 2], TWO_MINUTES_MS + 4), [2]);
    assert.deepEqual(memory.unreached("a", [1, 2], TWO_MINUTES_MS + 5), [1, 2]);
  });

  test("is remembered also where it reached nobody yet", () => {
    const memory = new PushMemory(1000);
    assert.deepEqual(memory.unreached("a", [], 0), []);
    assert.deepEqual(memory.unreached("a", [7], 1), [7]);
    assert.deepEqual(memory.unreached("a", [7], 2), []);
  });

  test("pushes out the oldest when too many receivers are remembered", () => {
    const memory = new PushMemory(10);
    memory.unreached("oldest", [1, 2, 3, 4], 0);
    memory.unreached("older", [1, 2, 3, 4], 1);
    memory.unreached("new", [1], 2);
    assert.deepEqual(memory.unreached("older", [1, 2, 3, 4], 3), []);
    assert.deepEqual(memory.unreached("new", [1], 4), []);
    assert.deepEqual(memory.unreached("oldest", [1, 2, 3, 4], 5), [1, 2, 3, 4]);
  });

  test("without receivers counts as well, so that ids alone do not fill the memory", () => {
    const memory = new PushMemory(100);
    memory.unreached("first", [1], 0);
    for (let count = 0; count < 99; count += 1) memory.unreached(`empty ${count}`, [], 1);
    assert.deepEqual(memory.unreached("first", [1], 2), [1]);
  });
});
