/**
 * Many small pieces of memory that live side by side in few large arrays. An array of bytes of
 * its own costs 300 bytes and more beside its content, and a cell one small object. It zeroes
 * nothing: whoever takes a cell reads of it only what it has written.
 */

const CELL_BYTES_MIN = 64;
/** From here on sizes are multiples of this, below they are powers of two. */
const CELL_BYTES_STEP = 65_536;
/**
 * For one cell that is in use its whole page is kept, so a page has few of them: eight, and more
 * only where they are so small that the page would cost more than it saves.
 */
const CELLS_PER_PAGE = 8;
const PAGE_BYTES_MIN = 4096;
const PAGE_BYTES_MAX = 65_536;

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
  readonly #held = new Held();

  /** A cell with room for so many bytes, and for less than twice as many, or for 64. */
  take(bytes: number): Cell {
    const size = cellBytesFor(bytes);
    let shelf = this.#shelves.get(size);
    if (shelf === undefined) {
      shelf = new Shelf(size, this.#held);
      this.#shelves.set(size, shelf);
    }
    const cell = shelf.take();
    // Of other sizes, which do not help here.
    if (this.#held.isOver) for (const other of this.#shelves.values()) other.dropSpare();
    return cell;
  }

  /** The cell's taker must not touch it again. */
  release(cell: Cell): void {
    this.#shelves.get(cell.size)?.release(cell as OwnedCell);
  }

  /**
   * Pages that are free are kept for the next takers, as new ones keep V8's collector busy; with
   * those in use never more than twice what was in use at once of late. This gives back what was
   * not needed since it was called last: nobody keeps what a crowd needed once.
   */
  trim(): void {
    this.#held.trim();
    for (const [size, shelf] of this.#shelves) {
      shelf.trim();
      if (shelf.isEmpty) this.#shelves.delete(size);
    }
  }

  /** Of its pages in use; not of those to spare. */
  get bytes(): number {
    return this.#held.usedBytes;
  }
}

/** The pages of all shelves of a pool, in bytes. */
class Held {
  spareBytes = 0;
  /** The most in use at once between the last two trims, and since. */
  #mostBefore = 0;
  #most = 0;
  #usedBytes = 0;

  get usedBytes(): number {
    return this.#usedBytes;
  }

  set usedBytes(bytes: number) {
    this.#usedBytes = bytes;
    this.#most = Math.max(this.#most, bytes);
  }

  get isOver(): boolean {
    // Twice: a message is in small cells first and then in a large one.
    return this.#usedBytes + this.spareBytes > 2 * Math.max(this.#mostBefore, this.#most);
  }

  trim(): void {
    this.#mostBefore = this.#most;
    this.#most = this.#usedBytes;
  }
}

/** The size of the cell that `take` gives for so many bytes. */
export function cellBytesFor(bytes: number): number {
  if (bytes > CELL_BYTES_STEP) return Math.ceil(bytes / CELL_BYTES_STEP) * CELL_BYTES_STEP;
  let size = CELL_BYTES_MIN;
  while (size < bytes) size *= 2;
  return size;
}

/** The pages whose cells have one size. */
class Shelf {
  readonly #cellBytes: number;
  readonly #pageBytes: number;
  readonly #withRoom: Page[] = [];
  readonly #spare: Uint8Array[] = [];
  readonly #held: Held;
  /** Of its pages in use. */
  #bytes = 0;
  /** The fewest that were to spare since the last trim. */
  #spareLeast = 0;

  constructor(cellBytes: number, held: Held) {
    this.#cellBytes = cellBytes;
    this.#held = held;
    const wanted = Math.max(PAGE_BYTES_MIN, CELLS_PER_PAGE * cellBytes);
    this.#pageBytes = Math.max(cellBytes, Math.min(PAGE_BYTES_MAX, wanted));
  }

  get isEmpty(): boolean {
    return this.#bytes === 0 && this.#spare.length === 0;
  }

  take(): OwnedCell {
    let page = this.#withRoom.at(-1);
    if (page === undefined) {
      page = new Page(this.#cellBytes, this.#newBytes());
      this.#use(this.#pageBytes);
      this.#withRoom.push(page);
    }
    const start = page.take();
    if (!page.hasRoom) this.#withRoom.pop();
    return { bytes: page.bytes, start, size: this.#cellBytes, page };
  }

  release({ page, start }: OwnedCell): void {
    if (!page.hasRoom) this.#withRoom.push(page);
    page.release(start);
    if (page.used > 0) return;
    this.#withRoom.splice(this.#withRoom.indexOf(page), 1);
    this.#use(-this.#pageBytes);
    this.#spare.push(page.bytes);
    this.#held.spareBytes += this.#pageBytes;
    // After a trim, what was in use before it is no measure any more.
    if (this.#held.isOver) this.#keepSpare(this.#spare.length - 1);
  }

  trim(): void {
    this.#keepSpare(this.#spare.length - this.#spareLeast);
    this.#spareLeast = this.#spare.length;
  }

  dropSpare(): void {
    this.#keepSpare(0);
  }

  #use(bytes: number): void {
    this.#bytes += bytes;
    this.#held.usedBytes += bytes;
  }

  #keepSpare(pages: number): void {
    this.#held.spareBytes -= (this.#spare.length - pages) * this.#pageBytes;
    this.#spare.length = pages;
    this.#spareLeast = Math.min(this.#spareLeast, pages);
  }

  #newBytes(): Uint8Array {
    const bytes = this.#spare.pop();
    if (bytes === undefined) return allocate(this.#pageBytes);
    this.#held.spareBytes -= this.#pageBytes;
    this.#spareLeast = Math.min(this.#spareLeast, this.#spare.length);
    return bytes;
  }
}

function allocate(bytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
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
