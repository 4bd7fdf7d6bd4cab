/**
 * Which connections a push with an id has reached already, for two minutes, so that whoever
 * pushes can repeat a push that he had no answer to. What is remembered is bounded; the oldest
 * ids are forgotten first.
 */

const REMEMBERED_MS = 120_000;

interface Remembered {
  until: number;
  places: Set<number>;
}

export class PushMemory {
  readonly #receiversMax: number;
  /** In the order of their first use. */
  readonly #pushes = new Map<string, Remembered>();
  #receivers = 0;

  constructor(receiversMax: number) {
    this.#receiversMax = receiversMax;
  }

  /** Those of `places` that this push has not reached yet; from now on it has. */
  unreached(pushId: string, places: number[], nowMs: number): number[] {
    this.#forget(nowMs);
    let push = this.#pushes.get(pushId);
    if (push === undefined) {
      push = { until: nowMs + REMEMBERED_MS, places: new Set() };
      this.#pushes.set(pushId, push);
      this.#receivers += 1;
    }
    const reached = push.places;
    const unreached = places.filter((place) => !reached.has(place));
    for (const place of unreached) reached.add(place);
    this.#receivers += unreached.length;
    return unreached;
  }

  #forget(nowMs: number): void {
    for (const [pushId, push] of this.#pushes) {
      if (push.until > nowMs && this.#receivers < this.#receiversMax) return;
      this.#pushes.delete(pushId);
      this.#receivers -= push.places.size + 1;
    }
  }
}
