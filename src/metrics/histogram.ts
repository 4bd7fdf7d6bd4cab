/**
 * A histogram of durations in fixed buckets: an observation is one comparison for each bound
 * below it and two additions. It keeps no observation but the longest, and so tells no quantile.
 */

/** Upper bounds of the buckets, in seconds; one more holds what lies above them all. */
export const durationBoundsSeconds: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

export interface HistogramCounts {
  /** Observations in each bucket alone, not in those below it; the last is above all bounds. */
  buckets: number[];
  /** Of everything observed, in seconds. */
  sum: number;
}

export class Histogram {
  readonly #buckets: number[];
  #sum = 0;
  /** The longest that was ever observed, in seconds. */
  max = 0;

  constructor() {
    this.#buckets = new Array<number>(durationBoundsSeconds.length + 1).fill(0);
  }

  observe(seconds: number): void {
    let bucket = 0;
    // A bound belongs to the bucket below it: `le` is "less or equal".
    while (seconds > (durationBoundsSeconds[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1;
    this.#sum += seconds;
    if (seconds > this.max) this.max = seconds;
  }

  counts(): HistogramCounts {
    return { buckets: [...this.#buckets], sum: this.#sum };
  }
}

export function addHistograms(a: HistogramCounts, b: HistogramCounts): HistogramCounts {
  return {
    buckets: a.buckets.map((count, bucket) => count + (b.buckets[bucket] ?? 0)),
    sum: a.sum + b.sum,
  };
}
