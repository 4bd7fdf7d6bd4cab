/**
 * A histogram of high dynamic range: every duration up to 214 s, to one part in a thousand or 0.1
 * µs, whichever is more. It can be sent to another process and added up without loss, which
 * perf_hooks' own cannot, and takes several equal observations as one.
 */

/** Below so many units each value has a bucket of its own; above, an octave has half as many. */
const LINEAR_UNITS = 2048;
const OCTAVE_BUCKETS = LINEAR_UNITS / 2;
const UNITS_PER_MS = 10_000;
const UNITS_MAX = 2 ** 31 - 1;
const BUCKETS = LINEAR_UNITS + (31 - 11) * OCTAVE_BUCKETS;

/** What is sent: the buckets that are not empty, as pairs of index and count. */
export interface LatencyCounts {
  pairs: number[];
  maxMs: number;
  sumMs: number;
}

/** As people and programs read it, in milliseconds. */
export interface LatencySummary {
  count: number;
  meanMs: number;
  p50Ms: number;
  p90Ms: number;
  p99Ms: number;
  p999Ms: number;
  maxMs: number;
}

export class LatencyHistogram {
  readonly #buckets = new Float64Array(BUCKETS);
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  /** `times` observations of the same duration. */
  record(ms: number, times: number): void {
    const bucket = bucketOf(ms);
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + times;
    this.#count += times;
    this.#sumMs += ms * times;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  /** The duration that this share of all observations does not exceed; 0 when there are none. */
  percentileMs(share: number): number {
    const rank = Math.max(1, Math.ceil(this.#count * share));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS && this.#count > 0; bucket += 1) {
      seen += this.#buckets[bucket] as number;
      if (seen >= rank) return Math.min(upperMs(bucket), this.#maxMs);
    }
    return 0;
  }

  summary(): LatencySummary {
    return {
      count: this.#count,
      meanMs: this.#count === 0 ? 0 : this.#sumMs / this.#count,
      p50Ms: this.percentileMs(0.5),
      p90Ms: this.percentileMs(0.9),
      p99Ms: this.percentileMs(0.99),
      p999Ms: this.percentileMs(0.999),
      maxMs: this.#maxMs,
    };
  }

  clear(): void {
    this.#buckets.fill(0);
    this.#count = 0;
    this.#sumMs = 0;
    this.#maxMs = 0;
  }

  counts(): LatencyCounts {
    const pairs: number[] = [];
    for (const [bucket, count] of this.#buckets.entries()) if (count > 0) pairs.push(bucket, count);
    return { pairs, maxMs: this.#maxMs, sumMs: this.#sumMs };
  }

  add({ pairs, maxMs, sumMs }: LatencyCounts): void {
    for (let at = 0; at < pairs.length; at += 2) {
      const bucket = pairs[at] as number;
      const count = pairs[at + 1] as number;
      this.#buckets[bucket] = (this.#buckets[bucket] as number) + count;
      this.#count += count;
    }
    this.#sumMs += sumMs;
    this.#maxMs = Math.max(this.#maxMs, maxMs);
  }
}

function bucketOf(ms: number): number {
  const units = Math.min(UNITS_MAX, Math.max(0, Math.round(ms * UNITS_PER_MS)));
  const shift = Math.max(0, 21 - Math.clz32(units));
  return shift * OCTAVE_BUCKETS + (units >>> shift);
}

/** The longest duration of a bucket. */
function upperMs(bucket: number): number {
  const shift = Math.max(0, Math.floor(bucket / OCTAVE_BUCKETS) - 1);
  const upper = (bucket - shift * OCTAVE_BUCKETS + 1) * 2 ** shift - 1;
  return upper / UNITS_PER_MS;
}
