/**
 * The sockets of one generator: dialled, shaken hands with, open, and gone. It counts how they
 * end and answers what a server asks of any client; what is sent over them is the load's.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Budget } from "../core/budget.ts";
import type { Binding } from "../reactor/binding.ts";
import { Outbox } from "../reactor/outbox.ts";
import { Reactor, type SlotEvents } from "../reactor/reactor.ts";
import { ticksOf } from "../reactor/ticks.ts";
import { OPCODE_CLOSE, OPCODE_PONG } from "../websocket/frame-header.ts";
import { ClientHandshake } from "./client-handshake.ts";
import { encodeMasked } from "./flight.ts";
import type { GeneratorOptions } from "./options.ts";
import { errorKind, type Tally } from "./tally.ts";

/** What a slot is. */
const GONE = 0;
const DIALLED = 1;
const HANDSHAKING = 2;
const OPEN = 3;
/** A close frame is out; what still comes is not looked at. */
const CLOSING = 4;

const CLOSE_TIMEOUT_MS = 2000;
const NORMAL_CLOSURE = Uint8Array.of(0x03, 0xe8);
/** The server did not answer a close frame in time, nor end the connection. */
export const NOT_CLOSED = "not closed";
/** More than any server makes a generator hold back. */
const BUDGET_BYTES = 1 << 30;

/** What happens to connections; `ended` is for those that were not open. */
export interface ClientEvents {
  opened(slot: number): void;
  /** Bytes of the arena, of a connection that is open. */
  received(slot: number, offset: number, end: number): void;
  /** An open connection was lost; its error is counted. */
  lost(slot: number): void;
  /** A handshake came to nothing, or a connection that was told to close is closed. */
  ended(): void;
}

export class Clients {
  readonly reactor: Reactor;
  readonly tally: Tally;
  readonly mask = new Uint8Array(randomBytes(4));
  /** Sockets there are: those that are dialled or shake hands, and all. */
  pending = 0;
  open = 0;
  sockets = 0;
  /** When the connection was, or was to be, dialled. */
  readonly dialledAtMs: Float64Array;
  readonly #options: GeneratorOptions;
  readonly #events: ClientEvents;
  readonly #handshake: ClientHandshake;
  readonly #phases: Uint8Array;
  readonly #wasPinged: Uint8Array;
  /** Responses that did not come in one piece. */
  readonly #heads = new Map<number, Buffer>();
  readonly #arena: Buffer;
  readonly #requestOffset: number;
  readonly #goodbye: { offset: number; length: number };
  #fixedEnd = 0;
  #dials = 0;

  constructor(
    binding: Binding,
    options: GeneratorOptions,
    tally: Tally,
    slotsMax: number,
    events: ClientEvents,
  ) {
    this.#options = options;
    this.#events = events;
    this.tally = tally;
    this.dialledAtMs = new Float64Array(slotsMax);
    this.#phases = new Uint8Array(slotsMax);
    this.#wasPinged = new Uint8Array(slotsMax);
    this.reactor = new Reactor(binding, slotsMax, new Budget(BUDGET_BYTES), this.#slotEvents());
    const { arena } = this.reactor;
    this.#arena = Buffer.from(arena.buffer, arena.byteOffset, arena.length);
    const key = randomBytes(16).toString("base64");
    this.#handshake = new ClientHandshake(options.target, options.headers, key);
    this.#requestOffset = this.fix(this.#handshake.request);
    const goodbye = encodeMasked(OPCODE_CLOSE, NORMAL_CLOSURE, this.mask);
    this.#goodbye = { offset: this.fix(goodbye), length: goodbye.length };
  }

  /** Puts bytes for good where they can be sent from: their offset in the arena. */
  fix(bytes: Uint8Array): number {
    const offset = this.#fixedEnd;
    assert(offset + bytes.length <= Outbox.FIXED_BYTES, "no room for bytes that never change");
    this.reactor.arena.set(bytes, offset);
    this.#fixedEnd += bytes.length;
    return offset;
  }

  isOpen(slot: number): boolean {
    return this.#phases[slot] === OPEN;
  }

  /** In the order of their slots. */
  openSlots(): number[] {
    return Array.from(this.#phases.subarray(0, this.reactor.slots.used).keys()).filter((slot) =>
      this.isOpen(slot),
    );
  }

  /** `atMs` is when it was to be dialled, which its handshake is measured from. */
  dial(atMs: number): void {
    const { target, sources, timeoutMs } = this.#options;
    const source = sources[this.#dials % sources.length] as string;
    this.#dials += 1;
    const slot = this.reactor.dial(target.address, target.port, source);
    if (slot < 0) {
      this.#failed(errorKind(-slot));
      return;
    }
    this.pending += 1;
    this.sockets += 1;
    this.#phases[slot] = DIALLED;
    this.dialledAtMs[slot] = atMs;
    this.setTimeout(slot, timeoutMs);
  }

  /** From now; 0 for none. An open connection that meets it is lost as one that timed out. */
  setTimeout(slot: number, ms: number): void {
    this.reactor.setDeadline(slot, ms === 0 ? 0 : this.reactor.tick + ticksOf(ms));
  }

  pong(slot: number, payload: Uint8Array): void {
    this.tally.pings += 1;
    if (this.#wasPinged[slot] === 0) this.tally.pinged += 1;
    this.#wasPinged[slot] = 1;
    this.sendSmall(slot, encodeMasked(OPCODE_PONG, payload, this.mask));
  }

  sendSmall(slot: number, frame: Uint8Array): void {
    const { outbox, arena } = this.reactor;
    const offset = outbox.reserve(frame.length);
    arena.set(frame, offset);
    outbox.send(slot, offset, frame.length);
  }

  /** Closes as a client should; what comes of it is no error. */
  close(slot: number): void {
    this.#say(slot);
    this.open -= 1;
  }

  /** The server closes: it is answered, and the connection lost. */
  closedByServer(slot: number, code: number): void {
    this.#say(slot);
    this.#lose(slot, `closed ${code}`);
  }

  /** Gives up an open connection for a reason that is counted. */
  lose(slot: number, kind: string): void {
    this.#drop(slot);
    this.#lose(slot, kind);
  }

  closeAll(): void {
    for (const slot of this.openSlots()) this.close(slot);
  }

  /** Those that still shake hands are let go without a word. */
  dropPending(): void {
    for (let slot = 0; slot < this.reactor.slots.used; slot += 1) {
      const phase = this.#phases[slot];
      if (phase !== DIALLED && phase !== HANDSHAKING) continue;
      this.pending -= 1;
      this.#drop(slot);
    }
  }

  #say(slot: number): void {
    const { outbox } = this.reactor;
    outbox.send(slot, this.#goodbye.offset, this.#goodbye.length);
    this.#phases[slot] = CLOSING;
    this.setTimeout(slot, CLOSE_TIMEOUT_MS);
  }

  #lose(slot: number, kind: string): void {
    this.open -= 1;
    this.tally.lost += 1;
    this.tally.error(kind);
    this.#events.lost(slot);
  }

  #drop(slot: number): void {
    this.#phases[slot] = GONE;
    this.#heads.delete(slot);
    this.sockets -= 1;
    this.reactor.close(slot, true);
  }

  #failed(kind: string): void {
    this.tally.failed += 1;
    this.tally.error(kind);
    this.#events.ended();
  }

