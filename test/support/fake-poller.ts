/**
 * The addon as a program can be it: sockets that are plain objects, and a poller that treats them
 * as native/poller.c treats the kernel's, so that a test decides what arrives when, how much a
 * socket takes and how it breaks. It also fails on what C could not see: bytes that are owed when
 * a turn begins, and (by overwriting them) arena bytes that are used after their time.
 */
import assert from "node:assert/strict";
import {
  ACCEPT_FAILED,
  ACCEPTED,
  BATCH_STRIDE,
  type Binding,
  BYTES,
  CHAIN_FIN,
  END,
  ENTRY_STRIDE,
  FAILED,
  HANGUP,
  type Poller,
  type PollerOptions,
  READ,
  WRITABLE,
  WRITE,
} from "../../src/reactor/binding.ts";
import { ZlibCodec } from "../../src/websocket/codec.test.helper.ts";
import { naiveUnmask } from "../../src/websocket/receiver.test.helper.ts";
import { FakeSocket } from "./fake-socket.ts";

const ENOBUFS = 105;
/** A read begins at a multiple of 8, with 16 bytes of room before it. */
const READ_ALIGNMENT = 8;
const READ_HEADROOM = 16;
const POISON = 0xdb;

type FiveNumbers = [number, number, number, number, number];

interface Slot {
  /** Undefined for a listening slot. */
  socket: FakeSocket | undefined;
  interest: number;
  /** Told already, and silent until it is watched for READ. */
  hungUp: boolean;
  /** Dialled, and not answered yet. */
  connecting?: boolean;
}

interface Dialled {
  socket: FakeSocket;
  address: string;
  port: number;
  sourceAddress: string;
}

export class FakeBinding implements Binding {
  readonly pollers: FakePoller[] = [];
  readonly codecs: ZlibCodec[] = [];
  descriptorLimit = 4096;

  /** The one that the test's reactor made. */
  get poller(): FakePoller {
    const poller = this.pollers[0];
    assert(poller !== undefined, "no poller was created");
    return poller;
  }

  create(options: PollerOptions): Poller {
    const poller = new FakePoller(options);
    this.pollers.push(poller);
    return poller;
  }

  listen(): number {
    return 3;
  }

  listenPort(): number {
    return 8000;
  }

  steer(): number {
    return 0;
  }

  createCodec(progress: Int32Array): ZlibCodec {
    const codec = new ZlibCodec(progress);
    this.codecs.push(codec);
    return codec;
  }

  raiseDescriptorLimit(): number {
    return this.descriptorLimit;
  }

  trimMemory(): void {}
}

export class FakePoller implements Poller {
  readonly options: PollerOptions;
  /** What accepting fails with, until it is 0 again. */
  acceptErrno = 0;
  /** The order in which the next turns report ready slots; by their number unless set. */
  order: (slots: number[]) => number[] = (slots) => slots;
  /** Sockets that the code under test dialled: connected with the next turn, unless they break. */
  readonly dialled: Dialled[] = [];
  /** What dialling fails with at once, until it is 0 again. */
  dialErrno = 0;
  /** Calls of `turn`, `flush` and `write`, for tests about how few there are. */
  readonly calls = { turn: 0, flush: 0, write: 0 };
  readonly #slots: (Slot | undefined)[];
  /** The last one is taken first. */
  readonly #free: number[];
  /** Closed since the last turn began; free when the next one begins. */
  readonly #closed: number[] = [];
  readonly #waiting: FakeSocket[] = [];
  /** Ranges of the arena that nobody may read once the next turn has begun. */
  readonly #spent: [number, number][] = [];
  #records = 0;
  #inputAt = 0;
  /** One above the highest slot that was ever taken. */
  #used = 0;
  #wake: (() => void) | undefined;
  #isStopped = false;

  constructor(options: PollerOptions) {
    this.options = options;
    this.#slots = new Array(options.slots);
    this.#free = Array.from({ length: options.slots }, (_, index) => options.slots - 1 - index);
  }

  /** A client whose connection waits to be accepted. */
  connect(): FakeSocket {
    const socket = new FakeSocket();
    this.#waiting.push(socket);
    return socket;
  }

  /** The slot that holds a socket; undefined before it is accepted and after it is closed. */
  slotOf(socket: FakeSocket): number | undefined {
    const slot = this.#slots.findIndex((each) => each?.socket === socket);
    return slot < 0 ? undefined : slot;
  }

