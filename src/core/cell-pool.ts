/**
 * Many small pieces of memory that live side by side in few large arrays. An array of bytes of
 * its own costs 300 bytes and more beside its content, and a cell one small object. It zeroes
 * nothing: whoever takes a cell reads of it only what it has written.
 */

const PAGE_BYTES = 65_536;
const CELL_BYTES_MIN = 64;
/**
 * Pages that are kept for cells of any size, so that what grows uses what it has left, for as long
 * as any cell is in use.
 */
const SPARE_PAGES_MAX = 64;

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
  readonly #spare: Uint8Array[] = [];
  #cellsUsed = 0;

  /** A cell with room for so many bytes, and for less than twice as many, or for 64. */
  take(bytes: number): Cell {
    let size = CELL_BYTES_MIN;
    while (size < bytes) size *= 2;
    let shelf = this.#shelves.get(size);
    if (shelf === undefined) {
      shelf = new Shelf(size, this.#spare);
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
    if (this.#cellsUsed === 0) this.#spare.length = 0;
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
  readonly #withRoom: Page[] = [];
  readonly #spare: Uint8Array[];

  constructor(cellBytes: number, spare: Uint8Array[]) {
    this.#cellBytes = cellBytes;
    this.#spare = spare;
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
    const isUsual = page.bytes.length === PAGE_BYTES;
    if (isUsual && this.#spare.length < SPARE_PAGES_MAX) this.#spare.push(page.bytes);
  }

  #newBytes(): Uint8Array {
    if (this.#cellBytes > PAGE_BYTES) return new Uint8Array(this.#cellBytes);
    return this.#spare.pop() ?? new Uint8Array(PAGE_BYTES);
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