  /** The socket is of no more use, for a reason that counts unless it was told to close. */
  #over(slot: number, kind: string): void {
    const phase = this.#phases[slot];
    if (phase === OPEN) {
      this.lose(slot, kind);
      return;
    }
    this.#drop(slot);
    if (phase === CLOSING) {
      this.#events.ended();
      return;
    }
    this.pending -= 1;
    this.#failed(kind);
  }

  #received(slot: number, offset: number, end: number): void {
    const phase = this.#phases[slot];
    if (phase === OPEN) {
      this.tally.receivedBytes += end - offset;
      this.#events.received(slot, offset, end);
    } else if (phase === HANDSHAKING) this.#readHandshake(slot, offset, end);
  }

  #readHandshake(slot: number, offset: number, end: number): void {
    const held = this.#heads.get(slot);
    const read = this.#arena.subarray(offset, end);
    const bytes = held === undefined ? read : Buffer.concat([held, read]);
    const answer = this.#handshake.read(bytes);
    if (answer.is === "unfinished") {
      this.#heads.set(slot, held === undefined ? Buffer.from(bytes) : bytes);
      return;
    }
    if (answer.is === "refused") {
      this.#over(slot, answer.kind);
      return;
    }
    this.#heads.delete(slot);
    this.pending -= 1;
    this.open += 1;
    this.#phases[slot] = OPEN;
    this.#wasPinged[slot] = 0;
    this.setTimeout(slot, 0);
    this.tally.opened += 1;
    this.tally.handshakes.record(performance.now() - (this.dialledAtMs[slot] as number), 1);
    this.#events.opened(slot);
    // What came with the response's last byte stands at the end of what was read now.
    const rest = bytes.length - answer.length;
    if (rest > 0) this.#received(slot, end - rest, end);
  }

  #slotEvents(): SlotEvents {
    const nothing = () => {};
    return {
      accepted: nothing,
      connected: (slot) => {
        this.#phases[slot] = HANDSHAKING;
        const { length } = this.#handshake.request;
        this.reactor.outbox.send(slot, this.#requestOffset, length);
      },
      received: (slot, offset, end) => this.#received(slot, offset, end),
      ended: (slot) => this.#over(slot, "ended"),
      broke: (slot, errno) => this.#over(slot, errorKind(errno)),
      // What the server said before it broke can still be read, and behind it the end.
      unwritable: nothing,
      hungUp: nothing,
      queued: nothing,
      drained: nothing,
      expired: (slot) => {
        if (this.#phases[slot] === CLOSING) this.tally.error(NOT_CLOSED);
        this.#over(slot, "timeout");
      },
      tookUp: nothing,
      acceptFailed: nothing,
      swept: nothing,
    };
  }
}