  /** Whether epoll would wake the loop. */
  get isReady(): boolean {
    if (this.#isStopped) return false;
    return this.#slots.slice(0, this.#used).some((it) => it !== undefined && this.#hasEvent(it));
  }

  /** One wake-up by the event loop. */
  wake(): void {
    assert(this.#wake !== undefined, "the poller was not started");
    if (!this.#isStopped) this.#wake();
  }

  get openSlots(): number {
    return this.#slots.filter((slot) => slot?.socket !== undefined).length;
  }

  adopt(): number {
    return this.#take({ socket: undefined, interest: READ, hungUp: false });
  }

  dial(address: string, port: number, sourceAddress: string): number {
    if (this.dialErrno !== 0) return -this.dialErrno;
    const socket = new FakeSocket();
    const slot = this.#take({ socket, interest: WRITE, hungUp: false, connecting: true });
    if (slot >= 0) this.dialled.push({ socket, address, port, sourceAddress });
    return slot;
  }

  watch(slot: number, interest: number): void {
    const it = this.#open(slot);
    if (it.interest === interest) return;
    it.interest = interest;
    if (it.hungUp && (interest & READ) === 0) return;
    it.hungUp = false;
  }

  turn(eventsMax: number): number {
    assert(!this.#isStopped, "a turn after stop");
    const owed = this.options.heads.subarray(0, this.#used).findIndex((head) => head !== -1);
    assert.equal(owed, -1, "a turn begins while a slot is still owed what stands in the arena");
    this.calls.turn += 1;
    for (const [start, end] of this.#spent.splice(0)) this.options.arena.fill(POISON, start, end);
    this.#free.push(...this.#closed.splice(0));
    const ready = this.order(this.#ready()).slice(0, eventsMax);
    this.#records = 0;
    this.#inputAt = this.options.inputStart;
    const readMax = this.#readMax(ready.length);
    let acceptsLeft = this.options.acceptsMax;
    for (const slot of ready) {
      const it = this.#slots[slot] as Slot;
      if (it.socket === undefined) acceptsLeft = this.#accept(slot, acceptsLeft);
      else this.#takeEvent(slot, it, it.socket, readMax);
    }
    return this.#records;
  }

  flush(count: number): number {
    assert(!this.#isStopped, "a flush after stop");
    this.calls.flush += 1;
    const { flushing, heads, short } = this.options;
    const slots = Array.from(flushing.subarray(0, count));
    assert.equal(new Set(slots).size, count, "no slot is flushed twice");
    let pairs = 0;
    for (const slot of slots) {
      const socket = this.#slots[slot]?.socket;
      const { pieces, end } = this.#chain(heads[slot] as number);
      const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
      const sent = socket === undefined ? length : socket.take(Buffer.concat(pieces));
      if (sent === length) {
        if (end === CHAIN_FIN && socket !== undefined) socket.ended = true;
        heads[slot] = -1;
        continue;
      }
      short[pairs * 2] = slot;
      short[pairs * 2 + 1] = sent;
      pairs += 1;
    }
    return pairs;
  }

  write(slot: number, bytes: Uint8Array, offset: number, length: number): number {
    this.calls.write += 1;
    assert(offset >= 0 && length >= 0 && offset + length <= bytes.length, "a range in its buffer");
    return this.#socket(slot).take(bytes.subarray(offset, offset + length));
  }

  shutdown(slot: number): void {
    this.#socket(slot).ended = true;
  }

  close(slot: number, reset: boolean): void {
    const { socket } = this.#open(slot);
    socket?.closeByPeer(reset);
    this.#slots[slot] = undefined;
    const { generations } = this.options;
    generations[slot] = (generations[slot] as number) + 1;
    this.#closed.push(slot);
  }

  peerAddress(slot: number): string {
    return this.#socket(slot).isBroken ? "" : "192.0.2.1";
  }

  unmask(): void {
    const { unmasking, arena } = this.options;
    const [offset, length, key, utf8, to] = unmasking as unknown as FiveNumbers;
    assert(to >= 0 && to <= offset && offset + length <= arena.length, "a range in the arena");
    unmasking[3] = naiveUnmask(arena)(to, offset, length, key, utf8);
  }

  start(wake: () => void): void {
    this.#wake = wake;
  }

  stop(): void {
    this.#isStopped = true;
    for (const slot of this.#slots) slot?.socket?.closeByPeer(false);
  }

  #open(slot: number): Slot {
    assert(!this.#isStopped, "a verb after stop");
    const it = this.#slots[slot];
    assert(it !== undefined, `slot ${slot} is not open`);
    return it;
  }

  #socket(slot: number): FakeSocket {
    const { socket } = this.#open(slot);
    assert(socket !== undefined, `slot ${slot} is a listening one`);
    return socket;
  }

  #take(it: Slot): number {
    const slot = this.#free.pop();
    if (slot === undefined) return -ENOBUFS;
    this.#slots[slot] = it;
    this.#used = Math.max(this.#used, slot + 1);
    return slot;
  }

  #ready(): number[] {
    const ready: number[] = [];
    for (let slot = 0; slot < this.#used; slot += 1) {
      const it = this.#slots[slot];
      if (it !== undefined && this.#hasEvent(it)) ready.push(slot);
    }
    return ready;
  }

  #hasEvent({ socket, interest, hungUp }: Slot): boolean {
    if (socket === undefined) return (interest & READ) !== 0 && this.#waiting.length > 0;
    if (hungUp) return false;
    const readable = (interest & READ) !== 0 && socket.isReadable;
    const writable = (interest & WRITE) !== 0 && socket.isWritable;
    return readable || writable || socket.isHungUp;
  }

  #accept(listener: number, acceptsLeft: number): number {
    let left = acceptsLeft;
    if (this.#free.length === 0) this.#record(listener, ACCEPT_FAILED, 0, ENOBUFS);
    while (left > 0 && this.#free.length > 0 && this.#waiting.length > 0) {
      if (this.acceptErrno !== 0) {
        this.#record(listener, ACCEPT_FAILED, 0, this.acceptErrno);
        return left;
      }
      const socket = this.#waiting.shift() as FakeSocket;
      this.#record(this.#take({ socket, interest: READ, hungUp: false }), ACCEPTED, listener, 0);
      left -= 1;
    }
    return left;
  }

  #takeEvent(slot: number, it: Slot, socket: FakeSocket, readMax: number): void {
    if (it.connecting === true) {
      this.#finishConnect(slot, it, socket);
      return;
    }
    const wasHungUp = socket.isHungUp;
    if ((it.interest & WRITE) !== 0 && socket.isWritable) this.#record(slot, WRITABLE, 0, 0);
    if ((it.interest & READ) === 0) {
      if (!wasHungUp) return;
      it.hungUp = true;
      this.#record(slot, HANGUP, 0, 0);
    } else if (socket.isReadable) this.#read(slot, socket, readMax);
  }

  #finishConnect(slot: number, it: Slot, socket: FakeSocket): void {
    it.connecting = false;
    const got = socket.isBroken ? socket.receive(0) : undefined;
    it.hungUp = got !== undefined;
    if (got === undefined) this.#record(slot, WRITABLE, 0, 0);
    else this.#record(slot, FAILED, 0, Number(got));
  }

  #read(slot: number, socket: FakeSocket, readMax: number): void {
    const start = alignUp(this.#inputAt) + READ_HEADROOM;
    assert(start + readMax <= this.options.inputEnd, "the arena holds a read of every event");
    const got = socket.receive(readMax);
    if (got === "end") this.#record(slot, END, 0, 0);
    else if (typeof got === "number") this.#record(slot, FAILED, 0, got);
    else {
      this.options.arena.set(got, start);
      this.#inputAt = start + got.length;
      this.#spent.push([start - READ_HEADROOM, this.#inputAt]);
      this.#record(slot, BYTES, start, got.length);
    }
  }

  #record(slot: number, kind: number, offset: number, length: number): void {
    this.options.batch.set([slot, kind, offset, length], this.#records * BATCH_STRIDE);
    this.#records += 1;
  }

  #readMax(ready: number): number {
    const { inputStart, inputEnd, turnBytes, readBytesMin, readBytesMax } = this.options;
    if (ready === 0) return 0;
    const overhead = READ_HEADROOM + READ_ALIGNMENT;
    const share = Math.floor((inputEnd - inputStart) / ready) - overhead;
    const fair = Math.floor(turnBytes / ready);
    return Math.min(share, readBytesMax, Math.max(readBytesMin, fair));
  }

  /** `end` is CHAIN_END or CHAIN_FIN. */
  #chain(first: number): { pieces: Uint8Array[]; end: number } {
    const { entries, arena, inputStart } = this.options;
    const pieces: Uint8Array[] = [];
    let entry = first;
    for (; entry >= 0; entry = entries[entry * ENTRY_STRIDE + 2] as number) {
      const offset = entries[entry * ENTRY_STRIDE] as number;
      const end = offset + (entries[entry * ENTRY_STRIDE + 1] as number);
      assert(offset >= 0 && end <= arena.length, "an entry stands in the arena");
      assert(pieces.length <= entries.length, "a chain ends");
      pieces.push(arena.subarray(offset, end));
      // What stands before the input is there for good.
      if (offset >= inputStart) this.#spent.push([offset, end]);
    }
    return { pieces, end: entry };
  }
}

function alignUp(offset: number): number {
  return (offset + READ_ALIGNMENT - 1) & ~(READ_ALIGNMENT - 1);
}
