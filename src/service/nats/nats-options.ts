/**
 * What `overNats` is called with: the options, and what is said of those that make no sense. A
 * program without types may give anything, and one whose `jetStream` has another name would be
 * over core NATS and lose what it means to keep.
 */
import type { NatsConnection } from "@nats-io/transport-node";
import { HeadgateError } from "../../core/error.ts";
import { PARTITIONS } from "../../upstreams/nats/subjects.ts";
import { findUnknown } from "../option-names.ts";

export interface JetStreamOptions {
  /**
   * The durable consumer that keeps this service's place in the stream: created where there is
   * none, beginning with the oldest event. Each instance has its own, but for `isShared`.
   */
  durable: string;
  /** As the gateway's `service.stream`. Default: "headgate". */
  stream?: string;
  /** Instances that have the same durable share its events, and give up their order. */
  isShared?: boolean;
  /** After so long the server brings again what an instance that died had. Default: 5,000. */
  ackWaitMs?: number;
}

export interface NatsOptions {
  /** What subjects begin with, as the gateway's `service.prefix`. Default: "headgate". */
  prefix?: string;
  /**
   * Of the 16, those whose connections are this instance's: each is for one instance, so that
   * order is kept. Default: all.
   */
  partitions?: readonly number[];
  /** Core NATS: instances with the same one share all events, and give up their order. */
  queue?: string;
  /** Events come out of a stream, at least once; without it over core NATS, at most once. */
  jetStream?: JetStreamOptions;
  /** Events that may be under way: 10,000, or 1,000 of a consumer that is created. */
  eventsMax?: number;
  /** Core NATS: bytes of events that may be under way. Default: 64 MiB. */
  bytesMax?: number;
}

export const ACK_WAIT_MS = 5000;

const PREFIX = /^[\w-]+(?:\.[\w-]+)*$/;
const NAME = /^[^\s.*>/\\]+$/;

const OPTION_NAMES: Record<keyof NatsOptions, true> = {
  ...{ prefix: true, partitions: true, queue: true, jetStream: true },
  ...{ eventsMax: true, bytesMax: true },
};
const JET_STREAM_NAMES: Record<keyof JetStreamOptions, true> = {
  ...{ durable: true, stream: true, isShared: true, ackWaitMs: true },
};

/** Throws a HeadgateError with the code HG_SERVICE_OPTIONS. */
export function checkOptions(connection: NatsConnection, options: NatsOptions): void {
  if (typeof connection?.isClosed !== "function") {
    wrong("its connection must be what connect of @nats-io/transport-node resolves with; await it");
  }
  if (connection.isClosed()) wrong("the connection is closed; make another one");
  refuseUnknown("", options, OPTION_NAMES);
  const { bytesMax, eventsMax, jetStream, partitions, prefix, queue } = options;
  if (prefix !== undefined && !PREFIX.test(prefix)) {
    wrong(`prefix is "${prefix}", and must be as service.prefix of the gateway`);
  }
  for (const partition of partitions ?? []) {
    if (Number.isInteger(partition) && partition >= 0 && partition < PARTITIONS) continue;
    wrong(`${partition} is no partition; they are 0 to ${PARTITIONS - 1}`);
  }
  if (partitions?.length === 0) wrong("an instance without partitions gets nothing");
  const numbers = { bytesMax, eventsMax, "jetStream.ackWaitMs": jetStream?.ackWaitMs };
  for (const [name, value] of Object.entries(numbers)) {
    if (value === undefined || (Number.isInteger(value) && value > 0 && value < 2 ** 31)) continue;
    wrong(`${name} is ${value}, and must be a whole number above 0`);
  }
  const isShared = queue !== undefined || jetStream?.isShared === true;
  if (partitions !== undefined && isShared) {
    wrong("partitions keep the order, and a queue or isShared gives it up; choose one");
  }
  if (jetStream !== undefined) checkJetStream(jetStream, options);
}

function checkJetStream(jetStream: JetStreamOptions, { bytesMax, queue }: NatsOptions): void {
  refuseUnknown("jetStream.", jetStream, JET_STREAM_NAMES);
  if (queue !== undefined) wrong("queue is for core NATS; with JetStream say isShared");
  if (bytesMax !== undefined) wrong("bytesMax is for core NATS; with JetStream set eventsMax");
  if (!NAME.test(jetStream.durable ?? "")) {
    wrong("jetStream.durable must be the name of a consumer, without dots and spaces");
  }
  if ((jetStream.ackWaitMs ?? ACK_WAIT_MS) < 1000)
    wrong("jetStream.ackWaitMs must be 1,000 or more");
  const { stream } = jetStream;
  if (stream !== undefined && !NAME.test(stream)) {
    wrong("jetStream.stream must be the name of a stream, without dots and spaces");
  }
}

function refuseUnknown(where: string, options: object, names: Record<string, true>): void {
  const fault = findUnknown(where, options, names);
  if (fault !== undefined) wrong(fault);
}

function wrong(what: string): never {
  throw new HeadgateError("HG_SERVICE_OPTIONS", `overNats: ${what}.`);
}
