/**
 * Tells the supervisor a worker's counts: at once after a pause, then once an interval at the
 * most, and only when they changed. The last that was told is what a crash is measured by.
 */
import { isDeepStrictEqual } from "node:util";
import type { WorkerCounts } from "../metrics/worker-counts.ts";

const INTERVAL_MS = 100;

export class CountsReporter {
  readonly #send: (counts: WorkerCounts) => void;
  #latest: WorkerCounts | undefined;
  #sent: WorkerCounts | undefined;
  /** Runs for an interval after each report. */
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (counts: WorkerCounts) => void) {
    this.#send = send;
  }

  /** `counts` are of that moment: they do not change afterwards. */
  report(counts: WorkerCounts): void {
    this.#latest = counts;
    if (this.#timer === undefined) this.#flush();
  }

  /** Tells the last counts now. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#flush();
    clearTimeout(this.#timer);
  }

  #flush(): void {
    this.#timer = undefined;
    const latest = this.#latest;
    if (latest === undefined || isDeepStrictEqual(latest, this.#sent)) return;
    this.#sent = latest;
    this.#send(latest);
    this.#timer = setTimeout(() => this.#flush(), INTERVAL_MS);
    this.#timer.unref();
  }
}
