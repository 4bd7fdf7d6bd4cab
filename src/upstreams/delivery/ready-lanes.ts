/**
 * The lanes whose next event may go out, in the order in which they became so. Those that were
 * held before and those that were not go first in turns: the time of the former runs out while
 * they stand behind others, and a service that fails some must not keep the others waiting.
 */
import type { Lane } from "./lane.ts";

export class ReadyLanes {
  // A lane is in one of the two at the most.
  readonly #held = new Set<Lane>();
  readonly #others = new Set<Lane>();
  #isTurnOfHeld = false;

  get size(): number {
    return this.#held.size + this.#others.size;
  }

  add(lane: Lane): void {
    const lanes = lane.heldSinceMs === undefined ? this.#others : this.#held;
    lanes.add(lane);
  }

  delete(lane: Lane): void {
    if (!this.#others.delete(lane)) this.#held.delete(lane);
  }

  clear(): void {
    this.#held.clear();
    this.#others.clear();
  }

  /** How many may begin one more shipment, where those that were held may or may not. */
  sizeFor(withHeld: boolean): number {
    return withHeld ? this.size : this.#others.size;
  }

  next(withHeld: boolean): Iterable<Lane> {
    if (!withHeld || this.#held.size === 0) return this.#others;
    if (this.#others.size === 0) return this.#held;
    this.#isTurnOfHeld = !this.#isTurnOfHeld;
    return this.#isTurnOfHeld ? both(this.#held, this.#others) : both(this.#others, this.#held);
  }

  all(): Iterable<Lane> {
    return both(this.#held, this.#others);
  }
}

function* both(some: Iterable<Lane>, others: Iterable<Lane>): Iterable<Lane> {
  yield* some;
  yield* others;
}
