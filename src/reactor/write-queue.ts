/**
 * What a socket did not take, in order. The bytes of one frame are one block, which receivers of
 * the same push share; the queue itself knows nothing of sockets.
 */

/** Bytes that one or many queues refer to, charged to the budget once. */
export interface Block {
  readonly bytes: Uint8Array;
  references: number;
  /** False for control frames, which no slow-consumer policy may take out. */
  readonly droppable: boolean;
  /** Called when no queue refers to it any more. */
  released?: (() => void) | undefined;
}

export class WriteQueue {
  readonly #blocks: Block[] = [];
  /** Bytes of the first block that are already out. */
  #sent = 0;
  /** Bytes that wait here. */
  bytes = 0;
  /** The tick at which the socket last took something. */
  progressTick: number;

  constructor(tick: number) {
    this.progressTick = tick;
  }

  get blocks(): number {
    return this.#blocks.length;
  }

  push(block: Block, sent = 0): void {
    if (this.#blocks.length === 0) this.#sent = sent;
    block.references += 1;
    this.#blocks.push(block);
    this.bytes += block.bytes.length - sent;
  }

  first(): { bytes: Uint8Array; offset: number } | undefined {
    const block = this.#blocks[0];
    return block && { bytes: block.bytes, offset: this.#sent };
  }

  /** Copies from the front what fits into `into`; the count of bytes. */
  gather(into: Uint8Array): number {
    let length = 0;
    let offset = this.#sent;
    for (const block of this.#blocks) {
      const piece = block.bytes.subarray(offset, offset + into.length - length);
      into.set(piece, length);
      length += piece.length;
      offset = 0;
      if (length === into.length) break;
    }
    return length;
  }

  /** Takes `count` bytes off the front; `release` is told of each block that is done with. */
  consume(count: number, release: (block: Block) => void): void {
    this.bytes -= count;
    let done = 0;
    let offset = this.#sent + count;
    for (const block of this.#blocks) {
      if (offset < block.bytes.length) break;
      offset -= block.bytes.length;
      done += 1;
      release(block);
    }
    if (done > 0) this.#blocks.splice(0, done);
    this.#sent = offset;
  }

  /** Takes out the oldest message of which nothing is out yet; false where there is none. */
  dropOldest(release: (block: Block) => void): boolean {
    return this.#dropFirst((block) => block.droppable, release);
  }

  /** Takes out the frame that begins with this byte and of which nothing is out yet, if any. */
  dropFrame(firstByte: number, release: (block: Block) => void): boolean {
    return this.#dropFirst((block) => block.bytes[0] === firstByte, release);
  }

  clear(release: (block: Block) => void): void {
    for (const block of this.#blocks) release(block);
    this.#blocks.length = 0;
    this.bytes = 0;
    this.#sent = 0;
  }

  #dropFirst(isIt: (block: Block) => boolean, release: (block: Block) => void): boolean {
    const from = this.#sent > 0 ? 1 : 0;
    const at = this.#blocks.findIndex((block, index) => index >= from && isIt(block));
    if (at < 0) return false;
    const [block] = this.#blocks.splice(at, 1) as [Block];
    this.bytes -= block.bytes.length;
    release(block);
    return true;
  }
}
