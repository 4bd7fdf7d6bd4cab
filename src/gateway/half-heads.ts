/**
 * Request heads of which only the beginning has come, by slot. The room of one doubles when it
 * is full, so that a head in single bytes costs no more than one in one piece; it follows what
 * has come and never goes past what a head may have. What a head says is for others to read.
 */
import type { Budget } from "../core/budget.ts";
import { type Cell, CellPool } from "../core/cell-pool.ts";

/** Below this a loop is quicker than the view that `set` needs. */
const LOOPED_BYTES_MAX = 32;

/** The head so far is the first `length` bytes of the cell. */
export interface HalfHead {
  cell: Cell;
  length: number;
}

export class HalfHeads {
  readonly #heads = new Map<number, HalfHead>();
  readonly #pool = new CellPool();
  readonly #budget: Budget;
  readonly #bytesMax: number;

  constructor(budget: Budget, bytesMax: number) {
    this.#budget = budget;
    this.#bytesMax = bytesMax;
  }

  get(slot: number): HalfHead | undefined {
    return this.#heads.get(slot);
  }

  /** A head begins with a copy of bytes [offset, end), fewer than a head may have. */
  begin(slot: number, bytes: Uint8Array, offset: number, end: number): void {
    const head = { cell: this.#take(end - offset), length: 0 };
    this.#heads.set(slot, head);
    this.#write(head, bytes, offset, end);
  }

  /** Adds of bytes [offset, end) what a head may have. */
  append(head: HalfHead, bytes: Uint8Array, offset: number, end: number): void {
    const taken = Math.min(end - offset, this.#bytesMax - head.length);
    if (head.length + taken > head.cell.size) this.#grow(head, head.length + taken);
    this.#write(head, bytes, offset, offset + taken);
  }

  forget(slot: number): void {
    const head = this.#heads.get(slot);
    if (head === undefined) return;
    this.#heads.delete(slot);
    this.#release(head.cell);
  }

  /** Gives back memory that no head has needed since this was called last. */
  trim(): void {
    this.#pool.trim();
  }

  #grow(head: HalfHead, size: number): void {
    const { cell, length } = head;
    head.cell = this.#take(size);
    head.length = 0;
    this.#write(head, cell.bytes, cell.start, cell.start + length);
    this.#release(cell);
  }

  #write(head: HalfHead, bytes: Uint8Array, offset: number, end: number): void {
    const { cell, length } = head;
    const at = cell.start + length;
    if (end - offset > LOOPED_BYTES_MAX) cell.bytes.set(bytes.subarray(offset, end), at);
    else {
      for (let index = offset; index < end; index++) {
        cell.bytes[at + index - offset] = bytes[index] as number;
      }
    }
    head.length = length + end - offset;
  }

  #take(size: number): Cell {
    const cell = this.#pool.take(size);
    this.#budget.charge("unfinished", cell.size);
    return cell;
  }

  #release(cell: Cell): void {
    this.#pool.release(cell);
    this.#budget.release("unfinished", cell.size);
  }
}
