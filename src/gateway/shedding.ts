/**
 * Who has to go when the buffers are full: those for whom most is held, as a queue that they do
 * not take, a message or a request head that they do not finish, or input that waits. What the
 * carriers hold is theirs to bound.
 */
import type { Budget } from "../core/budget.ts";
import type { Reactor } from "../reactor/reactor.ts";
import { ASKING, type ConnectionTable, FREE, HEAD, OPEN } from "./connection-table.ts";
import type { Departure } from "./departure.ts";

/** Those who are not let in yet. */
interface Handshakes {
  /** Bytes held of a request head that is not whole. */
  headBytes(slot: number): number;
  refuse(slot: number): void;
}

interface Holder {
  slot: number;
  bytes: number;
}

export class Shedding {
  readonly #reactor: Reactor;
  readonly #connections: ConnectionTable;
  readonly #departure: Departure;
  readonly #budget: Budget;
  readonly #handshakes: Handshakes;

  constructor(
    parts: {
      reactor: Reactor;
      connections: ConnectionTable;
      departure: Departure;
      budget: Budget;
    },
    handshakes: Handshakes,
  ) {
    this.#reactor = parts.reactor;
    this.#connections = parts.connections;
    this.#departure = parts.departure;
    this.#budget = parts.budget;
    this.#handshakes = handshakes;
  }

  /** Called with every sweep: what is held can only overshoot by what comes in between two. */
  swept(): void {
    if (!this.#budget.isOverfull) return;
    const holders = this.#holders().sort((a, b) => b.bytes - a.bytes);
    for (const { slot } of holders) {
      if (!this.#budget.isOverfull) return;
      const phase = this.#connections.phases[slot];
      if (phase === OPEN) this.#departure.shed(slot);
      else if (phase === ASKING || phase === HEAD) this.#handshakes.refuse(slot);
      else this.#departure.release(slot, true);
    }
  }

  #holders(): Holder[] {
    const holders: Holder[] = [];
    for (let slot = 0; slot < this.#reactor.slots.used; slot += 1) {
      const phase = this.#connections.phases[slot];
      if (phase === FREE) continue;
      const bytes = phase === HEAD ? this.#handshakes.headBytes(slot) : this.#bytesHeldFor(slot);
      if (bytes > 0) holders.push({ slot, bytes });
    }
    return holders;
  }

  #bytesHeldFor(slot: number): number {
    const { outbox, parked } = this.#reactor;
    const unfinished = this.#connections.unfinished(slot)?.bytesCharged ?? 0;
    return outbox.queuedBytes(slot) + parked.bytes(slot) + unfinished;
  }
}
