/**
 * One message to many connections: over a snapshot of places, in slices, so that no push holds
 * up the event loop. Pushes leave in the order in which they came, which keeps the order of
 * every publisher and group.
 */
import { type Answer, emptyAnswer } from "../bus/command.ts";
import type { Budget } from "../core/budget.ts";
import { slotOf } from "../core/connection-id.ts";
import { type Reactor, TICK_MS } from "../reactor/reactor.ts";
import { COMPRESS_BYTES_MIN, type Deflation } from "../websocket/deflation.ts";
import { COMPRESSED } from "../websocket/encode.ts";
import { type ConnectionTable, OPEN } from "./connection-table.ts";
import { type Delivery, DROPPED, TOO_SLOW } from "./delivery.ts";
import type { Departure } from "./departure.ts";
import type { Hub } from "./hub.ts";

/** A slice ends after these, or after this time, whichever comes first. */
const SLICE_RECEIVERS = 256;
const SLICE_MS = 2;
/** Receivers between two looks at the clock. */
const CLOCK_EVERY = 64;

/** Receivers of a push that are sent the same bytes. */
interface Share {
  /** The window that these negotiated to have messages deflated with; 0: none. */
  windowBits: number;
  places: number[];
  /** Index of the next receiver. */
  next: number;
  /** The message as it goes to them, from when the first of them is due. */
  form: Form | undefined;
}

interface Form {
  opcode: number;
  bytes: Uint8Array;
}

interface Push extends Form {
  hub: Hub;
  /** Those that are not through. */
  shares: Share[];
  answer: Answer;
  resolve: (answer: Answer) => void;
}

export class Fanout {
  readonly #reactor: Reactor;
  readonly #connections: ConnectionTable;
  readonly #delivery: Delivery;
  readonly #departure: Departure;
  readonly #budget: Budget;
  readonly #deflation: Deflation | undefined;
  readonly #pushes: Push[] = [];
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
      const answer = emptyAnswer();
      const shares = this.#divide(hub, places, bytes.length);
      this.#pushes.push({ hub, shares, opcode, bytes, answer, resolve });
      // A small one that nothing waits before leaves with this iteration's flush.
      const isSmall = this.#pushes.length === 1 && places.length <= SLICE_RECEIVERS;
      if (isSmall && !this.#budget.isOverfull) this.#run();
      else this.#schedule();
    });
  }

  /** Those with the same window stand together, so that the message is deflated once for them. */
  #divide(hub: Hub, places: number[], length: number): Share[] {
    if (!hub.configuration.compression || length < COMPRESS_BYTES_MIN) return [shareOf(0, places)];
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
      const push = this.#pushes[0];
      if (push === undefined) return;
      const share = push.shares[0];
      if (share !== undefined) {
        const end = Math.min(share.places.length, share.next + SLICE_RECEIVERS - receivers);
        receivers += this.#runSlice(push, share, end, startedAtMs);
        if (share.next < share.places.length) continue;
        push.shares.shift();
        if (push.shares.length > 0) continue;
      }
      this.#pushes.shift();
      push.resolve(push.answer);
    }
    if (this.#pushes.length > 0) this.#schedule();
  }

  #runSlice(push: Push, share: Share, end: number, startedAtMs: number): number {
    const { hub, answer } = push;
    const { places } = share;
    const first = share.next;
    if (first === end) return 0;
    share.form ??= this.#formOf(push, share.windowBits);
    const { opcode, bytes } = share.form;
    const frame = this.#delivery.encode(opcode, bytes, 0, bytes.length, push.bytes.length);
    // Closing one sends bytes of its own, for which the frame might have to make room.
    const tooSlow: number[] = [];
    while (share.next < end) {
      const place = places[share.next] as number;
      share.next += 1;
      const slot = slotOf(place);
      if (!this.#reactor.isCurrent(place) || this.#connections.phases[slot] !== OPEN) continue;
      const outcome = this.#delivery.deliverFrame(hub, slot, frame);
      answer.matched += 1;
      if (outcome === DROPPED) answer.dropped += 1;
      if (outcome === TOO_SLOW) {
        answer.dropped += 1;
        tooSlow.push(slot);
      }
      const isLookDue = (share.next - first) % CLOCK_EVERY === 0;
      if (isLookDue && performance.now() - startedAtMs > SLICE_MS) break;
    }
    for (const slot of tooSlow) this.#departure.disconnect(slot, "slow-consumer");
    return share.next - first;
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
  return { windowBits, places, next: 0, form: undefined };
}
