/**
 * One message to many connections: over a snapshot of places, in slices, so that no push holds
 * up the event loop. Pushes leave in the order in which they came, which keeps the order of
 * every publisher and group.
 */
import { type Answer, emptyAnswer } from "../bus/command.ts";
import type { Budget } from "../core/budget.ts";
import { slotOf } from "../core/connection-id.ts";
import { type Reactor, TICK_MS } from "../reactor/reactor.ts";
import { type ConnectionTable, OPEN } from "./connection-table.ts";
import { type Delivery, DROPPED, TOO_SLOW } from "./delivery.ts";
import type { Departure } from "./departure.ts";
import type { Hub } from "./hub.ts";

/** A slice ends after these, or after this time, whichever comes first. */
const SLICE_RECEIVERS = 256;
const SLICE_MS = 2;
/** Receivers between two looks at the clock. */
const CLOCK_EVERY = 64;

interface Push {
  hub: Hub;
  places: number[];
  /** Index of the next receiver. */
  next: number;
  opcode: number;
  bytes: Uint8Array;
  answer: Answer;
  resolve: (answer: Answer) => void;
}

export class Fanout {
  readonly #reactor: Reactor;
  readonly #connections: ConnectionTable;
  readonly #delivery: Delivery;
  readonly #departure: Departure;
  readonly #budget: Budget;
  readonly #pushes: Push[] = [];
  #isScheduled = false;

  constructor(
    reactor: Reactor,
    connections: ConnectionTable,
    delivery: Delivery,
    departure: Departure,
    budget: Budget,
  ) {
    this.#reactor = reactor;
    this.#connections = connections;
    this.#delivery = delivery;
    this.#departure = departure;
    this.#budget = budget;
  }

  /** Resolves when the message is queued or written for all of them, with the counts. */
  push(hub: Hub, places: number[], opcode: number, bytes: Uint8Array): Promise<Answer> {
    return new Promise((resolve) => {
      const answer = emptyAnswer();
      this.#pushes.push({ hub, places, next: 0, opcode, bytes, answer, resolve });
      // A small one that nothing waits before leaves with this iteration's flush.
      const isSmall = this.#pushes.length === 1 && places.length <= SLICE_RECEIVERS;
      if (isSmall && !this.#budget.isOverfull) this.#run();
      else this.#schedule();
    });
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
      const end = Math.min(push.places.length, push.next + SLICE_RECEIVERS - receivers);
      receivers += this.#runSlice(push, end, startedAtMs);
      if (push.next < push.places.length) continue;
      this.#pushes.shift();
      push.resolve(push.answer);
    }
    if (this.#pushes.length > 0) this.#schedule();
  }

  #runSlice(push: Push, end: number, startedAtMs: number): number {
    const { hub, places, answer } = push;
    const first = push.next;
    if (first === end) return 0;
    const frame = this.#delivery.encode(push.opcode, push.bytes, 0, push.bytes.length);
    // Closing one sends bytes of its own, for which the frame might have to make room.
    const tooSlow: number[] = [];
    while (push.next < end) {
      const place = places[push.next] as number;
      push.next += 1;
      const slot = slotOf(place);
      if (!this.#reactor.isCurrent(place) || this.#connections.phases[slot] !== OPEN) continue;
      const outcome = this.#delivery.deliverFrame(hub, slot, frame);
      answer.matched += 1;
      if (outcome === DROPPED) answer.dropped += 1;
      if (outcome === TOO_SLOW) {
        answer.dropped += 1;
        tooSlow.push(slot);
      }
      const isLookDue = (push.next - first) % CLOCK_EVERY === 0;
      if (isLookDue && performance.now() - startedAtMs > SLICE_MS) break;
    }
    for (const slot of tooSlow) this.#departure.disconnect(slot, "slow-consumer");
    return push.next - first;
  }
}
