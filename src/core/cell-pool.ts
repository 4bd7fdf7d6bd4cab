/**
 * Many small pieces of memory that live side by side in few large arrays. An array of bytes of
 * its own costs 300 bytes and more beside its content, and a cell one small object. It zeroes
 * nothing: whoever takes a cell reads of it only what it has written.
 */

const CELL_BYTES_MIN = 64;
/**
 * For one cell that is in use its whole page is kept, so a page has few of them: eight, and more
 * only where they are so small that the page would cost more than it saves.
 */
const CELLS_PER_PAGE = 8;
const PAGE_BYTES_MIN = 4096;
const PAGE_BYTES_MAX = 65_536;
/** Of pages of one size, kept for as long as any cell is in use, so that no crowd begins anew. */
const SPARE_BYTES_MAX = 1 << 20;

/** Bytes [start, start + size) of an array that others have cells of, too. */
export interface Cell {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly size: number;
}

interface OwnedCell extends Cell {
  readonly page: Page;
}

export class CellPool {
  readonly #shelves = new Map<number, Shelf>();
  #cellsUsed = 0;

  /** A cell with room for so many bytes, and for less than twice as many, or for 64. */
  take(bytes: number): Cell {
    let size = CELL_BYTES_MIN;
    while (size < bytes) size *= 2;
    let shelf = this.#shelves.get(size);
    if (shelf === undefined) {
      shelf = new Shelf(size);
      this.#shelves.set(size, shelf);
    }
    this.#cellsUsed += 1;
    return shelf.take();
  }

  /** The cell's taker must not touch it again. */
  release(cell: Cell): void {
    this.#shelves.get(cell.size)?.release(cell as OwnedCell);
    this.#cellsUsed -= 1;
    // Nobody grows: what a crowd needed once is not kept for ever.
    if (this.#cellsUsed > 0) return;
    for (const shelf of this.#shelves.values()) shelf.forgetSpare();
  }

  /** Of its pages in use, and of each size one for the next taker; not of those to spare. */
  get bytes(): number {
    let bytes = 0;
    for (const shelf of this.#shelves.values()) bytes += shelf.bytes;
    return bytes;
  }
}

/** The pages whose cells have one size. */
class Shelf {
  bytes = 0;
  readonly #cellBytes: number;
  readonly #pageBytes: number;
  readonly #withRoom: Page[] = [];
  readonly #spare: Uint8Array[] = [];

  constructor(cellBytes: number) {
    this.#cellBytes = cellBytes;
    const wanted = Math.max(PAGE_BYTES_MIN, CELLS_PER_PAGE * cellBytes);
    this.#pageBytes = Math.max(cellBytes, Math.min(PAGE_BYTES_MAX, wanted));
  }

  take(): OwnedCell {
    let page = this.#withRoom.at(-1);
    if (page === undefined) {
      page = new Page(this.#cellBytes, this.#newBytes());
      this.bytes += page.bytes.length;
      this.#withRoom.push(page);
    }
    const start = page.take();
    if (!page.hasRoom) this.#withRoom.pop();
    return { bytes: page.bytes, start, size: this.#cellBytes, page };
  }

  release({ page, start }: OwnedCell): void {
    if (!page.hasRoom) this.#withRoom.push(page);
    page.release(start);
    if (page.used > 0 || this.#withRoom.length === 1) return;
    this.#withRoom.splice(this.#withRoom.indexOf(page), 1);
    this.bytes -= page.bytes.length;
    if (this.#spare.length * this.#pageBytes < SPARE_BYTES_MAX) this.#spare.push(page.bytes);
  }

  forgetSpare(): void {
    this.#spare.length = 0;
  }

  #newBytes(): Uint8Array {
    return this.#spare.pop() ?? new Uint8Array(this.#pageBytes);
  }
}

class Page {
  used = 0;
  readonly bytes: Uint8Array;
  readonly #cellBytes: number;
  /** From here on no cell was ever taken. */
  #fresh = 0;
  readonly #released: number[] = [];

  constructor(cellBytes: number, bytes: Uint8Array) {
    this.#cellBytes = cellBytes;
    this.bytes = bytes;
  }

  get hasRoom(): boolean {
    return this.#fresh < this.bytes.length || this.#released.length > 0;
  }

  take(): number {
    this.used += 1;
    const start = this.#released.pop();
    if (start !== undefined) return start;
    this.#fresh += this.#cellBytes;
    return this.#fresh - this.#cellBytes;
  }

  release(start: number): void {
    this.used -= 1;
    this.#released.push(start);
  }
}
