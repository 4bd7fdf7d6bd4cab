/**
 * Calls at a fixed rate, each with the time that it was meant for, which never slips: who is late
 * is called several times at once. Between calls that follow each other closely it spins through
 * the event loop rather than sleep, since timers know whole milliseconds only.
 */

/** Nearer than this it is not slept. */
const SPIN_MS = 2;

/** Of a step: what adding up times on such a clock may be off, and no call is made for. */
const ROUNDING = 1e-6;

export class Pacer {
  readonly #startMs: number;
  readonly #stepMs: number;
  readonly #countMax: number;
  readonly #call: (index: number, intendedMs: number, nowMs: number) => void;
  readonly #ended: () => void;
  #next = 0;
  #isStopped = false;

  /** Calls `call` at startMs, startMs + stepMs … before untilMs, and `ended` behind the last. */
  constructor(
    startMs: number,
    stepMs: number,
    untilMs: number,
    call: (index: number, intendedMs: number, nowMs: number) => void,
    ended: () => void,
  ) {
    this.#startMs = startMs;
    this.#stepMs = stepMs;
    this.#countMax = Math.max(0, Math.ceil((untilMs - startMs) / stepMs - ROUNDING));
    this.#call = call;
    this.#ended = ended;
    this.#schedule();
  }

  stop(): void {
    this.#isStopped = true;
  }

  #run = (): void => {
    if (this.#isStopped) return;
    const nowMs = performance.now();
    while (this.#next < this.#countMax && !this.#isStopped) {
      const intendedMs = this.#startMs + this.#next * this.#stepMs;
      if (intendedMs > nowMs) break;
      this.#next += 1;
      this.#call(this.#next - 1, intendedMs, nowMs);
    }
    this.#schedule();
  };

  #schedule(): void {
    if (this.#isStopped) return;
    if (this.#next >= this.#countMax) {
      this.#isStopped = true;
      setImmediate(this.#ended);
      return;
    }
    const waitMs = this.#startMs + this.#next * this.#stepMs - performance.now();
    if (waitMs > SPIN_MS) setTimeout(this.#run, Math.floor(waitMs - SPIN_MS / 2));
    else setImmediate(this.#run);
  }
}
