/**
 * How many events may go in one batch, learnt from what became of the last ones: a service that
 * takes them one after the other has no time for as many as are allowed. It keeps a few numbers
 * for a hub, and knows neither events nor lanes.
 */

const SHRINK_FACTOR = 16;
/** Beyond the size that failed last, a success adds a thirty-second of what there is. */
const CAUTIOUS_SHIFT = 5;
/** Times `batchesInflightMax`: so many failures in a row are an outage, and no single event's. */
const OUTAGE_FACTOR = 4;

export class BatchSize {
  readonly #max: number;
  readonly #outageFailures: number;
  #now: number;
  /** Doubled up to here, since a batch of twice as many failed; then grown with caution. */
  #threshold: number;
  #failuresInARow = 0;

  constructor(max: number, inflightMax: number) {
    this.#max = max;
    this.#now = max;
    this.#threshold = max;
    this.#outageFailures = inflightMax * OUTAGE_FACTOR;
  }

  /** Events of the next batch, at the most. */
  get now(): number {
    return this.#now;
  }

  /**
   * The service took a batch of so many. Only one that was as large as allowed says that a larger
   * one is worth trying.
   */
  succeeded(events: number): void {
    this.#failuresInARow = 0;
    if (events < this.#now) return;
    const cautious = this.#now + Math.max(1, this.#now >> CAUTIOUS_SHIFT);
    const next = this.#now < this.#threshold ? Math.min(2 * this.#now, this.#threshold) : cautious;
    this.#now = Math.min(next, this.#max);
  }

  /**
   * A batch of so many failed as a whole; how many events a batch may have in which they come
   * again, so that one that the service cannot take is soon alone. In an outage as many as others:
   * after it, all that had to go one by one would wait for longer than they may.
   */
  failed(events: number): number {
    // In a row they say no more of the size at which it began to fail.
    if (this.#failuresInARow === 0 && events > 1) {
      this.#threshold = Math.max(events, this.#now) >> 1;
    }
    this.#failuresInARow += 1;
    const smaller = Math.max(1, Math.floor(events / SHRINK_FACTOR));
    if (events > 1) this.#now = Math.min(this.#now, smaller);
    return this.#failuresInARow > this.#outageFailures ? Number.POSITIVE_INFINITY : smaller;
  }
}
