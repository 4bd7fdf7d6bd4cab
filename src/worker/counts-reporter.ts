/**
 * Tells the supervisor a worker's counts: at once after a pause, then once an interval at the
 * most, and only when they changed. The last that was told is what a crash is measured by.
 */
import { isDeepStrictEqual } from "node:util";
import type { WorkerCounts } from "../bus/worker-messages.ts";

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
    // The caller may go on counting in the same object.
    this.#sent = structuredClone(latest);
    this.#send(this.#sent);
    this.#timer = setTimeout(() => this.#flush(), INTERVAL_MS);
    this.#timer.unref();
  }
}
