/**
 * A service that takes batches, for the tests of this folder: on the bench's own service, which
 * keeps requests, it keeps events, and answers each as the test says.
 */
import type { ServerResponse } from "node:http";
import type { Bench, BenchOptions, ReceivedRequest } from "./fixtures.test.helper.ts";
import { startBench } from "./fixtures.test.helper.ts";

export interface BatchEvent {
  id: string;
  type: string;
  eventname: string;
  connectionid: string;
  messagenumber?: number;
  connectionstate?: string;
  datacontenttype: string;
  data?: unknown;
  data_base64?: string;
}

export type Entry = Record<string, unknown>;

export interface BatchBench extends Bench {
  /** Each request's events. */
  batches: BatchEvent[][];
  /** One event's entry in the answer; undefined for none. */
  answer: (event: BatchEvent) => Entry | undefined;
  /** The answer as a whole; it answers each event unless set. */
  respond: (events: BatchEvent[], response: ServerResponse, request: ReceivedRequest) => void;
  events(): BatchEvent[];
  /** The texts of all messages in the order in which they came, redeliveries included. */
  texts(connectionId?: string): unknown[];
}

export function acknowledge({ id }: BatchEvent): Entry {
  return { id, status: 204 };
}

/** As services are to: nothing of a connection is taken behind an event of it that failed. */
export function answerEach(bench: BatchBench, events: BatchEvent[]): Entry[] {
  const failed = new Set<string>();
  return events.flatMap((event) => {
    if (failed.has(event.connectionid)) return [];
    const entry = bench.answer(event);
    if (entry === undefined || Number(entry.status) >= 300) failed.add(event.connectionid);
    return entry === undefined ? [] : [entry];
  });
}

export function respondJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

export async function startBatchBench(options: BenchOptions = {}): Promise<BatchBench> {
  const plain = await startBench({ ...options, batch: true });
  const bench: BatchBench = {
    ...plain,
    batches: [],
    answer: acknowledge,
    respond: (events, response) => respondJson(response, answerEach(bench, events)),
    events: () => bench.batches.flat(),
    texts: (connectionId) =>
      bench
        .events()
        .filter(({ eventname }) => eventname === "message")
        .filter((event) => connectionId === undefined || event.connectionid === connectionId)
        .map(({ data }) => data),
  };
  plain.service.respond = (request, response) => {
    const events = JSON.parse(request.text) as BatchEvent[];
    bench.batches.push(events);
    bench.respond(events, response, request);
  };
  return bench;
}
