/**
 * Receivers of pushes: every one of them is to get every push, once and in order, byte for byte.
 * In the process that also sends, one connection more does that and is no receiver. Who pushes,
 * and when, is decided by the parent.
 */
import { BINARY, TEXT } from "../core/opcode.ts";
import { headerBytesOf, writeFrameHeader } from "../websocket/encode.ts";
import type { Clients } from "./clients.ts";
import { equals } from "./echo-answers.ts";
import { encodeMasked } from "./flight.ts";
import { IdleReader } from "./idle-reader.ts";
import type { Load } from "./load.ts";
import { decodePush, encodePush, monotonicOffsetMs, pushesMax } from "./push-payload.ts";

/** A server that does not read what is pushed to it is sent no more than this, and one push. */
const SENDER_QUEUE_BYTES_MAX = 64 << 20;

/** One push, as far as the receivers of this process have it. */
export interface Delivered {
  number: number;
  sentAtMs: number;
  /** Of the last receiver. Both on the clock that processes share. */
  lastAtMs: number;
}

interface FanoutOptions {
  payloadBytes: number;
  text: boolean;
  sendsItself: boolean;
  /** All open receivers have a push. */
  delivered: (delivered: Delivered) => void;
}

interface Push {
  number: number;
  sentAtMs: number;
  /** The whole frame, as every receiver gets it. */
  frame: Buffer;
  receivers: number;
}

export class Fanout implements Load {
  readonly opensFirst = true;
  readonly #clients: Clients;
  readonly #options: FanoutOptions;
  readonly #reader: IdleReader;
  readonly #arena: Buffer;
  /** Of each receiver, the number of the push that is next. */
  readonly #expected: Uint32Array;
  readonly #pushes = new Map<number, Push>();
  readonly #pushesMax: number;
  /** Up to this number, pushes that are not known are not kept again. */
  #forgotten = 0;
  /** The one that was looked at last. */
  #latest: Push | undefined;
  #sender = -1;
  #done: (() => void) | undefined;

  constructor(clients: Clients, options: FanoutOptions) {
    const { arena, slots } = clients.reactor;
    this.#clients = clients;
    this.#options = options;
    this.#pushesMax = pushesMax(options.payloadBytes);
    this.#arena = Buffer.from(arena.buffer, arena.byteOffset, arena.length);
    this.#expected = new Uint32Array(slots.capacity);
    this.#reader = new IdleReader(clients, (slot, payload) => this.#message(slot, payload));
  }

  begin(_untilMs: number, done: () => void): void {
    this.#done = done;
  }

  opened(slot: number): void {
    this.#reader.reset(slot);
    this.#expected[slot] = 1;
    if (this.#options.sendsItself && this.#sender < 0) this.#sender = slot;
  }

  received(slot: number, offset: number, end: number): void {
    const latest = this.#latest;
    const isTheSameAgain =
      latest !== undefined &&
      latest.number === this.#expected[slot] &&
      end - offset === latest.frame.length &&
      !this.#reader.isWithin(slot) &&
      equals(this.#arena, offset, end, latest.frame, 0);
    if (isTheSameAgain && slot !== this.#sender) this.#deliver(slot, latest);
    else this.#reader.read(slot, offset, end);
  }

  /** The push that everybody else has may have waited for this one only. */
  lost(slot: number): void {
    this.#reader.reset(slot);
    if (slot === this.#sender) this.#sender = -1;
    for (const push of this.#pushes.values()) this.#checkDelivered(push, performance.now());
  }

  ended(): void {}

  /** Sends a push from the sender's connection; `sentAtMs` where it was meant for a time. */
  push(number: number, sentAtMs: number | undefined): void {
    const { payloadBytes, text } = this.#options;
    const { outbox } = this.#clients.reactor;
    if (this.#sender < 0 || outbox.queuedBytes(this.#sender) > SENDER_QUEUE_BYTES_MAX) {
      // The parent, which waits for its delivery, counts it as late.
      this.#clients.tally.unsent += 1;
      return;
    }
    const atMs = sentAtMs ?? performance.now() + monotonicOffsetMs;
    const payload = encodePush({ number, sentAtMs: atMs }, payloadBytes);
    const frame = encodeMasked(text ? TEXT : BINARY, payload, this.#clients.mask);
    this.#clients.tally.sentBytes += frame.length;
    outbox.sendBlock(this.#sender, {
      bytes: frame,
      references: 0,
      droppable: false,
    });
  }

  /** No more pushes come, and so many were made. */
  finish(pushes: number): void {
    for (const slot of this.#clients.openSlots()) {
      const missing = pushes + 1 - (this.#expected[slot] as number);
      if (slot !== this.#sender && missing > 0) this.#clients.tally.error("lost push", missing);
    }
    this.#done?.();
  }

  stop(): void {
    this.#done?.();
  }

  #message(slot: number, payload: Uint8Array): void {
    if (slot === this.#sender) return;
    const number = this.#expected[slot] as number;
    const push = this.#pushOf(payload);
    if (push === undefined || push.number < number) {
      this.#clients.lose(slot, "wrong push");
      return;
    }
    if (push.number > number) this.#clients.tally.error("lost push", push.number - number);
    this.#deliver(slot, push);
  }

  #deliver(slot: number, push: Push): void {
    this.#expected[slot] = push.number + 1;
    const nowMs = performance.now();
    const { tally } = this.#clients;
    tally.messages += 1;
    tally.latency.record(Math.max(0, nowMs + monotonicOffsetMs - push.sentAtMs), 1);
    push.receivers += 1;
    this.#checkDelivered(push, nowMs);
  }

  /** The push that this payload is; undefined for none. */
  #pushOf(payload: Uint8Array): Push | undefined {
    const stamp = decodePush(payload, this.#options.payloadBytes);
    if (stamp === undefined) return undefined;
    const known = this.#pushes.get(stamp.number);
    if (known !== undefined) return known.sentAtMs === stamp.sentAtMs ? known : undefined;
    const push = { ...stamp, frame: frameOf(payload, this.#options.text), receivers: 0 };
    if (push.number <= this.#forgotten) return push;
    if (this.#pushes.size >= this.#pushesMax) this.#forgetOldest();
    this.#pushes.set(stamp.number, push);
    this.#latest = push;
    return push;
  }

  /** It waits for a receiver that lost it, or is so late that its parent waits no more. */
  #forgetOldest(): void {
    const [oldest = 0] = this.#pushes.keys();
    this.#pushes.delete(oldest);
    this.#forgotten = Math.max(this.#forgotten, oldest);
  }

  #checkDelivered(push: Push, nowMs: number): void {
    const receivers = this.#clients.open - Number(this.#sender >= 0);
    if (push.receivers < receivers) return;
    this.#pushes.delete(push.number);
    const { number, sentAtMs } = push;
    this.#options.delivered({ number, sentAtMs, lastAtMs: nowMs + monotonicOffsetMs });
  }
}

function frameOf(payload: Uint8Array, text: boolean): Buffer {
  const headerBytes = headerBytesOf(payload.length);
  const frame = Buffer.alloc(headerBytes + payload.length);
  writeFrameHeader(frame, 0, text ? TEXT : BINARY, payload.length);
  frame.set(payload, headerBytes);
  return frame;
}
