/**
 * Events that were given up: counted by kind for the metrics, and logged, at most a line a second
 * for each reason. It decides about none of them.
 */
import { zeros } from "../../metrics/worker-counts.ts";
import type { QueuedEvent } from "./lane.ts";
import type { QuietLog } from "./quiet-log.ts";

export type DroppedEvents = Record<QueuedEvent["name"], number>;

const sentences = {
  "service-unavailable": "events were dropped: the service was not there for the hold time",
  "service-error": "events were dropped: the service failed too often",
  "service-refused": "events were dropped: the service refused one of them",
  "message-too-big": "events were dropped: one of them is longer than its carrier can take",
  "client-closed": "events were dropped: their client is being closed for the service's failure",
  "queue-full": "events were dropped: lifecycleQueueMax of their kind are waiting",
  "gateway-stopping": "events were dropped: the gateway stopped before the service took them",
} as const;

export type LossReason = keyof typeof sentences;

export class Losses {
  readonly dropped: DroppedEvents = { connected: 0, message: 0, disconnected: 0 };
  /** Of those the messages, by the reason; these are never too many for a queue. */
  readonly abandoned = zeros(Object.keys(sentences).filter((reason) => reason !== "queue-full"));
  readonly #log: QuietLog;
  readonly #fields: object;

  constructor(log: QuietLog, fields: object) {
    this.#log = log;
    this.#fields = fields;
  }

  add(name: QueuedEvent["name"], reason: LossReason, details: object, count = 1): void {
    this.dropped[name] += count;
    if (name === "message") this.abandoned[reason] = (this.abandoned[reason] ?? 0) + count;
    this.#log.say(
      "warn",
      { ...this.#fields, event: name, reason, ...details },
      sentences[reason],
      count,
    );
  }
}
