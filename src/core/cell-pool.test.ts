import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../test/support/seed.ts";
import { type Cell, CellPool } from "./cell-pool.ts";

test("a cell has room for what was asked, and for less than twice as much, or for 64", () => {
  const pool = new CellPool();
  const sizes = [0, 1, 64, 65, 128, 1000, 65_536, 65_537].map((bytes) => pool.take(bytes).size);
  assert.deepEqual(sizes, [64, 64, 64, 128, 128, 1024, 65_536, 131_072]);
});

test("cells that are in use never overlap, whatever is taken and released in between", () => {
  const random = seededRandom();
  const pool = new CellPool();
  const taken: { cell: Cell; mark: number }[] = [];
  for (let step = 0; step < 20_000; step += 1) {
    if (random() < (step < 10_000 ? 0.6 : 0.4)) {
      const cell = pool.take(2 ** Math.floor(random() * 14));
      const mark = step % 251;
      cell.bytes.fill(mark, cell.start, cell.start + cell.size);
      taken.push({ cell, mark });
      continue;
    }
    const index = Math.floor(random() * taken.length);
    const [one] = taken.splice(index, 1);
    if (one === undefined) continue;
    const { cell, mark } = one;
    const content = cell.bytes.subarray(cell.start, cell.start + cell.size);
    assert.ok(content.every((byte) => byte === mark));
    pool.release(cell);
  }
});

test("pages are shared by many cells, and go when the last of them does", () => {
  const pool = new CellPool();
  const cells = Array.from({ length: 3 * 64 }, () => pool.take(64));
  assert.equal(pool.bytes, 3 * 4096);
  assert.equal(new Set(cells.map(({ bytes }) => bytes)).size, 3);
  for (const cell of cells) pool.release(cell);
  // One stays for the next taker.
  assert.equal(pool.bytes, 4096);
  assert.equal(pool.take(1).size, 64);
  assert.equal(pool.bytes, 4096);
});

test("a cell in use keeps few others from being given back", () => {
  const pages = [64, 512, 1024, 8192, 16_384, 65_536, 131_072].map((size) => {
    const pool = new CellPool();
    pool.take(size);
    return pool.bytes;
  });
  assert.deepEqual(pages, [4096, 4096, 8192, 65_536, 65_536, 65_536, 131_072]);
});

test("a released cell is used again before a new page is begun", () => {
  const pool = new CellPool();
  const cells = Array.from({ length: 64 }, () => pool.take(64));
  pool.release(cells[7] as Cell);
  assert.equal(pool.take(64).start, cells[7]?.start);
  assert.equal(pool.bytes, 4096);
  pool.take(64);
  assert.equal(pool.bytes, 2 * 4096);
});

test("pages to spare go when no cell is in use, and not before", () => {
  const pool = new CellPool();
  const kept = pool.take(128);
  const pages = [0, 0].map(() => {
    const cells = Array.from({ length: 3 * 64 }, () => pool.take(64));
    for (const cell of cells) pool.release(cell);
    return new Set(cells.map(({ bytes }) => bytes));
  });
  assert.deepEqual(
    pages.map(({ size }) => size),
    [3, 3],
  );
  assert(pages.every((some) => [...some].every((bytes) => pages[0]?.has(bytes))));
  pool.release(kept);
  const later = Array.from({ length: 3 * 64 }, () => pool.take(64));
  const known = later.filter(({ bytes }) => pages[0]?.has(bytes));
  // Only the one that the shelf has kept for its next taker.
  assert.equal(known.length, 64);
});
