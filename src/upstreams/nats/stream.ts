/**
 * The JetStream stream that events are stored in: created where there is none, and otherwise
 * checked for all that the promise of delivery rests on. It never changes a stream that is there.
 */
import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  jetstreamManager,
  RetentionPolicy,
  type StreamConfig,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import type { HubLimits, NatsServiceConfiguration } from "../../config/configuration.ts";
import { HeadgateError } from "../../core/error.ts";
import { causeOf } from "./client.ts";
import { isNobodyThere } from "./outgoing.ts";
import { covers, Subjects } from "./subjects.ts";

export interface StreamPlan {
  stream: string;
  prefix: string;
  /** Every subject of the hub that it must store. */
  stored: readonly string[];
  /** That it must not: the server would answer the question itself. */
  connect: string;
  /** From an event's first attempt to its last. */
  longestRetryMs: number;
  /** The longest of these of all hubs that share it: whichever comes first creates it for all. */
  sharedRetryMs: number;
  timeoutMs: number;
}

/** What is asked of it. */
export type StreamFacts = Pick<StreamConfig, "subjects" | "no_ack" | "duplicate_window">;

const NANOSECONDS = 1_000_000;
const DUPLICATE_WINDOW_MS = 120_000;
const AGE_MS_MAX = 24 * 3_600_000;
const BYTES_MAX = 1024 ** 3;

export function planFor(
  hub: string,
  { prefix, stream }: NatsServiceConfiguration,
  limits: HubLimits,
  sharedRetryMs = 0,
): StreamPlan {
  const { connect, events } = new Subjects(prefix, hub);
  const longestRetryMs = limits.holdTimeoutMs + limits.serviceTimeoutMs;
  // To be connected includes it: recovery is not to wait for an answer that stays out.
  const timeoutMs = limits.serviceConnectTimeoutMs;
  const shared = Math.max(longestRetryMs, sharedRetryMs);
  const subjects = { stored: events, connect };
  return { stream, prefix, ...subjects, longestRetryMs, sharedRetryMs: shared, timeoutMs };
}

export async function prepareStream(connection: NatsConnection, plan: StreamPlan): Promise<void> {
  const facts = await readStream(connection, plan);
  const fault = findFault(facts, plan);
  if (fault === undefined) return;
  const sentence = `the stream "${plan.stream}" does not fit: ${fault}`;
  throw new HeadgateError("HG_NATS_STREAM_UNFIT", sentence);
}

/** What is wrong with it and what to do, or undefined. */
export function findFault(facts: StreamFacts, plan: StreamPlan): string | undefined {
  const subjects = facts.subjects ?? [];
  const missing = plan.stored.find((subject) => !subjects.some((each) => covers(each, subject)));
  if (missing !== undefined) {
    const wanted = subjectsFor(plan.prefix).join(", ");
    return `it does not store ${missing}; give it the subjects ${wanted}`;
  }
  const greedy = subjects.find((each) => covers(each, plan.connect));
  if (greedy !== undefined) {
    const wanted = subjectsFor(plan.prefix).join(", ");
    return `its subject ${greedy} takes connect events too; list ${wanted} instead`;
  }
  if (facts.no_ack) return "it acknowledges nothing (no_ack); switch that off";
  const windowMs = (facts.duplicate_window ?? 0) / NANOSECONDS;
  if (windowMs > plan.longestRetryMs) return undefined;
  return (
    `its duplicate window is ${windowMs} ms, and an event may be sent again after ` +
    `${plan.longestRetryMs} ms (holdTimeoutMs and serviceTimeoutMs); make the window longer`
  );
}

/** For all hubs with that prefix. */
function subjectsFor(prefix: string): string[] {
  return ["connected", "message.*", "disconnected"].map((rest) => `${prefix}.event.*.${rest}`);
}

async function readStream(connection: NatsConnection, plan: StreamPlan): Promise<StreamFacts> {
  const { stream, timeoutMs } = plan;
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: timeoutMs });
  try {
    return (await manager.streams.info(stream)).config;
  } catch (error) {
    const isMissing =
      error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;
    if (!isMissing) throw describeFailure(error, stream);
  }
  try {
    const duplicateWindowMs = Math.max(DUPLICATE_WINDOW_MS, 2 * plan.sharedRetryMs);
    const added = await manager.streams.add({
      name: stream,
      subjects: subjectsFor(plan.prefix),
      retention: RetentionPolicy.Limits,
      // What is full refuses the newest, which is held; the oldest would be lost in silence.
      discard: DiscardPolicy.New,
      max_age: Math.max(AGE_MS_MAX, duplicateWindowMs) * NANOSECONDS,
      max_bytes: BYTES_MAX,
      duplicate_window: duplicateWindowMs * NANOSECONDS,
    });
    return added.config;
  } catch (error) {
    throw describeFailure(error, stream);
  }
}

function describeFailure(error: unknown, stream: string): unknown {
  if (isNobodyThere(error)) {
    const sentence =
      "JetStream is not enabled on the NATS server, or not for this account; enable it, or set " +
      "delivery: at-most-once";
    return new HeadgateError("HG_NATS_JETSTREAM_OFF", sentence, { cause: error });
  }
  if (error instanceof JetStreamApiError) {
    const sentence =
      `the stream "${stream}" cannot be had (${causeOf(error)}); create it yourself, or name ` +
      "another in service.stream";
    return new HeadgateError("HG_NATS_STREAM_REFUSED", sentence, { cause: error });
  }
  const sentence = `the stream "${stream}" could not be asked about (${causeOf(error)})`;
  return new HeadgateError("HG_NATS_STREAM_UNKNOWN", sentence, { cause: error });
}
