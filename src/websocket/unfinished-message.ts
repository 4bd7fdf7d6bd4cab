/**
 * What is kept of one connection between two reads, while a frame or a message is unfinished:
 * plain data, which could move to another process. It grows by what has arrived, never by what
 * a header announces. Between messages a connection has none.
 */
import { type Cell, type CellPool, cellBytesFor } from "../core/cell-pool.ts";
import { HEADER_BYTES_MAX } from "./encode.ts";

/** Larger cells would be copied for long when they grow: from here on pieces are added. */
const CELL_BYTES_MAX = 65_536;
/** Up to here a loop is quicker than the view that `set` needs, and leaves no garbage. */
const LOOPED_BYTES_MAX = 64;

/** A cell that is full, up to `length`. */
interface Piece {
  readonly cell: Cell;
  readonly length: number;
}

export class UnfinishedMessage {
  /** When it began, for the one who has a clock; the receiver leaves it alone. */
  startedAt = 0;
  /** What the budget was charged for it, for the one who has a budget. */
  bytesCharged = 0;

  /** Of the message whose first frame has begun; 0: none has. */
  opcode = 0;
  /** Its payload is kept as it comes and inflated when it is whole. */
  isCompressed = false;
  /** Of the unmasked payload so far. */
  length = 0;
  /** State of the UTF-8 check; -1 for a binary message and a compressed one. */
  utf8 = -1;
  frames = 0;
  emptyFrames = 0;

  // Of the data frame whose header was read: bytes to come, whether it is the message's last,
  // and the mask turned to the next byte. While frameRemaining is above 0, heldLength is 0.
  frameRemaining = 0;
  frameFin = false;
  key = 0;

  /**
   * Of the raw beginning of a frame: of a header that is not complete, or of a control frame
   * that is not.
   */
  heldLength = 0;

  // The payload is the pieces, and behind them the first #cellLength bytes of #cell. The raw
  // beginning of a frame, which no payload can follow before it is complete, stands behind that.
  #cell: Cell | undefined = undefined;
  #cellLength = 0;
  #pieces: Piece[] | undefined = undefined;
  // All of the payload, once half of a long message has come: the rest needs no joining then.
  #whole: Cell | undefined = undefined;
  readonly #pool: CellPool;

  constructor(pool: CellPool) {
    this.#pool = pool;
  }

