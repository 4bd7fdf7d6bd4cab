/**
 * Events over HTTP: consent, signatures, single events and batches, each request becoming one
 * answer. It reads no socket; servers and frameworks bring it whole bodies.
 */
import { HeadgateError } from "../../core/error.ts";
import { ConnectRequest } from "../connect-request.ts";
import { SHUTTING_DOWN } from "../fault.ts";
import type { Handlers, ServiceEvent, Taken } from "../handlers.ts";
import type { ConnectionLines } from "../lines.ts";
import { isBatchSigned, isEventSigned } from "../signature.ts";
import {
  type HttpAnswer,
  type HttpRequest,
  lastOfConnection,
  NOTHING,
  plain,
  rejected,
} from "./answer.ts";
import { answerBatch, parseBatch } from "./batch.ts";
import { readEvent, writeAnswer, writeConnectAnswer } from "./binary.ts";

export interface ServiceEventsOptions {
  hub: string;
  keys: readonly string[];
  /** Gateways whose events are wanted, by name, in lower case; undefined: all. */
  origins: readonly string[] | undefined;
  bodyBytesMax: number;
  requestsMax: number;
}

const BATCH_TYPE = /^application\/cloudevents-batch\+json\s*(?:;|$)/i;
const METHODS = "POST, OPTIONS";

export class ServiceEvents {
  readonly options: ServiceEventsOptions;
  readonly #handlers: Handlers;
  readonly #lines: ConnectionLines;
  #isClosing = false;
  #underWay = 0;
  readonly #idle: (() => void)[] = [];

  constructor(options: ServiceEventsOptions, handlers: Handlers, lines: ConnectionLines) {
    this.options = options;
    this.#handlers = handlers;
    this.#lines = lines;
  }

  /** What can be said before the body is read; undefined: read it and call `take`. */
  early(method: string, header: HttpRequest["header"]): HttpAnswer | undefined {
    if (method === "OPTIONS") return this.#consent(header("webhook-request-origin"));
    if (method !== "POST") return plain(405, "Events come as POST.", { allow: METHODS });
    if (this.#isClosing) return lastOfConnection(rejected(SHUTTING_DOWN));
    if (this.#underWay >= this.options.requestsMax) {
      const cause = `${this.options.requestsMax} requests are under way`;
      return rejected({ ...SHUTTING_DOWN, cause });
    }
    const length = Number(header("content-length") ?? 0);
    return length > this.options.bodyBytesMax ? this.tooLarge() : undefined;
  }

  tooLarge(): HttpAnswer {
    const limit = this.options.bodyBytesMax;
    const sentence = `The body has more than the ${limit} bytes that bodyBytesMax allows.`;
    this.#handlers.report(new HeadgateError("HG_BODY_TOO_LARGE", `${sentence} Raise it.`));
    return plain(413, sentence, { connection: "close" });
  }

  /** The body could not be read here; the gateway tries again. */
  failed(error: Error): HttpAnswer {
    this.#handlers.report(error);
    return plain(500, "The service could not read the event.");
  }

  async take(request: HttpRequest): Promise<HttpAnswer> {
    // It may have begun to close while the body came.
    const early = this.early(request.method, request.header);
    if (early !== undefined) return early;
    this.#underWay += 1;
    try {
      const answer = await this.#take(request);
      return this.#isClosing ? lastOfConnection(answer) : answer;
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  /** New events get 503 from now on; resolves when those under way are answered. */
  close(): Promise<void> {
    this.#isClosing = true;
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async #take(request: HttpRequest): Promise<HttpAnswer> {
    const { hub, keys } = this.options;
    const isBatch = BATCH_TYPE.test(request.header("content-type") ?? "");
    const isSigned = isBatch ? isBatchSigned : isEventSigned;
    if (keys.length > 0 && !isSigned(keys, request.header, request.body)) {
      return this.#refuse(401, "The event is not signed by a key of this service, or too old.");
    }
    if (isBatch) return this.#batch(request);
    if (request.header("ce-hub") !== hub) {
      return this.#refuse(400, `This service is for the hub "${hub}", as its hub option says.`);
    }
    const event = readEvent(request);
    if (typeof event === "string") return this.#refuse(400, `It is no event: ${event}.`);
    if (event instanceof ConnectRequest) {
      return writeConnectAnswer(await this.#handlers.connect(event));
    }
    return writeAnswer(await this.#inOrder(event));
  }

  /** What ran, should the same event be under way already. */
  #inOrder(event: ServiceEvent): Taken | Promise<Taken> {
    return this.#lines.run<Taken>(event.connectionId, event.id, () => {
      const outcome = this.#handlers.take(event);
      if (!(outcome instanceof Promise)) return { event, outcome };
      return outcome.then((settled) => ({ event, outcome: settled }));
    });
  }

  async #batch({ body }: HttpRequest): Promise<HttpAnswer> {
    const events = parseBatch(body);
    if (events === undefined) return this.#refuse(400, "The body is no batch of events.");
    const entries = await answerBatch(
      events,
      this.options.hub,
      (event) => this.#inOrder(event),
      () => this.#isClosing,
    );
    const headers = { "content-type": "application/json" };
    return { status: 200, headers, body: Buffer.from(JSON.stringify(entries)) };
  }

  #consent(origin: string | undefined): HttpAnswer {
    const { origins } = this.options;
    const allow = { allow: METHODS };
    if (origins === undefined) {
      const allowed = { "webhook-allowed-origin": origin ?? "*" };
      return { status: 200, headers: { ...allow, ...allowed }, body: NOTHING };
    }
    if (origin === undefined || !origins.includes(origin.toLowerCase())) {
      return plain(403, "The events of this gateway are not wanted.", allow);
    }
    const headers = { ...allow, "webhook-allowed-origin": origin };
    return { status: 200, headers, body: NOTHING };
  }

  #refuse(status: number, sentence: string): HttpAnswer {
    this.#handlers.report(new HeadgateError("HG_EVENT_REFUSED", sentence));
    return plain(status, sentence);
  }
}
