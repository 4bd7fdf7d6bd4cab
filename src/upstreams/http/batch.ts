/**
 * Several events in one request: of as many connections as wait, and of each as many as wait, in
 * their order. An event whose batch failed comes with fewer others next, or alone, so that one that
 * a service cannot take does not cost others their connections.
 */
import type { HubLimits } from "../../config/configuration.ts";
import type { Sender } from "../cloudevents/headers.ts";
import type { Outcome } from "../cloudevents/outcome.ts";
import { describeStatus, isSuccess, TOO_BIG } from "../cloudevents/outcome.ts";
import { signEvent } from "../cloudevents/signature.ts";
import type { Lane, QueuedEvent } from "../delivery/lane.ts";
import type { QuietLog } from "../delivery/quiet-log.ts";
import type { BatchFault } from "./batch-answer.ts";
import { BatchAnswers } from "./batch-answer.ts";
import { BatchBody, beginOf, writeEvent } from "./batch-body.ts";
import { BatchSize } from "./batch-size.ts";
import type { Judge, Packer, Shipment } from "./shipment.ts";

/** To a whole batch: it may be more than the service, or what stands before it, can take. */
const TOO_MUCH = new Set([413, 502, 503, 504]);

const BATCH_TYPE = "application/cloudevents-batch+json; charset=utf-8";

/** A batch has its signature over these: what stands in headers otherwise is in its body. */
const NO_ATTRIBUTES = { id: "", type: "", source: "", userId: "", connectionState: "" };

const SHRUNK = "the service did not take a batch: the next ones have fewer events, until it does";

const sentences: Record<BatchFault, string> = {
  unusable: "the service's answer to a batch cannot be used: its events are tried again",
  unknown: "the service's answer to a batch has entries that are about none of its events",
  missing: "the service's answer to a batch lacks events: they are tried again",
  twice: "the service's answer to a batch has events twice: the first entry counts",
  wrong: "the service's answer to a batch has entries that cannot be used: they are failures",
};

export interface BatchPackerOptions {
  sender: Sender;
  log: QuietLog;
  /** What every line of the log says of the service. */
  fields: object;
  limits: Pick<
    HubLimits,
    "batchEventsMax" | "batchBytesMax" | "batchesInflightMax" | "serviceResponseBytesMax"
  >;
  connectionStateBytesMax: number;
}

export class BatchPacker implements Packer {
  readonly gathers = true;
  /** Answers in JSON are longer than what they hold, and there are many. */
  readonly answersMax = 4;
  readonly inflightMax: number;
  readonly #options: BatchPackerOptions;
  readonly #body: BatchBody;
  readonly #size: BatchSize;

  constructor(options: BatchPackerOptions) {
    this.#options = options;
    this.inflightMax = options.limits.batchesInflightMax;
    const { batchBytesMax, batchEventsMax, batchesInflightMax } = options.limits;
    this.#body = new BatchBody(batchBytesMax);
    this.#size = new BatchSize(batchEventsMax, batchesInflightMax);
  }

  pack(ready: Iterable<Lane>): Shipment {
    const { sender } = this.#options;
    const lanes: Lane[] = [];
    const counts: number[] = [];
    const ids: string[] = [];
    let eventsMax = this.#size.now;
    this.#body.begin();
    for (const lane of ready) {
      if (ids.length >= eventsMax) break;
      const laneMax = batchMaxOf(lane);
      if (ids.length >= laneMax) continue;
      eventsMax = Math.min(eventsMax, laneMax);
      // Of one whose first event failed with others only that one: so more of these get on.
      const laneEvents = laneMax === Number.POSITIVE_INFINITY ? lane.events.length : 1;
      const wanted = Math.min(eventsMax - ids.length, laneEvents);
      const count = this.#add(lane, wanted, ids);
      if (count > 0) {
        lanes.push(lane);
        counts.push(count);
      }
      if (count < wanted) break;
    }
    const body = this.#body.end();
    const headers = ["content-type", BATCH_TYPE, "webhook-request-origin", sender.origin];
    const [key] = sender.signingKeys;
    if (key !== undefined) {
      const seconds = Math.floor(Date.now() / 1000);
      headers.push("headgate-signature", signEvent(key, seconds, { ...NO_ATTRIBUTES, body }));
    }
    return { lanes, counts, ids, headers, body };
  }

  judge(shipment: Shipment, outcome: Outcome): Judge {
    this.#learn(shipment, outcome);
    const { connectionStateBytesMax, fields, limits, log } = this.#options;
    const { serviceResponseBytesMax: responseBytesMax } = limits;
    const report = (fault: BatchFault, cause: string) => {
      log.say("error", { ...fields, cause }, sentences[fault]);
    };
    const rules = { responseBytesMax, connectionStateBytesMax, report };
    const answers = new BatchAnswers(shipment.ids, outcome, rules);
    return (event, position) => answers.judge(event.name, position);
  }

  #learn({ ids, lanes }: Shipment, outcome: Outcome): void {
    const { fields, log } = this.#options;
    if (!isTooMuch(outcome)) {
      const isTaken = outcome.kind === "answer" && isSuccess(outcome.status);
      if (isTaken) this.#size.succeeded(ids.length);
      return;
    }
    const before = this.#size.now;
    const laneMax = this.#size.failed(ids.length);
    for (const lane of lanes) lane.batchMax = laneMax;
    const { now } = this.#size;
    if (now === before) return;
    const cause = causeOf(outcome);
    log.say("warn", { ...fields, events: ids.length, eventsMax: now, cause }, SHRUNK);
  }

  /** How many of the lane's first events found room. */
  #add({ events, facts }: Lane, wanted: number, ids: string[]): number {
    const begin = beginOf(facts, this.#options.sender);
    for (let index = 0; index < wanted; index += 1) {
      const event = events[index] as QueuedEvent;
      if (!this.#body.add(writeEvent(event, begin))) return index;
      ids.push(event.id);
    }
    return wanted;
  }
}

function batchMaxOf({ batchMax, events }: Lane): number {
  return (events[0] as QueuedEvent).failures > 0 ? 1 : batchMax;
}

function isTooMuch(outcome: Outcome): boolean {
  if (outcome.kind === "none") return outcome.reached;
  return outcome.tooBig || TOO_MUCH.has(outcome.status);
}

function causeOf(outcome: Outcome): string {
  if (outcome.kind === "none") return outcome.cause;
  return outcome.tooBig ? TOO_BIG : describeStatus(outcome.status);
}
