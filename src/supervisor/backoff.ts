/**
 * How long a worker that died stays dead: each restart waits twice as long as the one before,
 * and a life that was long enough forgets them. Reads no clock.
 */
export interface BackoffOptions {
  restartDelayMs: number;
  restartDelayMsMax: number;
  steadyAfterMs: number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #nextMs: number;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#nextMs = options.restartDelayMs;
  }

  /** The delay of the restart after a life of `aliveMs`. */
  next(aliveMs: number): number {
    if (aliveMs >= this.#options.steadyAfterMs) this.#nextMs = this.#options.restartDelayMs;
    const delayMs = this.#nextMs;
    this.#nextMs = Math.min(delayMs * 2, this.#options.restartDelayMsMax);
    return delayMs;
  }
}
