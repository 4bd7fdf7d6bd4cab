/**
 * What a socket did not take, in order. The bytes of one frame are one block, which receivers of
 * the same push share; short frames are packed together, as a block of its own would cost each of
 * them two hundred times its bytes. The queue itself knows nothing of sockets.
 */

/** RFC 6455, 5.2: the bit that tells control frames from messages, and HTTP's `H` has it too. */
const CONTROL_BIT = 0x08;
/** Frames up to here are packed: to share one would save its receivers a few bytes each. */
export const PACKED_BYTES_MAX = 64;
/** Each pack of a queue has twice the memory of the one before it. */
const PACK_MEMORY_MIN = 128;
const PACK_MEMORY_MAX = 2048;

/** Bytes that one or many queues refer to, charged to the budget once. */
export interface Block {
  readonly bytes: Uint8Array;
  references: number;
  /** Of a block by itself; false for control frames, which no slow-consumer policy may take out. */
  readonly droppable: boolean;
  /** Called when no queue refers to it any more. */
  released?: (() => void) | undefined;
}

/** Short frames of one queue, side by side, in memory that has room for more. */
interface Pack extends Block {
  /** Those that are there. */
  bytes: Uint8Array;
  frames: number;
  /** The frames from its start on; their lengths, a byte for each, from its end back. */
  readonly memory: Uint8Array;
}

/** Whether a frame with this first byte may be dropped. */
export function isDroppable(firstByte: number): boolean {
  return (firstByte & CONTROL_BIT) === 0;
}

export class WriteQueue {
  readonly #blocks: (Block | Pack)[] = [];
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

  /** Copies a frame of PACKED_BYTES_MAX at the most from bytes [offset, offset + length). */
  pack(from: Uint8Array, offset: number, length: number, sent = 0): void {
    if (this.#blocks.length === 0) this.#sent = sent;
    const pack = this.#packFor(length);
    const at = pack.bytes.length;
    // So few that a loop is quicker than the view that `set` needs.
    for (let index = 0; index < length; index += 1) {
      pack.memory[at + index] = from[offset + index] as number;
    }
    pack.bytes = pack.memory.subarray(0, at + length);
    pack.frames += 1;
    pack.memory[pack.memory.length - pack.frames] = length;
    this.bytes += length - sent;
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
    return this.#dropFirst(
      (block) => block.droppable,
      (firstByte) => isDroppable(firstByte),
      release,
    );
  }

  /** Takes out the frame that begins with this byte and of which nothing is out yet, if any. */
  dropFrame(firstByte: number, release: (block: Block) => void): boolean {
    return this.#dropFirst(
      (block) => block.bytes[0] === firstByte,
      (byte) => byte === firstByte,
      release,
    );
  }

  clear(release: (block: Block) => void): void {
    for (const block of this.#blocks) release(block);
    this.#blocks.length = 0;
    this.bytes = 0;
    this.#sent = 0;
  }

  #packFor(length: number): Pack {
    const last = this.#blocks.at(-1);
    const isPack = last !== undefined && "memory" in last;
    if (isPack) {
      const used = last.bytes.length + last.frames;
      if (used + length + 1 <= last.memory.length) return last;
    }
    const size = isPack ? Math.min(2 * last.memory.length, PACK_MEMORY_MAX) : PACK_MEMORY_MIN;
    const memory = new Uint8Array(size);
    const bytes = memory.subarray(0, 0);
    const pack = { bytes, frames: 0, memory, references: 1, droppable: false };
    this.#blocks.push(pack);
    return pack;
  }

  #dropFirst(
    isBlock: (block: Block) => boolean,
    isPacked: (firstByte: number) => boolean,
    release: (block: Block) => void,
  ): boolean {
    for (const [index, block] of this.#blocks.entries()) {
      const sent = index === 0 ? this.#sent : 0;
      if ("memory" in block) {
        if (this.#dropPacked(block, index, sent, isPacked, release)) return true;
      } else if (sent === 0 && isBlock(block)) {
        this.#blocks.splice(index, 1);
        this.bytes -= block.bytes.length;
        release(block);
        return true;
      }
    }
    return false;
  }

  /** The first such frame that begins behind what is out. */
  #dropPacked(
    pack: Pack,
    index: number,
    sent: number,
    isIt: (firstByte: number) => boolean,
    release: (block: Block) => void,
  ): boolean {
    let at = 0;
    for (let frame = 1; frame <= pack.frames; frame += 1) {
      const length = pack.memory[pack.memory.length - frame] as number;
      if (at >= sent && isIt(pack.bytes[at] as number)) {
        // As if it had been a block of its own.
        release({ bytes: pack.bytes.slice(at, at + length), references: 1, droppable: false });
        this.bytes -= length;
        takeOut(pack, frame, at, length);
        if (pack.bytes.length > sent) return true;
        // Nothing of the pack is left to be sent.
        this.#blocks.splice(index, 1);
        if (index === 0) this.#sent = 0;
        release(pack);
        return true;
      }
      at += length;
    }
    return false;
  }
}

/** The frame that is the pack's `frame`th and stands at `at`. */
function takeOut(pack: Pack, frame: number, at: number, length: number): void {
  const { bytes, frames, memory } = pack;
  memory.copyWithin(at, at + length, bytes.length);
  pack.bytes = memory.subarray(0, bytes.length - length);
  // Of those behind it the lengths stand before its own.
  const firstLength = memory.length - frames;
  memory.copyWithin(firstLength + 1, firstLength, memory.length - frame);
  pack.frames -= 1;
}
