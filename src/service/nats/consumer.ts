/**
 * The durable consumer through which a service takes its events out of the stream: created where
 * there is none, and otherwise checked for what order and redelivery rest on, never changed.
 */
import {
  AckPolicy,
  type Consumer,
  type ConsumerConfig,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { HeadgateError } from "../../core/error.ts";
import { covers } from "../../upstreams/nats/subjects.ts";

export interface ConsumerPlan {
  stream: string;
  durable: string;
  /** Of the hub's events that are stored. */
  filters: readonly string[];
  /** All that must come through it. */
  subjects: readonly string[];
  /** What is acknowledged without being ours must still be there for others. */
  takesAll: boolean;
  eventsMax: number;
  ackWaitMs: number;
}

export interface Durable {
  consumer: Consumer;
  ackWaitMs: number;
}

const NANOSECONDS = 1_000_000;
const ACK_WAIT_MS_MIN = 1000;
const MISSING = "there is no stream";

/** Undefined while there is no stream: the gateway creates it when it comes. */
export async function openConsumer(
  connection: NatsConnection,
  plan: ConsumerPlan,
): Promise<Durable | undefined> {
  const { durable, stream } = plan;
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const filters = hasManyFilters(connection) ? plan.filters : undefined;
  const streamFault = await judgeStream(manager, plan, filters !== undefined);
  if (streamFault === MISSING) return undefined;
  if (streamFault !== undefined) throw unfit(plan, streamFault);
  const config = await findOrAdd(manager, plan, filters);
  if (config === undefined) return undefined;
  const fault = findFault(config, plan);
  if (fault !== undefined) throw unfit(plan, fault);
  const consumer = await jetstream(connection).consumers.get(stream, durable);
  return { consumer, ackWaitMs: (config.ack_wait ?? 0) / NANOSECONDS };
}

/**
 * Servers before 2.10 know one filter, within one subject of the stream: there a consumer brings
 * all of the stream, and what is not ours is acknowledged.
 */
function hasManyFilters({ info }: NatsConnection): boolean {
  const [major = 0, minor = 0] = (info?.version ?? "").split(".").map(Number);
  return major > 2 || (major === 2 && minor >= 10);
}

async function judgeStream(
  manager: JetStreamManager,
  plan: ConsumerPlan,
  isFiltered: boolean,
): Promise<string | undefined> {
  try {
    const { config } = await manager.streams.info(plan.stream);
    if (config.retention !== RetentionPolicy.Workqueue) return undefined;
    if (plan.takesAll && isFiltered) return undefined;
    return (
      "the stream forgets what one consumer has acknowledged (workqueue), and this one gets " +
      "others' events too; give the stream limits, or this service all partitions and NATS 2.10"
    );
  } catch (error) {
    if (codeOf(error) === JetStreamApiCodes.StreamNotFound) return MISSING;
    throw describe(error, plan);
  }
}

async function findOrAdd(
  manager: JetStreamManager,
  plan: ConsumerPlan,
  filters: readonly string[] | undefined,
): Promise<ConsumerConfig | undefined> {
  const { ackWaitMs, durable, eventsMax, stream } = plan;
  try {
    return (await manager.consumers.info(stream, durable)).config;
  } catch (error) {
    const code = codeOf(error);
    if (code === JetStreamApiCodes.StreamNotFound) return undefined;
    if (code !== JetStreamApiCodes.ConsumerNotFound) throw describe(error, plan);
  }
  try {
    const added = await manager.consumers.add(stream, {
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      ack_wait: ackWaitMs * NANOSECONDS,
      max_ack_pending: eventsMax,
      ...(filters === undefined ? {} : { filter_subjects: [...filters] }),
    });
    return added.config;
  } catch (error) {
    if (codeOf(error) === JetStreamApiCodes.StreamNotFound) return undefined;
    throw describe(error, plan);
  }
}

/** What is wrong with one that is there and what to do, or undefined. */
function findFault(config: ConsumerConfig, { filters, subjects }: ConsumerPlan) {
  if (config.deliver_subject) return "it pushes, and events are pulled; create it without a target";
  if (config.ack_policy !== AckPolicy.Explicit) {
    return `its acknowledgements are "${config.ack_policy}" and must be "explicit"`;
  }
  if ((config.ack_wait ?? 0) < ACK_WAIT_MS_MIN * NANOSECONDS) {
    return "it waits less than a second for an acknowledgement; make that longer";
  }
  const given = config.filter_subjects ?? [config.filter_subject || ">"];
  const missing = subjects.find((subject) => !given.some((each) => covers(each, subject)));
  if (missing === undefined) return undefined;
  return `it leaves out ${missing}; filter by ${filters.join(", ")}`;
}

function unfit({ durable, stream }: ConsumerPlan, fault: string): HeadgateError {
  const sentence = `The consumer "${durable}" of the stream "${stream}" does not fit: ${fault}.`;
  return new HeadgateError("HG_NATS_CONSUMER_UNFIT", sentence);
}

function codeOf(error: unknown): number | undefined {
  return error instanceof JetStreamApiError ? error.code : undefined;
}

function describe(cause: unknown, { durable, stream }: ConsumerPlan): unknown {
  if (cause instanceof Error && cause.name === "JetStreamNotEnabled") {
    const sentence =
      "JetStream is not enabled on the NATS server, or not for this account; enable it, or leave " +
      "jetStream out and set delivery: at-most-once in the gateway.";
    return new HeadgateError("HG_NATS_JETSTREAM_OFF", sentence, { cause });
  }
  if (!(cause instanceof JetStreamApiError)) return cause;
  return new HeadgateError(
    "HG_NATS_CONSUMER_REFUSED",
    `The consumer "${durable}" of the stream "${stream}" cannot be had: ${cause.message}. Create ` +
      "it yourself, or allow this service's user to.",
    { cause },
  );
}
