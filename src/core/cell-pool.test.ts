import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../test/support/seed.ts";
import { type Cell, CellPool, cellBytesFor } from "./cell-pool.ts";

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
  assert.equal(pool.bytes, 0);
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

test("pages that are free are kept until a trim finds that nobody has needed them since", () => {
  const pool = new CellPool();
  const takeAll = (): Set<Uint8Array> => {
    const cells = Array.from({ length: 3 * 64 }, () => pool.take(64));
    for (const cell of cells) pool.release(cell);
    return new Set(cells.map(({ bytes }) => bytes));
  };
  const pages = takeAll();
  pool.trim();
  assert.deepEqual(takeAll(), pages);
  pool.trim();
  const one = pool.take(64);
  assert.ok(pages.has(one.bytes));
  pool.release(one);
  pool.trim();
  // One was needed, and is kept; two were not.
  assert.equal([...takeAll()].filter((bytes) => pages.has(bytes)).length, 1);
});

/** Cells of 40 sizes, 70 MB in all. */
function takeMany(pool: CellPool, bytesLeast: number): Cell[] {
  return Array.from({ length: 40 }, (_, index) => pool.take(bytesLeast + index * 65_536));
}

function countKept(cells: Cell[], before: Cell[]): number {
  const arrays = new Set(before.map(({ bytes }) => bytes));
  return cells.filter(({ bytes }) => arrays.has(bytes)).length;
}

test("all that was in use at once is kept for those who need it again", () => {
  const pool = new CellPool();
  const cells = takeMany(pool, 500_000);
  for (const cell of cells) pool.release(cell);
  assert.equal(countKept(takeMany(pool, 500_000), cells), 40);
});

test("with what is in use, twice what was in use at once is kept, whatever the sizes", () => {
  const pool = new CellPool();
  const sizes = [1_000_000, 1_100_000, 1_200_000];
  const cells = sizes.map((bytes) => {
    const cell = pool.take(bytes);
    pool.release(cell);
    return cell;
  });
  // The third came while two were spare, which were too much beside it.
  assert.equal(
    countKept(
      sizes.map((bytes) => pool.take(bytes)),
      cells,
    ),
    1,
  );
});

test("the second trim forgets how much was in use before the first", () => {
  const pool = new CellPool();
  const cells = takeMany(pool, 500_000);
  const [first] = cells as [Cell];
  pool.trim();
  pool.trim();
  for (const cell of cells.slice(1)) pool.release(cell);
  pool.trim();
  pool.trim();
  pool.release(first);
  assert.equal(countKept(takeMany(pool, 500_000), cells), 1);
});

test("who needs memory one after the other does not keep what a crowd needed at once", () => {
  const pool = new CellPool();
  const cells = takeMany(pool, 500_000);
  for (const cell of cells) pool.release(cell);
  for (let round = 0; round < 2; round += 1) {
    pool.trim();
    for (const { size } of cells) pool.release(pool.take(size));
  }
  assert.ok(countKept(takeMany(pool, 500_000), cells) <= 1);
});

test("long cells are whole multiples of 64 KiB, and as long as cellBytesFor says", () => {
  const pool = new CellPool();
  for (const bytes of [65_537, 131_073, 1_048_586, 5_000_000]) {
    const { size } = pool.take(bytes);
    assert.equal(size, cellBytesFor(bytes));
    assert.equal(size % 65_536, 0);
    assert.ok(size >= bytes && size < bytes + 65_536);
  }
});
