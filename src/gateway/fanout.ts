/**
 * One message to many connections: over a snapshot of places, in slices, so that no push holds
 * up the event loop. Pushes leave in the order in which they came, which keeps the order of
 * every publisher and group; those to the same receivers leave together.
 */
import { type Answer, emptyAnswer } from "../bus/command.ts";
import type { Budget } from "../core/budget.ts";
import { slotOf } from "../core/connection-id.ts";
import type { Histogram } from "../metrics/histogram.ts";
import type { Reactor } from "../reactor/reactor.ts";
import { TICK_MS } from "../reactor/ticks.ts";
import { COMPRESS_BYTES_MIN, type Deflation } from "../websocket/deflation.ts";
import { COMPRESSED } from "../websocket/encode.ts";
import { type ConnectionTable, OPEN } from "./connection-table.ts";
import { type Delivery, type Frames, type Message, SENT, TOO_SLOW } from "./delivery.ts";
import type { Departure } from "./departure.ts";
import type { Hub } from "./hub.ts";
import { type Push, Wave } from "./wave.ts";

/** A slice ends after these, or after this time, whichever comes first. */
const SLICE_RECEIVERS = 128;
export const SLICE_MS = 2;
/** What is sent is copied by the flush, when the slice's time has been taken. */
const SLICE_BYTES = 4 << 20;
/** Receivers between two looks at the clock. */
const CLOCK_EVERY = 32;
/** Of all pushes that wait, 2 MiB: those behind them look for theirs when there is room. */
const PLACES_MAX = 1 << 18;

export class Fanout {
  readonly #reactor: Reactor;
  readonly #connections: ConnectionTable;
  readonly #delivery: Delivery;
  readonly #departure: Departure;
  readonly #budget: Budget;
  readonly #deflation: Deflation | undefined;
  readonly #turns: Histogram;
  readonly #waves: Wave[] = [];
  // Outside of a slice nobody waits unless the waves have PLACES_MAX places or more.
  /** Of all waves. */
  #places = 0;
  readonly #waiting: (() => void)[] = [];
  #isScheduled = false;
  /** What small pushes took in this iteration of the event loop, outside of slices. */
  #atOnceMs = 0;
  #atOnceBytes = 0;
  #isAtOnce = false;

  constructor(parts: {
    reactor: Reactor;
    connections: ConnectionTable;
    delivery: Delivery;
    departure: Departure;
    budget: Budget;
    deflation: Deflation | undefined;
    turns: Histogram;
  }) {
    this.#reactor = parts.reactor;
    this.#connections = parts.connections;
    this.#delivery = parts.delivery;
    this.#departure = parts.departure;
    this.#budget = parts.budget;
    this.#deflation = parts.deflation;
    this.#turns = parts.turns;
  }

