/**
 * Time that stands still until a test moves it: the clock, timers and immediates of the whole
 * process, for code that runs on the fake poller. Promises are left alone.
 */

interface Timer {
  atMs: number;
  everyMs: number | undefined;
  run: () => void;
}

const real = {
  setImmediate: globalThis.setImmediate,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
};

export class FakeTime {
  nowMs = 0;
  /** What passes each time that somebody looks at the clock. */
  stepMs = 0;
  #immediates: (() => void)[] = [];
  readonly #timers = new Set<Timer>();

  /** Takes the place of the real time until `restore`, with nothing set yet. */
  install(): void {
    this.#immediates = [];
    this.#timers.clear();
    const set = (run: () => void, ms = 0, everyMs?: number) => {
      const timer = { atMs: this.nowMs + Math.max(1, ms), everyMs, run };
      this.#timers.add(timer);
      return timer;
    };
    const clear = (timer: Timer) => this.#timers.delete(timer);
    const fakes = {
      setImmediate: (run: () => void) => this.#immediates.push(run),
      setInterval: (run: () => void, ms: number) => set(run, ms, ms),
      setTimeout: (run: () => void, ms: number) => set(run, ms),
      clearInterval: clear,
      clearTimeout: clear,
    };
    Object.assign(globalThis, fakes);
    const now = () => {
      this.nowMs += this.stepMs;
      return this.nowMs;
    };
    Object.defineProperty(performance, "now", { value: now, configurable: true });
  }

  restore(): void {
    this.stepMs = 0;
    Object.assign(globalThis, real);
    Reflect.deleteProperty(performance, "now");
  }

  get hasImmediates(): boolean {
    return this.#immediates.length > 0;
  }

  /** The immediates of one iteration of the event loop; those that they set come in the next. */
  runImmediates(): void {
    const immediates = this.#immediates;
    this.#immediates = [];
    for (const run of immediates) run();
  }

  /** Moves the clock to the next timer within `ms` and runs it; false, at the end, for none. */
  advanceToTimer(untilMs: number): boolean {
    const due = [...this.#timers].filter(({ atMs }) => atMs <= untilMs);
    const [next] = due.sort((a, b) => a.atMs - b.atMs);
    this.nowMs = Math.max(this.nowMs, next?.atMs ?? untilMs);
    if (next === undefined) return false;
    if (next.everyMs === undefined) this.#timers.delete(next);
    else next.atMs = this.nowMs + next.everyMs;
    next.run();
    return true;
  }
}
