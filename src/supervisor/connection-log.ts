/**
 * What the log says of the number of connections: a debug line for each hundred more or fewer,
 * and the total every minute. It counts nothing itself.
 */
import type { Log } from "../core/log.ts";

const STEP = 100;

export class ConnectionLog {
  readonly #log: Log;
  readonly #total: () => number;
  readonly #timer: NodeJS.Timeout;
  /** The total of the last debug line, a multiple of STEP. */
  #said = 0;

  constructor(log: Log, totalIntervalMs: number, total: () => number) {
    this.#log = log;
    this.#total = total;
    this.#timer = setInterval(() => {
      const connections = total();
      log.info({ connections }, `${connections} connections`);
    }, totalIntervalMs);
    // The line alone is no reason to stay alive.
    this.#timer.unref();
  }

  /** To be called when the total may have changed. */
  changed(): void {
    const connections = this.#total();
    // The hundred is said on the way up when it is reached, on the way down when it is left by a
    // whole hundred, so that a total that swings around one of them says nothing.
    if (Math.abs(connections - this.#said) < STEP) return;
    this.#said = Math.trunc(connections / STEP) * STEP;
    this.#log.debug({ connections }, `${connections} connections`);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
