/**
 * What goes to the service in one request, and how its answer is taken apart again; here with one
 * event in each, as CloudEvents in HTTP's binary mode. It sends nothing and moves no lane.
 */
import assert from "node:assert/strict";
import type { Sender } from "../cloudevents/headers.ts";
import { writeHeaders } from "../cloudevents/headers.ts";
import type { Outcome } from "../cloudevents/outcome.ts";
import type { Lane, QueuedEvent } from "../delivery/lane.ts";
import type { Verdict } from "../delivery/verdict.ts";
import { judgeMessage, judgeNotice } from "./answer.ts";

export interface Shipment {
  /** The lanes whose first events it holds, lane after lane. */
  readonly lanes: readonly Lane[];
  /** Of each of them how many. */
  readonly counts: readonly number[];
  /** Of all of the events. */
  readonly ids: readonly string[];
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** What the answer says of an event: `position` counts all of the shipment's from 0. */
export type Judge = (event: QueuedEvent, position: number) => Verdict;

export interface Packer {
  /** How many shipments may be under way; those of a service are bounded besides. */
  readonly inflightMax: number;
  /** Whether it is worth to wait for what else this iteration of the event loop brings. */
  readonly gathers: boolean;
  /** How many times `serviceResponseBytesMax` an answer may have. */
  readonly answersMax: number;
  /** `ready` holds one lane at the least. */
  pack(ready: Iterable<Lane>): Shipment;
  judge(shipment: Shipment, outcome: Outcome): Judge;
}

export class SinglePacker implements Packer {
  readonly inflightMax = Number.POSITIVE_INFINITY;
  readonly gathers = false;
  readonly answersMax = 1;
  readonly #sender: Sender;
  readonly #connectionStateBytesMax: number;

  constructor(sender: Sender, connectionStateBytesMax: number) {
    this.#sender = sender;
    this.#connectionStateBytesMax = connectionStateBytesMax;
  }

  pack(ready: Iterable<Lane>): Shipment {
    const [lane] = ready;
    const event = lane?.events[0];
    assert(lane !== undefined && event !== undefined);
    const headers = writeHeaders(event, lane.facts, this.#sender, Date.now());
    return { lanes: [lane], counts: [1], ids: [event.id], headers, body: event.body };
  }

  judge(_shipment: Shipment, outcome: Outcome): Judge {
    return (event) =>
      event.name === "message"
        ? judgeMessage(outcome, this.#connectionStateBytesMax)
        : judgeNotice(outcome);
  }
}