  /** Bytes of its cells: at most twice the bytes received, and 64. */
  get bytesHeld(): number {
    let bytes = this.#whole?.size ?? this.#cell?.size ?? 0;
    for (const { cell } of this.#pieces ?? []) bytes += cell.size;
    return bytes;
  }

  /** Adds bytes [offset, offset + length) to the payload. */
  append(bytes: Uint8Array, offset: number, length: number): void {
    if (this.#whole === undefined && this.#isHalfThere(length)) {
      this.#join(this.length + this.frameRemaining);
    }
    if (this.#whole !== undefined) {
      const { bytes: into, start } = this.#whole;
      copy(bytes, offset, offset + length, into, start + HEADER_BYTES_MAX + this.length);
      this.length += length;
      return;
    }
    const end = offset + length;
    let at = offset;
    while (at < end) {
      const cell = this.#cellFor(end - at);
      const count = Math.min(end - at, cell.size - this.#cellLength);
      copy(bytes, at, at + count, cell.bytes, cell.start + this.#cellLength);
      this.#cellLength += count;
      at += count;
    }
    this.length += length;
  }

  /** Adds bytes [offset, offset + length) to the beginning of a frame that is held. */
  hold(bytes: Uint8Array, offset: number, length: number): void {
    let cell = this.#cellFor(this.heldLength + length);
    if (cell.size - this.#cellLength < this.heldLength + length) {
      cell = this.#nextCell(cell, this.heldLength + length);
    }
    const at = cell.start + this.#cellLength + this.heldLength;
    copy(bytes, offset, offset + length, cell.bytes, at);
    this.heldLength += length;
  }

  /** Where what is held stands, until more is added; there is some, or was until just now. */
  heldBytes(): { bytes: Uint8Array; offset: number } {
    const { bytes, start } = this.#cell as Cell;
    return { bytes, offset: start + this.#cellLength };
  }

  /** The whole payload as it is kept, in parts which may be overwritten after `free`. */
  parts(): { bytes: Uint8Array; offset: number; length: number }[] {
    const cell = this.#cell;
    if (cell === undefined) return [{ ...NOTHING, length: 0 }];
    const pieces = [...(this.#pieces ?? []), { cell, length: this.#cellLength }];
    return pieces.map((piece) => ({
      bytes: piece.cell.bytes,
      offset: piece.cell.start,
      length: piece.length,
    }));
  }

  /**
   * The whole payload in one array, which may be overwritten after `free`. With `hasRoom`, nothing
   * that anybody needs stands in the HEADER_BYTES_MAX before it.
   */
  payload(): { bytes: Uint8Array; offset: number; hasRoom: boolean } {
    if (this.#whole === undefined && this.#pieces !== undefined) {
      this.#join(this.length);
    }
    if (this.#whole !== undefined) {
      const { bytes, start } = this.#whole;
      return { bytes, offset: start + HEADER_BYTES_MAX, hasRoom: true };
    }
    const cell = this.#cell;
    if (cell === undefined) return { ...NOTHING, hasRoom: false };
    return { bytes: cell.bytes, offset: cell.start, hasRoom: false };
  }

  /** Gives its memory back; what it holds is gone. It may be called again. */
  free(): void {
    if (this.#whole !== undefined) this.#pool.release(this.#whole);
    this.#whole = undefined;
    this.#freeCells();
  }

  /**
   * Of a payload with `hasRoom`: whoever calls this keeps its memory beyond `free`, and calls what
   * is returned when it needs it no more.
   */
  keep(): () => void {
    const whole = this.#whole as Cell;
    this.#whole = undefined;
    return () => this.#pool.release(whole);
  }

  #freeCells(): void {
    if (this.#cell === undefined) return;
    this.#pool.release(this.#cell);
    this.#cell = undefined;
    this.#cellLength = 0;
    for (const { cell } of this.#pieces ?? []) this.#pool.release(cell);
    this.#pieces = undefined;
  }

  /** Whether with these bytes there is half of what one cell for the whole message takes. */
  #isHalfThere(length: number): boolean {
    if (!this.frameFin || this.isCompressed) return false;
    const whole = HEADER_BYTES_MAX + this.length + this.frameRemaining;
    return whole > CELL_BYTES_MAX && (this.length + length) * 2 >= cellBytesFor(whole);
  }

  /** Moves what is there to one cell for so many bytes. */
  #join(length: number): void {
    const whole = this.#pool.take(HEADER_BYTES_MAX + length);
    let at = whole.start + HEADER_BYTES_MAX;
    for (const { bytes, offset, length } of this.parts()) {
      copy(bytes, offset, offset + length, whole.bytes, at);
      at += length;
    }
    this.#freeCells();
    this.#whole = whole;
  }

  /** A cell with room behind the payload for so many bytes, or for some where they are many. */
  #cellFor(length: number): Cell {
    const cell = this.#cell;
    if (cell === undefined) {
      this.#cell = this.#pool.take(Math.min(length, CELL_BYTES_MAX));
      return this.#cell;
    }
    const needed = this.#cellLength + length;
    if (needed <= cell.size) return cell;
    if (cell.size < CELL_BYTES_MAX) return this.#grow(cell, Math.min(needed, CELL_BYTES_MAX));
    return this.#cellLength < cell.size ? cell : this.#nextCell(cell, length);
  }

  #grow(cell: Cell, size: number): Cell {
    const grown = this.#pool.take(size);
    const end = cell.start + this.#cellLength + this.heldLength;
    copy(cell.bytes, cell.start, end, grown.bytes, grown.start);
    this.#pool.release(cell);
    this.#cell = grown;
    return grown;
  }

  /** Begins a new cell, to which what is held moves. */
  #nextCell(cell: Cell, length: number): Cell {
    const next = this.#pool.take(Math.min(length, CELL_BYTES_MAX));
    const heldAt = cell.start + this.#cellLength;
    copy(cell.bytes, heldAt, heldAt + this.heldLength, next.bytes, next.start);
    this.#pieces ??= [];
    this.#pieces.push({ cell, length: this.#cellLength });
    this.#cell = next;
    this.#cellLength = 0;
    return next;
  }
}

const NOTHING = { bytes: new Uint8Array(0), offset: 0 };

function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  if (end - start > LOOPED_BYTES_MAX) {
    to.set(from.subarray(start, end), at);
    return;
  }
  for (let index = start; index < end; index += 1) {
    to[at + index - start] = from[index] as number;
  }
}
