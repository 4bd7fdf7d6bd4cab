/**
 * The connect events over NATS: each a request, asked once and never again, for a client waits.
 * What the answer says is judged as over HTTP. How many there are is the gateway's to bound.
 */
import type { Msg } from "@nats-io/transport-node";
import { errors } from "@nats-io/transport-node";
import type { ConnectRules } from "../cloudevents/connect.ts";
import {
  connectEvent,
  judgeConnect,
  reportVerdict,
  traceHeaders,
  unavailable,
  writeConnectBody,
} from "../cloudevents/connect.ts";
import type { Sender } from "../cloudevents/headers.ts";
import type { Outcome } from "../cloudevents/outcome.ts";
import { nowMs } from "../delivery/agenda.ts";
import type { EventIds } from "../delivery/event.ts";
import type { QuietLog } from "../delivery/quiet-log.ts";
import type { ConnectAnswer, ConnectRequest } from "../upstream.ts";
import type { NatsClient } from "./client.ts";
import { causeOf } from "./client.ts";
import { readHeaders, writeEventHeaders } from "./headers.ts";
import { isAcknowledgement } from "./stream-acknowledgement.ts";

export interface ConnectsParts {
  client: NatsClient;
  subject: string;
  sender: Sender;
  ids: EventIds;
  rules: Omit<ConnectRules, "subprotocols">;
  serviceResponseBytesMax: number;
  log: QuietLog;
  fields: object;
  observe: (event: "connect", durationMs: number) => void;
  /** One is over. */
  wake: () => void;
}

const STATUS = /^[2-5]\d\d$/;

export class Connects {
  inflight = 0;
  isClosing = false;
  readonly #parts: ConnectsParts;

  constructor(parts: ConnectsParts) {
    this.#parts = parts;
  }

  async ask(request: ConnectRequest, timeoutMs: number): Promise<ConnectAnswer> {
    const { fields, log, observe, rules, wake } = this.#parts;
    const { subprotocols } = request;
    this.inflight += 1;
    const startMs = nowMs();
    const outcome = await this.#exchange(request, timeoutMs);
    this.inflight -= 1;
    observe("connect", nowMs() - startMs);
    const verdict =
      typeof outcome === "string"
        ? unavailable(outcome)
        : judgeConnect(outcome, { ...rules, subprotocols });
    wake();
    return reportVerdict(verdict, log, { ...fields, connectionId: request.connectionId });
  }

  /** A sentence where there is no answer, or none that can be one. */
  async #exchange(request: ConnectRequest, timeoutMs: number): Promise<Outcome | string> {
    const { client, ids, sender, subject, serviceResponseBytesMax } = this.#parts;
    const connection = client.ready;
    if (this.isClosing) return "the gateway is closing";
    if (connection === undefined) return "there is no connection to NATS";
    const body = writeConnectBody(request);
    const { event, facts } = connectEvent(request, ids.next(), body);
    const headers = writeEventHeaders(event, facts, sender, undefined, traceHeaders(request));
    try {
      const answer = await connection.request(subject, body, { timeout: timeoutMs, headers });
      return outcomeOf(answer, serviceResponseBytesMax);
    } catch (error) {
      return describeFailure(error, subject);
    }
  }
}

/** The answer as one over HTTP would be; its status is a header, 200 without one. */
export function outcomeOf(
  answer: Pick<Msg, "headers" | "data">,
  bytesMax: number,
): Outcome | string {
  const headers = readHeaders(answer);
  if (headers === undefined) return "a header of the answer has a name that none may have";
  const body = Buffer.from(answer.data.buffer, answer.data.byteOffset, answer.data.length);
  if (headers.size === 0 && isAcknowledgement(body)) {
    return "a stream stores connect events and answers them; take their subject out of it";
  }
  const named = headers.get("headgate-status") ?? headers.get("nats-service-error-code");
  const status = named === undefined ? "200" : named.join();
  if (!STATUS.test(status)) return `headgate-status is "${status}", and must be 200 to 599`;
  const read: Record<string, string> = {};
  for (const name of ["content-type", "ce-connectionstate"]) {
    const values = headers.get(name);
    if (values === undefined) continue;
    if (values.length > 1) return `${name} stands in it more than once`;
    read[name] = values[0] as string;
  }
  const tooBig = body.length > bytesMax;
  return { kind: "answer", status: Number(status), headers: read, body, tooBig };
}

function describeFailure(error: unknown, subject: string): string {
  if (error instanceof errors.RequestError && error.isNoResponders()) {
    return `no service answers on ${subject}`;
  }
  if (error instanceof errors.TimeoutError) return "no service answered in time";
  return causeOf(error);
}
