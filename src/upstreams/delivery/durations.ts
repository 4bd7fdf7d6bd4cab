/** How long events took at a hub's service, by their kind: for the metrics, in seconds. */
import { Histogram } from "../../metrics/histogram.ts";
import type { UpstreamCounts } from "../../metrics/worker-counts.ts";
import type { EventName } from "./event.ts";

export class Durations {
  readonly #histograms: Record<EventName, Histogram> = {
    connect: new Histogram(),
    connected: new Histogram(),
    message: new Histogram(),
    disconnected: new Histogram(),
  };

  readonly observe = (event: EventName, durationMs: number): void => {
    this.#histograms[event].observe(durationMs / 1000);
  };

  counts(): UpstreamCounts["durations"] {
    const entries = Object.entries(this.#histograms);
    return Object.fromEntries(entries.map(([event, histogram]) => [event, histogram.counts()]));
  }
}
