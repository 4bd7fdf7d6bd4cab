/**
 * When a server has come to rest: for a while it has neither used its core nor changed its memory,
 * its own collection of garbage included. It is told what there is and waits for nothing itself.
 */

/** Of a core, what a server that does nothing may use. */
const IDLE_SHARE_MAX = 0.05;
/** What nothing but the counting of what happened may litter meanwhile. */
const MOVED_BYTES_MAX = 512 << 10;

export interface Look {
  ms: number;
  /** Since it began. */
  cpuSeconds: number;
  bytes: number;
}

export class Rest {
  readonly #quietMs: number;
  #last: Look;
  /** Since then nothing has happened. */
  #from: Look;

  constructor(quietMs: number, first: Look) {
    this.#quietMs = quietMs;
    this.#last = first;
    this.#from = first;
  }

  /** Whether it is at rest. */
  look(now: Look): boolean {
    const share = (now.cpuSeconds - this.#last.cpuSeconds) / ((now.ms - this.#last.ms) / 1000);
    const movedBytes = Math.abs(now.bytes - this.#from.bytes);
    this.#last = now;
    if (share > IDLE_SHARE_MAX || movedBytes > MOVED_BYTES_MAX) this.#from = now;
    return now.ms - this.#from.ms >= this.#quietMs;
  }
}
