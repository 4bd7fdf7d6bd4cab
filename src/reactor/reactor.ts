/**
 * Sockets, turns and time for one worker. Below it are file descriptors, above it slots: one
 * call into C brings in a batch, all of it is handled, and one call sends what is owed.
 * It knows no protocol.
 */
import assert from "node:assert/strict";
import type { Budget } from "../core/budget.ts";
import { placeOf, slotOf } from "../core/connection-id.ts";
import { Accepting } from "./accepting.ts";
import {
  ACCEPT_FAILED,
  ACCEPTED,
  BATCH_STRIDE,
  type Binding,
  BYTES,
  END,
  ENTRY_STRIDE,
  FAILED,
  HANGUP,
  type Poller,
  READ,
  WRITABLE,
  WRITE,
} from "./binding.ts";
import { Outbox } from "./outbox.ts";
import { ParkedInput } from "./parked-input.ts";
import { BROKEN, CLOSED, CONNECTING, SlotTable } from "./slot-table.ts";
import { READ_MARGIN_BYTES, TakingUp } from "./taking-up.ts";
import { TICK_MS, Ticks } from "./ticks.ts";
import { EVENTS_MAX, READ_BYTES_MAX, READ_BYTES_MIN, TURN_BYTES, TurnSize } from "./turn-size.ts";

const ACCEPTS_MAX = 64;
const INPUT_BYTES = EVENTS_MAX * (READ_BYTES_MIN + READ_MARGIN_BYTES) + READ_MARGIN_BYTES;
/** Deadlines wait so long for a worker that does not get to read all that has come. */
const BEHIND_TICKS_MAX = 10_000 / TICK_MS;
/** A sweep that took less is not told: most find nothing to do. */
const SWEEP_TOLD_MS = 1;
/** Turns follow each other for this long before other parts of the process get their turn. */
const TURNS_BUDGET_MS = 4;

/** What happens to a slot. `offset` and `end` bound bytes of the arena, valid until it returns. */
export interface SocketEvents {
  /** A socket that was dialled is connected, and read from; where it cannot be, it `broke`. */
  connected?(slot: number): void;
  received(slot: number, offset: number, end: number): void;
  /** The peer finished sending; it may still read. */
  ended(slot: number): void;
  /** The socket is of no more use; it is still to be closed. */
  broke(slot: number, errno: number): void;
  /** It takes nothing any more; what it sent before can still be read, and behind it its end. */
  unwritable(slot: number, errno: number): void;
  /** Nobody reads this slot, and its peer hung up; what it sent before can still be read. */
  hungUp(slot: number): void;
  /** The socket did not take all: a write queue began. */
  queued(slot: number): void;
  /** Some of what waited in the write queue is out, or all of it. */
  drained(slot: number): void;
  /** The slot's deadline passed, and is gone. */
  expired(slot: number): void;
  /** Parked input of this slot was taken up again; asked whether to go on reading. */
  tookUp(slot: number): void;
}

/** The same for every slot that was not dialled for somebody else, and what belongs to none. */
export interface SlotEvents extends SocketEvents {
  accepted(slot: number, listener: number): void;
  /** Accepting failed for want of descriptors or slots; it pauses until the next sweep. */
  acceptFailed(errno: number): void;
  /** Once every TICK_MS, behind the deadlines. */
  swept(): void;
  /** So long nothing else could happen: turns that followed each other, or what came between. */
  worked?(ms: number): void;
}

export class Reactor {
  readonly slots: SlotTable;
  readonly parked: ParkedInput;
  readonly outbox: Outbox;
  readonly arena: Uint8Array;
  /** The present, in ticks since this started; 0 is never. */
  tick = 1;
  readonly #poller: Poller;
  readonly #events: SlotEvents;
  readonly #batch = new Int32Array((2 * EVENTS_MAX + ACCEPTS_MAX) * BATCH_STRIDE);
  readonly #unmasking = new Int32Array(5);
  readonly #turnSize = new TurnSize();
  readonly #accepting = new Accepting((slot, on) => this.#setInterest(slot, READ, on));
  readonly #ticks = new Ticks(() => this.#sweep());
  /** When all that had come by then was read. */
  #caughtUpTick = 0;
  /** Of slots that were dialled for somebody else than `#events`: those that are `owned`. */
  readonly #owners = new Map<number, SocketEvents>();
  readonly #takingUp: TakingUp;
  #isScheduled = false;
  #isStopped = false;

