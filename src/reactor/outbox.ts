/**
 * Everything on its way out: the entries that one flush sends straight from the arena, the
 * queues of what sockets did not take, and the FINs behind both.
 */
import type { Budget } from "../core/budget.ts";
import { CHAIN_END, CHAIN_FIN, ENTRY_STRIDE, type Poller } from "./binding.ts";
import { BROKEN, CLOSED, FINISHING, QUEUED, type SlotTable } from "./slot-table.ts";
import { type Block, isDroppable, PACKED_BYTES_MAX, WriteQueue } from "./write-queue.ts";

/** From here on a block is written by itself; smaller ones are gathered into one write. */
const GATHER_BYTES = 64 << 10;

interface OutboxOptions {
  poller: Poller;
  slots: SlotTable;
  budget: Budget;
  arena: Uint8Array;
  /** Where the outbox' part of the arena starts. */
  start: number;
  entries: Int32Array;
  flushing: Int32Array;
  short: Int32Array;
  tick: () => number;
  setWriteInterest: (slot: number, on: boolean) => void;
  /** Asks for a flush in this iteration of the event loop. */
  schedule: () => void;
  /** A slot's queue began. */
  queued: (slot: number) => void;
  broke: (slot: number, errno: number) => void;
}

export class Outbox {
  /** Frames that never change stand at the start of the arena. */
  static readonly FIXED_BYTES = 128 << 10;
  /** Its part of the arena: what is encoded here and not in place. */
  static readonly BYTES = 2 << 20;
  static readonly ENTRIES_MAX = 1 << 16;

