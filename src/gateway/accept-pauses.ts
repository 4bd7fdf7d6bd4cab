/**
 * What is said of the times when nobody can be accepted for want of descriptors or slots: one line
 * when an episode begins and one when it is over, however often the reactor tried meanwhile. It
 * pauses nothing; the reactor does.
 */
import { getSystemErrorName } from "node:util";
import type { Log } from "../core/log.ts";
import { TICK_MS } from "../reactor/ticks.ts";

/**
 * So long nothing may have failed before an episode is over. At the limit every client who leaves
 * lets one in and the next one fails: that is one episode, and not one for each of them.
 */
export const QUIET_MS = 5000;
const QUIET_TICKS = Math.ceil(QUIET_MS / TICK_MS);

export class AcceptPauses {
  /** Pauses, ever: each of them lasts a tick. */
  total = 0;
  readonly #log: Log;
  #isPaused = false;
  #lastTick = 0;
  #firstTick = 0;
  #totalBefore = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Within an episode: it is not known yet whether accepting goes well again. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  failed(errno: number, tick: number): void {
    this.total += 1;
    this.#lastTick = tick;
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#firstTick = tick;
    this.#totalBefore = this.total - 1;
    this.#log.warn(
      { errno, code: getSystemErrorName(-errno) },
      "out of descriptors or slots: clients wait until some are free",
    );
  }

  /** Called with every sweep. */
  swept(tick: number): void {
    if (!this.#isPaused || tick - this.#lastTick < QUIET_TICKS) return;
    this.#isPaused = false;
    this.#log.info(
      {
        pauses: this.total - this.#totalBefore,
        pausedForMs: (this.#lastTick - this.#firstTick + 1) * TICK_MS,
      },
      "accepting clients again",
    );
  }
}
