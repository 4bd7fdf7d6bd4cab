/**
 * One message to many connections: over a snapshot of places, in slices, so that no push holds
 * up the event loop. Pushes leave in the order in which they came, which keeps the order of
 * every publisher and group; those to the same receivers leave together.
 */
import { type Answer, emptyAnswer } from "../bus/command.ts";
import type { Budget } from "../core/budget.ts";
import { slotOf } from "../core/connection-id.ts";
import type { Reactor } from "../reactor/reactor.ts";
import { TICK_MS } from "../reactor/ticks.ts";
import { COMPRESS_BYTES_MIN, type Deflation } from "../websocket/deflation.ts";
import { COMPRESSED, HEADER_BYTES_MAX } from "../websocket/encode.ts";
import { type ConnectionTable, OPEN } from "./connection-table.ts";
import { type Delivery, DROPPED, type Frame, TOO_SLOW } from "./delivery.ts";
import type { Departure } from "./departure.ts";
import type { Hub } from "./hub.ts";

/** A slice ends after these, or after this time, whichever comes first. */
const SLICE_RECEIVERS = 256;
const SLICE_MS = 2;
/** Receivers between two looks at the clock. */
const CLOCK_EVERY = 64;
/** Of one wave, so that all its frames stand in the arena at once. */
const WAVE_PUSHES_MAX = 64;
const WAVE_BYTES_MAX = 256 << 10;

/** Receivers of a wave that are sent the same bytes. */
interface Share {
  /** The window that these negotiated to have messages deflated with; 0: none. */
  windowBits: number;
  places: number[];
  /** Index of the next receiver. */
  next: number;
  /** The messages as they go to them, from when the first of them is due. */
  forms: Form[];
}

interface Form {
  opcode: number;
  bytes: Uint8Array;
}

interface Push extends Form {
  answer: Answer;
  resolve: (answer: Answer) => void;
}

/**
 * Pushes to the same receivers that came before the first of them was due: each receiver's
 * messages then leave in one send, and sixteen cost little more than one.
 */
interface Wave {
  hub: Hub;
  places: number[];
  isDeflated: boolean;
  pushes: Push[];
  /** Of their messages. */
  bytes: number;
  /** Those that are not through; undefined before the first is due. */
  shares: Share[] | undefined;
}

export class Fanout {
  readonly #reactor: Reactor;
  readonly #connections: ConnectionTable;
  readonly #delivery: Delivery;
  readonly #departure: Departure;
  readonly #budget: Budget;
  readonly #deflation: Deflation | undefined;
  readonly #waves: Wave[] = [];
  #isScheduled = false;

  constructor(parts: {
    reactor: Reactor;
    connections: ConnectionTable;
    delivery: Delivery;
    departure: Departure;
    budget: Budget;
    deflation: Deflation | undefined;
  }) {
    this.#reactor = parts.reactor;
    this.#connections = parts.connections;
    this.#delivery = parts.delivery;
    this.#departure = parts.departure;
    this.#budget = parts.budget;
    this.#deflation = parts.deflation;
  }

  /** Resolves when the message is queued or written for all of them, with the counts. */
  push(hub: Hub, places: number[], opcode: number, bytes: Uint8Array): Promise<Answer> {
    return new Promise((resolve) => {
      this.#enqueue(hub, places, { opcode, bytes, answer: emptyAnswer(), resolve });
      // A small one that nothing waits before leaves with this iteration's flush.
      const isSmall = this.#waves.length === 1 && places.length <= SLICE_RECEIVERS;
      if (isSmall && !this.#budget.isOverfull) this.#run();
      else this.#schedule();
    });
  }

  #enqueue(hub: Hub, places: number[], push: Push): void {
    const { length } = push.bytes;
    const isDeflated = hub.configuration.compression && length >= COMPRESS_BYTES_MIN;
    const last = this.#waves.at(-1);
    const joins =
      last !== undefined &&
      last.shares === undefined &&
      last.hub === hub &&
      last.isDeflated === isDeflated &&
      last.pushes.length < WAVE_PUSHES_MAX &&
      last.bytes + length <= WAVE_BYTES_MAX &&
      areEqual(last.places, places);
    if (joins) {
      last.pushes.push(push);
      last.bytes += length;
      return;
    }
    const shares = undefined;
    this.#waves.push({ hub, places, isDeflated, pushes: [push], bytes: length, shares });
  }