  /** A flush follows anyway, so none has to be asked for. */
  inTurn = false;
  readonly #options: OutboxOptions;
  readonly #slots: SlotTable;
  readonly #arena: Uint8Array;
  readonly #entries: Int32Array;
  readonly #flushing: Int32Array;
  readonly #queues = new Map<number, WriteQueue>();
  /** Blocks made in this flush, by the offset of their entry: receivers of one frame share it. */
  readonly #blocks = new Map<number, Block>();
  /** Lengths of the frames that stand side by side from an offset on and are sent as one entry. */
  readonly #joined = new Map<number, number[]>();
  /** To be done once all events of the turn are dealt with. */
  readonly #atTurnEnd: (() => void)[] = [];
  readonly #gathered = new Uint8Array(GATHER_BYTES);
  #entryCount = 0;
  #flushingCount = 0;
  #reservedEnd: number;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#slots = options.slots;
    this.#arena = options.arena;
    this.#entries = options.entries;
    this.#flushing = options.flushing;
    this.#reservedEnd = options.start;
  }

  /**
   * Room in the arena for bytes that will be sent with the next flush: its offset. It holds until
   * the next `reserve` or flush, so send before you reserve again. At most BYTES.
   */
  reserve(length: number): number {
    if (this.#reservedEnd + length > this.#options.start + Outbox.BYTES) this.flush();
    const offset = this.#reservedEnd;
    this.#reservedEnd += length;
    return offset;
  }

  /**
   * Sees to it that so much can be reserved without a flush, from which whoever hears that a
   * socket broke may send to others. At most BYTES.
   */
  makeRoom(length: number): void {
    while (this.#reservedEnd + length > this.#options.start + Outbox.BYTES) this.flush();
  }

  /**
   * Says that reserved bytes are several frames, which may be sent as one: a socket that does not
   * take all of them has each in its queue by itself.
   */
  joinFrames(offset: number, lengths: number[]): void {
    this.#joined.set(offset, lengths);
  }

  /** Sends bytes of the arena, behind all that was sent to this slot before. */
  send(slot: number, offset: number, length: number): void {
    if (this.#slots.flags[slot] !== 0) {
      this.#sendBehind(slot, offset, length);
      return;
    }
    if (this.#entryCount === Outbox.ENTRIES_MAX) {
      this.#sendEntries();
      // The slot may have a queue now, or be no more.
      this.send(slot, offset, length);
      return;
    }
    const entries = this.#entries;
    const entry = this.#entryCount;
    const at = entry * ENTRY_STRIDE;
    this.#entryCount = entry + 1;
    entries[at] = offset;
    entries[at + 1] = length;
    entries[at + 2] = CHAIN_END;
    if (this.#slots.heads[slot] === -1) {
      this.#slots.heads[slot] = entry;
      this.#flushing[this.#flushingCount] = slot;
      this.#flushingCount += 1;
    } else {
      entries[(this.#slots.tails[slot] as number) * ENTRY_STRIDE + 2] = entry;
    }
    this.#slots.tails[slot] = entry;
    if (!this.inTurn) this.#options.schedule();
  }

  /** Sends bytes that do not fit in the arena; the block is kept as long as it is needed. */
  sendBlock(slot: number, block: Block): void {
    if (this.#slots.heads[slot] !== -1) this.#sendEntries();
    // Only now: these entries may have left the slot with a queue, or found it broken.
    const flags = this.#slots.flags[slot] as number;
    if ((flags & (BROKEN | CLOSED | FINISHING)) !== 0) return;
    if ((flags & QUEUED) !== 0) {
      this.#enqueue(slot, block, 0);
      return;
    }
    const length = block.bytes.length;
    const sent = this.#options.poller.write(slot, block.bytes, 0, length);
    if (sent < 0) {
      this.#break(slot, -sent);
      return;
    }
    if (sent < length) this.#enqueue(slot, block, sent);
  }

  /** A FIN behind everything that is owed; nothing more is sent. */
  finish(slot: number): void {
    const flags = this.#slots.flags[slot] as number;
    if ((flags & (FINISHING | BROKEN | CLOSED)) !== 0) return;
    this.#slots.flags[slot] = flags | FINISHING;
    if ((flags & QUEUED) !== 0) return;
    if (this.#slots.heads[slot] === -1) {
      this.#options.poller.shutdown(slot);
      return;
    }
    this.#entries[(this.#slots.tails[slot] as number) * ENTRY_STRIDE + 2] = CHAIN_FIN;
  }

  /** Only within a turn: `work` has something to send that all of its events add to. */
  atTurnEnd(work: () => void): void {
    this.#atTurnEnd.push(work);
  }

  endTurn(): void {
    // Work may lead to more of it, and the next turn may be far.
    while (this.#atTurnEnd.length > 0) this.#atTurnEnd.shift()?.();
    this.inTurn = false;
    this.flush();
  }

  /** Sends all that is owed, and makes the arena free for new bytes. */
  flush(): void {
    // Whoever hears that a socket broke may send to others.
    do this.#sendEntries();
    while (this.#flushingCount > 0);
    this.#reservedEnd = this.#options.start;
    if (this.#joined.size > 0) this.#joined.clear();
  }

  /** Goes on with the queue of a socket that takes bytes again; true when it took some. */
  drain(slot: number): boolean {
    const queue = this.#queues.get(slot);
    if (queue === undefined) return false;
    const bytesBefore = queue.bytes;
    while (queue.bytes > 0) {
      const first = queue.first() as { bytes: Uint8Array; offset: number };
      let { bytes, offset } = first;
      let length = bytes.length - offset;
      if (length < GATHER_BYTES && queue.blocks > 1) {
        length = queue.gather(this.#gathered);
        bytes = this.#gathered;
        offset = 0;
      }
      const sent = this.#options.poller.write(slot, bytes, offset, length);
      if (sent < 0) {
        this.#break(slot, -sent);
        return false;
      }
      if (sent > 0) {
        queue.progressTick = this.#options.tick();
        queue.consume(sent, this.#release);
      }
      if (sent < length) return queue.bytes < bytesBefore;
    }
    this.#queues.delete(slot);
    const flags = (this.#slots.flags[slot] as number) & ~QUEUED;
    this.#slots.flags[slot] = flags;
    this.#options.setWriteInterest(slot, false);
    if ((flags & FINISHING) !== 0) this.#options.poller.shutdown(slot);
    return true;
  }

  /** Bytes that the slot's socket did not take yet, this turn's own not counted. */
  queuedBytes(slot: number): number {
    return this.#isQueued(slot) ? (this.#queues.get(slot) as WriteQueue).bytes : 0;
  }

  /** Whether something is still to be sent, this turn's own included. */
  owes(slot: number): boolean {
    return this.#isQueued(slot) || this.#slots.heads[slot] !== -1;
  }

  isBroken(slot: number): boolean {
    return ((this.#slots.flags[slot] as number) & BROKEN) !== 0;
  }

  /** The tick at which a socket with a queue last took something. */
  progressTick(slot: number): number {
    return this.#isQueued(slot) ? (this.#queues.get(slot) as WriteQueue).progressTick : 0;
  }

  /** Takes the oldest unsent message out of the slot's queue; false where there is none. */
  dropOldest(slot: number): boolean {
    return this.#queues.get(slot)?.dropOldest(this.#release) ?? false;
  }

  /** Takes the frame that begins with this byte out of the slot's queue, if one waits there. */
  dropFrame(slot: number, firstByte: number): void {
    if (this.#isQueued(slot)) this.#queues.get(slot)?.dropFrame(firstByte, this.#release);
  }

  /** The socket broke: what waits for it is dropped, as is what is still sent to it. */
  abandon(slot: number): void {
    const flags = this.#slots.flags[slot] as number;
    if ((flags & CLOSED) !== 0) return;
    this.forget(slot);
    this.#slots.flags[slot] = (flags & ~QUEUED) | BROKEN;
    this.#options.setWriteInterest(slot, false);
  }

  /** The slot is about to be closed. */
  forget(slot: number): void {
    if (!this.#isQueued(slot)) return;
    (this.#queues.get(slot) as WriteQueue).clear(this.#release);
    this.#queues.delete(slot);
  }

  #isQueued(slot: number): boolean {
    return ((this.#slots.flags[slot] as number) & QUEUED) !== 0;
  }

  /** Sends to a slot that something is special about. */
  #sendBehind(slot: number, offset: number, length: number): void {
    const flags = this.#slots.flags[slot] as number;
    if ((flags & (BROKEN | CLOSED | FINISHING)) !== 0) return;
    let at = offset;
    for (const frameBytes of this.#framesOf(offset, length)) {
      this.#keep(slot, at, frameBytes, 0);
      at += frameBytes;
    }
  }

  /** Of bytes that are sent at once: the first of joined frames may also be sent by itself. */
  #framesOf(offset: number, length: number): number[] {
    const joined = this.#joined.get(offset);
    return joined !== undefined && length > (joined[0] as number) ? joined : [length];
  }

  #sendEntries(): void {
    const count = this.#flushingCount;
    if (count > 0) {
      this.#flushingCount = 0;
      const shortCount = this.#options.poller.flush(count);
      for (let index = 0; index < shortCount; index += 1) this.#keepUnsent(index * 2);
      this.#entryCount = 0;
      if (shortCount > 0) this.#reportBroken(shortCount);
    }
    // Blocks are shared by offset, which holds only as long as the arena's bytes do.
    if (this.#blocks.size > 0) this.#blocks.clear();
  }

  #keepUnsent(at: number): void {
    const slot = this.#options.short[at] as number;
    let sent = this.#options.short[at + 1] as number;
    let entry = this.#slots.heads[slot] as number;
    this.#slots.heads[slot] = -1;
    if (sent < 0) {
      this.#slots.flags[slot] = (this.#slots.flags[slot] as number) | BROKEN;
      return;
    }
    for (; entry >= 0; entry = this.#entries[entry * ENTRY_STRIDE + 2] as number) {
      const offset = this.#entries[entry * ENTRY_STRIDE] as number;
      const length = this.#entries[entry * ENTRY_STRIDE + 1] as number;
      let at = offset;
      for (const frameBytes of this.#framesOf(offset, length)) {
        if (sent < frameBytes) this.#keep(slot, at, frameBytes, sent);
        sent = Math.max(0, sent - frameBytes);
        at += frameBytes;
      }
    }
  }

  /** Only after all is kept: whoever is told may send and close. */
  #reportBroken(shortCount: number): void {
    const broken: number[] = [];
    for (let at = 0; at < shortCount * 2; at += 2) {
      const errno = -(this.#options.short[at + 1] as number);
      if (errno > 0) broken.push(this.#options.short[at] as number, errno);
    }
    for (let at = 0; at < broken.length; at += 2) {
      const slot = broken[at] as number;
      const isClosed = ((this.#slots.flags[slot] as number) & CLOSED) !== 0;
      if (!isClosed) this.#options.broke(slot, broken[at + 1] as number);
    }
  }

  #blockOf(offset: number, length: number): Block {
    const known = this.#blocks.get(offset);
    if (known !== undefined) return known;
    const bytes = this.#arena.slice(offset, offset + length);
    const droppable = isDroppable(bytes[0] as number);
    const block: Block = { bytes, references: 0, droppable };
    this.#blocks.set(offset, block);
    return block;
  }

  /** Bytes of the arena that the slot's socket does not take, but for so many of them. */
  #keep(slot: number, offset: number, length: number, sent: number): void {
    if (length > PACKED_BYTES_MAX) {
      this.#enqueue(slot, this.#blockOf(offset, length), sent);
      return;
    }
    const queue = this.#queueOf(slot);
    this.#options.budget.charge("queued", length);
    queue.pack(this.#arena, offset, length, sent);
  }

  #enqueue(slot: number, block: Block, sent: number): void {
    const queue = this.#queueOf(slot);
    if (block.references === 0) this.#options.budget.charge("queued", block.bytes.length);
    queue.push(block, sent);
  }

  #queueOf(slot: number): WriteQueue {
    let queue = this.#queues.get(slot);
    if (queue !== undefined) return queue;
    queue = new WriteQueue(this.#options.tick());
    this.#queues.set(slot, queue);
    this.#slots.flags[slot] = (this.#slots.flags[slot] as number) | QUEUED;
    this.#options.setWriteInterest(slot, true);
    this.#options.queued(slot);
    return queue;
  }

  readonly #release = (block: Block): void => {
    block.references -= 1;
    if (block.references > 0) return;
    this.#options.budget.release("queued", block.bytes.length);
    block.released?.();
  };

  #break(slot: number, errno: number): void {
    this.#slots.flags[slot] = (this.#slots.flags[slot] as number) | BROKEN;
    this.#options.broke(slot, errno);
    this.abandon(slot);
  }
}
