/**
 * An event of a lane as what is published for it, and what an error of publishing means for the
 * event. It publishes nothing.
 */
import { JetStreamApiError } from "@nats-io/jetstream";
import type { MsgHdrs } from "@nats-io/transport-node";
import { errors } from "@nats-io/transport-node";
import type { Sender } from "../cloudevents/headers.ts";
import type { Lane, QueuedEvent } from "../delivery/lane.ts";
import { KEPT, type Verdict } from "../delivery/verdict.ts";
import { causeOf } from "./client.ts";
import { writeEventHeaders } from "./headers.ts";
import type { Subjects } from "./subjects.ts";

export interface Outgoing {
  subject: string;
  headers: MsgHdrs;
  /** Where the client of a message can be answered. */
  replyTo: string;
  body: Uint8Array;
}

export const PUBLISHED: Verdict = { kind: "done", reply: undefined, stateChange: KEPT };

/** Of a stream with max_msg_size: it will be too large for ever. */
const MESSAGE_TOO_LARGE = 10_054;

export function outgoingOf(
  event: QueuedEvent,
  { facts }: Lane,
  subjects: Subjects,
  sender: Sender,
): Outgoing {
  const replyTo = subjects.replyTo(facts.connectionId);
  const subject =
    event.name === "message" ? subjects.message(facts.connectionId) : subjects[event.name];
  // Of a client that has gone there is nothing to be said to it.
  const shown = event.name === "disconnected" ? undefined : replyTo;
  const headers = writeEventHeaders(event, facts, sender, shown);
  return { subject, headers, replyTo, body: event.body };
}

export function judgeError(error: unknown): Exclude<Verdict, { kind: "done" }> {
  const isUnsendable = error instanceof errors.InvalidArgumentError;
  const cause = causeOf(error);
  // The library's word for what is longer than the server takes, headers included.
  if (isUnsendable && cause.includes("max_payload")) return { kind: "too-big", cause };
  if (isUnsendable) return { kind: "refused", cause };
  if (error instanceof JetStreamApiError && error.code === MESSAGE_TOO_LARGE) {
    return { kind: "too-big", cause };
  }
  return { kind: "held", reached: true, retryAfterMs: undefined, cause };
}

/** Nothing stores what was published: the stream is gone, or JetStream is. Its class is hidden. */
export function isNobodyThere(error: unknown): boolean {
  return error instanceof Error && error.name === "JetStreamNotEnabled";
}
