import assert from "node:assert/strict";
import { test } from "node:test";
import { Budget } from "../core/budget.ts";
import { type HalfHead, HalfHeads } from "./half-heads.ts";

const BYTES_MAX = 1000;
const bytes = Uint8Array.from({ length: 3000 }, (_, index) => index % 251);

function start() {
  const budget = new Budget(1_000_000);
  return { budget, heads: new HalfHeads(budget, BYTES_MAX) };
}

function contentOf({ cell, length }: HalfHead): Uint8Array {
  return cell.bytes.slice(cell.start, cell.start + length);
}

for (const pieceBytes of [1, 7, 33, 200]) {
  test(`a head that comes in pieces of ${pieceBytes} is kept whole, in twice its bytes`, () => {
    const { heads, budget } = start();
    // Of others, so that what is written too far is seen.
    heads.begin(1, bytes, 0, 64);
    heads.begin(2, bytes, 0, pieceBytes);
    heads.begin(3, bytes, 0, 64);
    const head = heads.get(2) as HalfHead;
    for (let at = pieceBytes; at + pieceBytes < BYTES_MAX; at += pieceBytes) {
      heads.append(head, bytes, at, at + pieceBytes);
      assert.deepEqual(contentOf(head), bytes.slice(0, at + pieceBytes));
      assert.ok(head.cell.size <= Math.max(64, 2 * head.length));
      assert.equal(budget.held("unfinished"), head.cell.size + 128);
    }
    for (const slot of [1, 3]) {
      assert.deepEqual(contentOf(heads.get(slot) as HalfHead), bytes.slice(0, 64));
    }
  });
}

test("of a large read only what a head may have is kept", () => {
  const { heads } = start();
  heads.begin(0, bytes, 0, 10);
  const head = heads.get(0) as HalfHead;
  heads.append(head, bytes, 10, 3000);
  assert.equal(head.length, BYTES_MAX);
  assert.deepEqual(contentOf(head), bytes.slice(0, BYTES_MAX));
  assert.equal(head.cell.size, 1024);
});

test("a head that is forgotten is charged to nobody, and one that never was is none", () => {
  const { heads, budget } = start();
  heads.begin(5, bytes, 0, 100);
  heads.forget(5);
  heads.forget(6);
  assert.equal(heads.get(5), undefined);
  assert.equal(budget.held("unfinished"), 0);
});