  /** Those with the same window stand together, so that a message is deflated once for them. */
  #divide({ isDeflated, places }: Wave): Share[] {
    if (!isDeflated) return [shareOf(0, places)];
    const { deflateWindowBits } = this.#connections;
    const byWindow: number[][] = [];
    for (const place of places) {
      const windowBits = deflateWindowBits[slotOf(place)] as number;
      byWindow[windowBits] ??= [];
      byWindow[windowBits].push(place);
    }
    // The array has holes for the windows that nobody has; these are passed over.
    const shares: Share[] = [];
    byWindow.forEach((some, windowBits) => {
      shares.push(shareOf(windowBits, some));
    });
    return shares;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const run = () => {
      this.#isScheduled = false;
      this.#run();
    };
    // Pushers wait while the buffers are too full, until the next sweep has let some of it go.
    if (this.#budget.isOverfull) setTimeout(run, TICK_MS);
    else setImmediate(run);
  }

  /** One slice's worth of pushes. */
  #run(): void {
    const startedAtMs = performance.now();
    let receivers = 0;
    while (receivers < SLICE_RECEIVERS && performance.now() - startedAtMs < SLICE_MS) {
      const wave = this.#waves[0];
      if (wave === undefined) return;
      wave.shares ??= this.#divide(wave);
      const share = wave.shares[0];
      if (share !== undefined) {
        const end = Math.min(share.places.length, share.next + SLICE_RECEIVERS - receivers);
        receivers += this.#runSlice(wave, share, end, startedAtMs);
        if (share.next < share.places.length) continue;
        wave.shares.shift();
        if (wave.shares.length > 0) continue;
      }
      this.#waves.shift();
      for (const { answer, resolve } of wave.pushes) resolve(answer);
    }
    if (this.#waves.length > 0) this.#schedule();
  }

  #runSlice(wave: Wave, share: Share, end: number, startedAtMs: number): number {
    const { places } = share;
    const first = share.next;
    if (first === end) return 0;
    const frames = this.#encode(wave, share);
    // Closing one sends bytes of its own, for which the frames might have to make room.
    const tooSlow: number[] = [];
    while (share.next < end) {
      const place = places[share.next] as number;
      share.next += 1;
      const slot = slotOf(place);
      if (!this.#reactor.isCurrent(place) || this.#connections.phases[slot] !== OPEN) continue;
      if (this.#deliver(wave, slot, frames)) tooSlow.push(slot);
      const isLookDue = (share.next - first) % CLOCK_EVERY === 0;
      if (isLookDue && performance.now() - startedAtMs > SLICE_MS) break;
    }
    for (const slot of tooSlow) this.#departure.disconnect(slot, "slow-consumer");
    return share.next - first;
  }

  /** All messages of a wave to one receiver; whether it is too slow for them. */
  #deliver({ hub, pushes }: Wave, slot: number, frames: Frame[]): boolean {
    let isTooSlow = false;
    for (let index = 0; index < frames.length; index += 1) {
      const outcome = this.#delivery.deliverFrame(hub, slot, frames[index] as Frame);
      const { answer } = pushes[index] as Push;
      answer.matched += 1;
      if (outcome === DROPPED) answer.dropped += 1;
      if (outcome === TOO_SLOW) {
        answer.dropped += 1;
        isTooSlow = true;
      }
    }
    return isTooSlow;
  }

  #encode({ pushes }: Wave, share: Share): Frame[] {
    if (share.forms.length === 0) {
      share.forms = pushes.map((push) => this.#formOf(push, share.windowBits));
    }
    const sizes = share.forms.map(({ bytes }) => HEADER_BYTES_MAX + bytes.length);
    // One of them alone may go beside the arena; several have to stand there together.
    if (sizes.length > 1) this.#delivery.makeRoom(sizes.reduce((sum, size) => sum + size, 0));
    return share.forms.map(({ opcode, bytes }, index) => {
      const payloadLength = (pushes[index] as Push).bytes.length;
      return this.#delivery.encode(opcode, bytes, 0, bytes.length, payloadLength);
    });
  }

  /** Deflated where that pays. What is deflated is copied: it may be needed for many slices. */
  #formOf({ opcode, bytes }: Push, windowBits: number): Form {
    const deflation = this.#deflation;
    if (windowBits === 0 || deflation === undefined) return { opcode, bytes };
    if (!deflation.deflate(bytes, 0, bytes.length, windowBits)) return { opcode, bytes };
    const deflated = deflation.take().slice(0, deflation.length);
    return { opcode: opcode | COMPRESSED, bytes: deflated };
  }
}

function shareOf(windowBits: number, places: number[]): Share {
  return { windowBits, places, next: 0, forms: [] };
}

/** Looking is far cheaper than sending, and finds also what came by another name. */
function areEqual(some: number[], others: number[]): boolean {
  if (some.length !== others.length) return false;
  for (let index = 0; index < some.length; index += 1) {
    if (some[index] !== others[index]) return false;
  }
  return true;
}