  constructor(binding: Binding, slotsMax: number, budget: Budget, events: SlotEvents) {
    this.#events = events;
    this.slots = new SlotTable(slotsMax);
    this.parked = new ParkedInput(budget);
    const inputEnd = Outbox.FIXED_BYTES + INPUT_BYTES;
    this.arena = new Uint8Array(inputEnd + Outbox.BYTES);
    const entries = new Int32Array(Outbox.ENTRIES_MAX * ENTRY_STRIDE);
    const flushing = new Int32Array(slotsMax);
    const short = new Int32Array(2 * slotsMax);
    this.#poller = binding.create({
      slots: slotsMax,
      arena: this.arena,
      inputStart: Outbox.FIXED_BYTES,
      inputEnd,
      eventsMax: EVENTS_MAX,
      acceptsMax: ACCEPTS_MAX,
      turnBytes: TURN_BYTES,
      readBytesMin: READ_BYTES_MIN,
      readBytesMax: READ_BYTES_MAX,
      batch: this.#batch,
      generations: this.slots.generations,
      entries,
      heads: this.slots.heads,
      flushing,
      short,
      unmasking: this.#unmasking,
    });
    this.outbox = new Outbox({
      poller: this.#poller,
      slots: this.slots,
      budget,
      arena: this.arena,
      start: inputEnd,
      entries,
      flushing,
      short,
      tick: () => this.tick,
      setWriteInterest: (slot, on) => this.#setInterest(slot, WRITE, on),
      schedule: () => this.#schedule(),
      queued: (slot) => this.#eventsOf(slot).queued(slot),
      broke: (slot, errno) => this.#eventsOf(slot).unwritable(slot, errno),
    });
    this.#takingUp = new TakingUp({
      ...{ reactor: this, start: Outbox.FIXED_BYTES, end: inputEnd, budgetMs: TURNS_BUDGET_MS },
      eventsOf: (slot) => this.#eventsOf(slot),
    });
  }

  /** The unmasking of the arena's bytes, for the WebSocket layer. */
  unmask = (to: number, offset: number, length: number, key: number, utf8: number): number => {
    const unmasking = this.#unmasking;
    unmasking[0] = offset;
    unmasking[1] = length;
    unmasking[2] = key;
    unmasking[3] = utf8;
    unmasking[4] = to;
    this.#poller.unmask();
    return unmasking[3] as number;
  };

  /** Begins to accept from a listening socket. */
  adopt(descriptor: number): void {
    const slot = this.#poller.adopt(descriptor);
    assert(slot >= 0, `adopting descriptor ${descriptor} failed with errno ${-slot}`);
    this.slots.open(slot, READ);
    this.#accepting.add(slot);
  }

  /**
   * A connection from here: its slot, which takes bytes once it is `connected`, or -errno. What
   * happens to it is told to `owner` alone, where there is one.
   */
  dial(address: string, port: number, sourceAddress: string, owner?: SocketEvents): number {
    const slot = this.#poller.dial(address, port, sourceAddress);
    if (slot < 0) return slot;
    this.slots.open(slot, WRITE, CONNECTING);
    if (owner !== undefined) {
      this.slots.owned[slot] = 1;
      this.#owners.set(slot, owner);
    }
    return slot;
  }

  start(): void {
    this.#poller.start(() => this.#wake());
    this.#ticks.start();
  }

  /** Closes every socket that is left. */
  stop(): void {
    this.#ticks.stop();
    this.#isStopped = true;
    this.#poller.stop();
  }

  /** Waiting connections stay in the listening socket's queue until accepting goes on. */
  stopAccepting(): void {
    this.#accepting.stop();
  }

  pause(slot: number): void {
    this.#setInterest(slot, READ, false);
  }

  resume(slot: number): void {
    this.#setInterest(slot, READ, true);
  }

  /** Keeps bytes of the arena that may not be processed yet; the slot has been paused. */
  park(slot: number, offset: number, end: number): void {
    this.parked.put(slot, this.arena.subarray(offset, end));
  }

  /** Parked input may be processed: it comes as `received`, and then `tookUp`. */
  takeUp(slot: number): void {
    this.#takingUp.add(this.placeOf(slot));
    this.#schedule();
  }

  /** Sets the moment of `expired`; a later call replaces it. */
  setDeadline(slot: number, tick: number): void {
    this.slots.deadlines[slot] = tick;
  }

  /** The wall clock's time of a tick, in milliseconds since 1970: the same at every call. */
  wallMsOf(tick: number): number {
    return this.#ticks.wallMsOf(tick);
  }

  placeOf(slot: number): number {
    return placeOf(slot, this.slots.generations[slot] as number);
  }

  /** Whether the slot still is what it was when this place was taken. */
  isCurrent(place: number): boolean {
    const slot = slotOf(place);
    return slot < this.slots.used && this.placeOf(slot) === place && !this.#isClosed(slot);
  }

  peerAddress(slot: number): string {
    return this.#poller.peerAddress(slot);
  }

  /** Closes the socket at once; `reset` also drops what the kernel has not sent yet. */
  close(slot: number, reset: boolean): void {
    if (this.#isClosed(slot)) return;
    this.parked.drop(slot);
    this.outbox.forget(slot);
    this.slots.flags[slot] = CLOSED;
    this.slots.deadlines[slot] = 0;
    if (this.slots.owned[slot] !== 0) this.#owners.delete(slot);
    this.#poller.close(slot, reset);
  }

  #eventsOf(slot: number): SocketEvents {
    return this.slots.owned[slot] === 0 ? this.#events : (this.#owners.get(slot) as SocketEvents);
  }

  #isClosed(slot: number): boolean {
    return ((this.slots.flags[slot] as number) & CLOSED) !== 0;
  }

  #setInterest(slot: number, bit: number, on: boolean): void {
    // A flush in between may have found the socket broken, and closed it.
    if (this.#isClosed(slot)) return;
    const before = this.slots.interest[slot] as number;
    const after = on ? before | bit : before & ~bit;
    if (after === before) return;
    this.slots.interest[slot] = after;
    this.#poller.watch(slot, after);
  }

  #wake(): void {
    const startedAtMs = performance.now();
    this.#takeTurns(startedAtMs);
    this.#events.worked?.(performance.now() - startedAtMs);
  }

  #takeTurns(startedAtMs: number): void {
    this.#readClock();
    let isFull: boolean;
    do {
      // Nothing in the arena may still be owed when new bytes come in.
      this.outbox.flush();
      const count = this.#poller.turn(this.#turnSize.events);
      isFull = count >= this.#turnSize.events;
      // What stands behind the last record is of an earlier batch.
      this.#batch[count * BATCH_STRIDE + 1] = 0;
      this.outbox.inTurn = true;
      for (let record = 0; record < count; record += 1) this.#dispatch(record * BATCH_STRIDE);
      this.outbox.endTurn();
      this.#turnSize.adapt(count);
    } while (isFull && performance.now() - startedAtMs < TURNS_BUDGET_MS);
    if (!isFull) this.#caughtUpTick = this.tick;
  }

  #dispatch(at: number): void {
    const slot = this.#batch[at] as number;
    const kind = this.#batch[at + 1] as number;
    const offset = this.#batch[at + 2] as number;
    const length = this.#batch[at + 3] as number;
    if (kind === ACCEPTED) {
      this.slots.open(slot, READ);
      this.#events.accepted(slot, offset);
      return;
    }
    // Closed by an event before this one in the same batch.
    if (this.#isClosed(slot)) return;
    const events = this.#eventsOf(slot);
    switch (kind) {
      case BYTES:
        this.#turnSize.add(length);
        events.received(slot, offset, offset + length);
        return;
      case WRITABLE:
        if (this.slots.flags[slot] === CONNECTING) {
          this.#connected(slot);
          return;
        }
        // The break that is reported next says better why than a write would.
        if (this.#isFailed(slot, at + BATCH_STRIDE)) return;
        if (this.outbox.drain(slot)) events.drained(slot);
        return;
      case END:
        events.ended(slot);
        return;
      case FAILED:
        this.slots.flags[slot] = (this.slots.flags[slot] as number) | BROKEN;
        events.broke(slot, length);
        return;
      case HANGUP:
        events.hungUp(slot);
        return;
      default:
        assert(kind === ACCEPT_FAILED);
        // Out of descriptors or slots: the next sweep tries again.
        if (this.#accepting.pause()) this.#events.acceptFailed(length);
    }
  }

  #connected(slot: number): void {
    this.slots.flags[slot] = 0;
    this.slots.interest[slot] = READ;
    this.#poller.watch(slot, READ);
    this.#eventsOf(slot).connected?.(slot);
  }

  #isFailed(slot: number, at: number): boolean {
    return this.#batch[at] === slot && this.#batch[at + 1] === FAILED;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#iterate());
  }

  /** What came up outside of turns, once for each iteration of the event loop. */
  #iterate(): void {
    this.#isScheduled = false;
    if (this.#isStopped) return;
    const startedAtMs = performance.now();
    this.#readClock();
    this.outbox.flush();
    this.outbox.inTurn = true;
    if (this.#takingUp.run()) this.#schedule();
    this.outbox.endTurn();
    this.#events.worked?.(performance.now() - startedAtMs);
  }

  #readClock(): void {
    this.tick = this.#ticks.now();
  }

  #sweep(): void {
    const startedAtMs = performance.now();
    // After a standstill this timer comes first, and nobody is late whose bytes lie here unread.
    this.#turnSize.events = EVENTS_MAX;
    this.#takeTurns(startedAtMs);
    const behindTicks = this.tick - this.#caughtUpTick;
    if (behindTicks === 0 || behindTicks > BEHIND_TICKS_MAX) this.#expire();
    this.#accepting.resume();
    this.#events.swept();
    const tookMs = performance.now() - startedAtMs;
    if (tookMs >= SWEEP_TOLD_MS) this.#events.worked?.(tookMs);
  }

  #expire(): void {
    const { deadlines } = this.slots;
    for (let slot = 0; slot < this.slots.used; slot += 1) {
      const deadline = deadlines[slot] as number;
      if (deadline === 0 || deadline > this.tick) continue;
      deadlines[slot] = 0;
      this.#eventsOf(slot).expired(slot);
    }
  }
}