  /** Begins a push, its receivers included; in order with others, when there is room for them. */
  whenThereIsRoom(begin: () => Promise<Answer>): Promise<Answer> {
    if (this.#places < PLACES_MAX && this.#waiting.length === 0) return begin();
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(begin()));
    });
  }

  /**
   * Resolves when the message is queued or written for all of them, with the counts. `places` may
   * be used for something else as soon as this returns.
   */
  push(hub: Hub, places: Float64Array, opcode: number, bytes: Uint8Array): Promise<Answer> {
    return new Promise((resolve) => {
      const answer = emptyAnswer();
      if (places.length === 0) {
        resolve(answer);
        return;
      }
      this.#enqueue(hub, places, { opcode, bytes, answer, resolve, form: undefined });
      // A small one that nothing waits before leaves with this iteration's flush.
      const isSmall = !this.#isScheduled && places.length <= SLICE_RECEIVERS;
      const isInTime = this.#atOnceMs < SLICE_MS && this.#atOnceBytes < SLICE_BYTES;
      if (isSmall && isInTime && !this.#budget.isOverfull) {
        this.#runAtOnce(places.length * bytes.length);
      } else this.#schedule();
    });
  }

  #enqueue(hub: Hub, places: Float64Array, push: Push): void {
    const { length } = push.bytes;
    const isDeflated = hub.configuration.compression && length >= COMPRESS_BYTES_MIN;
    // Only the last: it must not overtake what came before it for others.
    let wave = this.#waves.at(-1);
    if (!wave?.takes(hub, places, isDeflated, length)) {
      wave = new Wave(hub, places.slice(), isDeflated, this.#connections.deflateWindowBits);
      this.#waves.push(wave);
      this.#places += places.length;
    }
    wave.join(push);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    if (this.#waves.length === 0 && this.#waiting.length === 0) return;
    this.#isScheduled = true;
    const run = () => {
      this.#isScheduled = false;
      const startedAtMs = performance.now();
      this.#run(startedAtMs);
      this.#beginWaiting();
      this.#turns.observe((performance.now() - startedAtMs) / 1000);
    };
    // Pushers wait while the buffers are too full, until the next sweep has let some of it go.
    if (this.#budget.isOverfull) setTimeout(run, TICK_MS);
    else setImmediate(run);
  }

  /** For no longer than a slice takes: looking for many receivers takes its time, too. */
  #beginWaiting(): void {
    const startedAtMs = performance.now();
    let begun = 0;
    while (this.#places < PLACES_MAX && begun < this.#waiting.length) {
      this.#waiting[begun]?.();
      begun += 1;
      if (performance.now() - startedAtMs >= SLICE_MS) break;
    }
    // At once: one by one it would move all that wait behind them each time.
    this.#waiting.splice(0, begun);
    this.#schedule();
  }

  /** Many of them in one iteration must not hold up the event loop any longer than a slice. */
  #runAtOnce(bytes: number): void {
    const startedAtMs = performance.now();
    if (!this.#isAtOnce) {
      this.#isAtOnce = true;
      setImmediate(() => {
        this.#turns.observe(this.#atOnceMs / 1000);
        this.#isAtOnce = false;
        this.#atOnceMs = 0;
        this.#atOnceBytes = 0;
      });
    }
    this.#atOnceBytes += bytes;
    this.#run(startedAtMs);
    this.#atOnceMs += performance.now() - startedAtMs;
  }

  /** One slice's worth of pushes. */
  #run(startedAtMs: number): void {
    let receivers = 0;
    let bytes = 0;
    while (receivers < SLICE_RECEIVERS && bytes < SLICE_BYTES) {
      const wave = this.#waves[0];
      if (wave === undefined) return;
      const inBytes = Math.ceil((SLICE_BYTES - bytes) / wave.bytes);
      const count = Math.min(wave.stretch(), SLICE_RECEIVERS - receivers, inBytes);
      const pushesBytes = wave.bytes;
      const done = this.#runStretch(wave, count, startedAtMs);
      receivers += done;
      bytes += done * pushesBytes;
      for (const { answer, resolve } of wave.advance(done)) resolve(answer);
      if (wave.isOver) {
        this.#waves.shift();
        this.#places -= wave.places.length;
      }
      if (performance.now() - startedAtMs >= SLICE_MS) break;
    }
    this.#schedule();
  }

  /** The wave's messages to its next receivers, `count` at the most; to how many it was. */
  #runStretch(wave: Wave, count: number, startedAtMs: number): number {
    const { places, pushes, next } = wave;
    const frames = this.#encode(pushes, wave.share().windowBits);
    // Closing one sends bytes of its own, for which the frames might have to make room.
    const tooSlow: number[] = [];
    const { phases } = this.#connections;
    let matched = 0;
    let sent = 0;
    let done = 0;
    while (done < count) {
      const place = places[next + done] as number;
      const slot = slotOf(place);
      done += 1;
      if (this.#reactor.isCurrent(place) && phases[slot] === OPEN) {
        matched += 1;
        if (this.#delivery.deliverAll(slot, frames)) sent += 1;
        else if (this.#deliverEach(wave.hub, slot, frames, pushes)) tooSlow.push(slot);
      }
      const isLookDue = done % CLOCK_EVERY === 0;
      if (isLookDue && performance.now() - startedAtMs > SLICE_MS) break;
    }
    this.#delivery.countSent(sent, frames);
    for (const { answer } of pushes) answer.matched += matched;
    for (const slot of tooSlow) this.#departure.disconnect(slot, "slow-consumer");
    return done;
  }

  /** One by one, where something waits for the receiver; whether it is too slow for them. */
  #deliverEach(hub: Hub, slot: number, { each }: Frames, pushes: Push[]): boolean {
    let isTooSlow = false;
    for (const [index, frame] of each.entries()) {
      const outcome = this.#delivery.deliverFrame(hub, slot, frame);
      if (outcome === SENT) continue;
      (pushes[index] as Push).answer.dropped += 1;
      if (outcome === TOO_SLOW) isTooSlow = true;
    }
    return isTooSlow;
  }

  #encode(pushes: Push[], windowBits: number): Frames {
    for (const push of pushes) push.form ??= this.#formOf(push, windowBits);
    return this.#delivery.encodeAll(pushes.map(({ form }) => form as Message));
  }

  /** Deflated where that pays. What is deflated is copied: it may be needed for many slices. */
  #formOf({ opcode, bytes }: Push, windowBits: number): Message {
    const plain = { opcode, bytes, payloadLength: bytes.length, blockFrame: undefined };
    const deflation = this.#deflation;
    if (windowBits === 0 || deflation === undefined) return plain;
    if (!deflation.deflate(bytes, 0, bytes.length, windowBits)) return plain;
    const deflated = deflation.take().slice(0, deflation.length);
    return { ...plain, opcode: opcode | COMPRESSED, bytes: deflated };
  }
}
