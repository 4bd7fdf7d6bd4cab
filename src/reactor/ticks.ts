/**
 * Coarse time: ticks since the reactor began, and something to do at the beginning of each. It
 * knows nothing of what is due at them.
 */

/** Deadlines are counted in these: coarse on purpose, so that one sweep can serve them all. */
export const TICK_MS = 250;

/** Ticks from now until `ms` have passed, at least one. */
export function ticksOf(ms: number): number {
  return Math.ceil(ms / TICK_MS) + 1;
}

export class Ticks {
  readonly #begun: () => void;
  readonly #startedAtMs = performance.now();
  readonly #startedAtWallMs = Date.now();
  #timer: NodeJS.Timeout | undefined;
  #lastBegun = 1;

  /** `begun` is called once for each tick, from `start` on, unless one was missed. */
  constructor(begun: () => void) {
    this.#begun = begun;
  }

  /** The present one; the first is 1. */
  now(): number {
    return Math.floor((performance.now() - this.#startedAtMs) / TICK_MS) + 1;
  }

  /** The wall clock's time of a tick, in milliseconds since 1970: the same at every call. */
  wallMsOf(tick: number): number {
    return this.#startedAtWallMs + (tick - 1) * TICK_MS;
  }

  /**
   * At the beginning of the next tick: an interval would drift away from it, and what is due then
   * would wait for up to another tick.
   */
  start(): void {
    const leftMs = TICK_MS - ((performance.now() - this.#startedAtMs) % TICK_MS);
    this.#timer = setTimeout(() => this.#begin(), Math.ceil(leftMs));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #begin(): void {
    this.start();
    // Timers are counted from when this iteration of the event loop began, and so come early.
    const now = this.now();
    if (now === this.#lastBegun) return;
    this.#lastBegun = now;
    this.#begun();
  }
}
