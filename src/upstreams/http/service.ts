/**
 * The service's address, and the keep-alive connections to it: one request at a time on each, the
 * last one used first, none older than its age. It bounds the time and size of every answer and
 * judges none; how many requests there are at once is its caller's to bound.
 *
 * Single clients and not undici's Pool: a Pool looks through all its clients for every request, and
 * a request that still waits for its connection cannot be broken off in one; a client can.
 */
import assert from "node:assert/strict";
import type { Dispatcher } from "undici";
import { Client } from "undici";
import type { HubLimits } from "../../config/configuration.ts";
import type { AnswerHeaders, Outcome } from "../cloudevents/outcome.ts";
import type { Agenda } from "../delivery/agenda.ts";
import { nowMs } from "../delivery/agenda.ts";

export type ServiceLimits = Pick<
  HubLimits,
  | "serviceConnectTimeoutMs"
  | "serviceTimeoutMs"
  | "serviceResponseBytesMax"
  | "serviceConnectionAgeMs"
>;

/**
 * Of an answer: a connection state of 64 KiB, each byte of it percent-encoded, and all else. What
 * is longer than the hub allows has to be read to be refused.
 */
const HEADER_BYTES_MAX = 256 << 10;
const EMPTY = Buffer.alloc(0);

export class Service {
  /** For people: without credentials and query, which may hold a secret. */
  readonly name: string;
  readonly #origin: string;
  readonly #path: string;
  readonly #limits: ServiceLimits;
  readonly #agenda: Agenda;
  /** Without a request; the last one used at the end. */
  readonly #free: Connection[] = [];
  readonly #busy = new Set<Connection>();
  #closed = false;

  constructor(url: string, limits: ServiceLimits, agenda: Agenda) {
    const { origin, pathname, search } = new URL(url);
    this.name = `${origin}${pathname}`;
    this.#origin = origin;
    this.#path = `${pathname}${search}`;
    this.#limits = limits;
    this.#agenda = agenda;
  }

  get connections(): number {
    return this.#free.length + this.#busy.size;
  }

  /** Never rejects for what a service or the network does. */
  async exchange(
    method: "POST" | "OPTIONS",
    headers: readonly string[],
    body: Uint8Array | null,
    deadlineMs: number,
    responseBytesMax = this.#limits.serviceResponseBytesMax,
  ): Promise<Outcome> {
    if (this.#closed) return { kind: "none", reached: true, cause: "the gateway is closing" };
    const connection = this.#take();
    this.#busy.add(connection);
    const request = { path: this.#path, method, headers: [...headers], body };
    const outcome = await connection.send(request, responseBytesMax, deadlineMs);
    this.#busy.delete(connection);
    if (outcome.kind === "none" || outcome.tooBig || this.#closed) connection.destroy();
    else this.#free.push(connection);
    // What we broke off ourselves tells nothing of the service.
    if (this.#closed && outcome.kind === "none") return { ...outcome, reached: true };
    return outcome;
  }

  /** Breaks off what is in flight. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#free.splice(0)) connection.destroy();
    for (const connection of this.#busy) connection.destroy();
  }

  #take(): Connection {
    for (let free = this.#free.pop(); free !== undefined; free = this.#free.pop()) {
      if (!free.isOlderThan(this.#limits.serviceConnectionAgeMs)) return free;
      free.destroy();
    }
    return new Connection(this.#origin, this.#limits, this.#agenda, (idle) => this.#forget(idle));
  }

  /** A service may close a connection that waits for its next request. */
  #forget(connection: Connection): void {
    const index = this.#free.indexOf(connection);
    if (index < 0) return;
    this.#free.splice(index, 1);
    connection.destroy();
  }
}

class Connection {
  readonly #client: Client;
  readonly #agenda: Agenda;
  #connectedAtMs: number | undefined;

  constructor(
    origin: string,
    limits: ServiceLimits,
    agenda: Agenda,
    disconnected: (connection: Connection) => void,
  ) {
    this.#agenda = agenda;
    this.#client = new Client(origin, {
      connectTimeout: Math.min(limits.serviceConnectTimeoutMs, limits.serviceTimeoutMs),
      // One deadline over the whole exchange takes their place: a service that sends a byte now
      // and then would never meet a timeout that starts anew with each of them.
      headersTimeout: 0,
      bodyTimeout: 0,
      pipelining: 1,
      maxHeaderSize: HEADER_BYTES_MAX,
    });
    this.#client.on("connect", () => {
      this.#connectedAtMs = nowMs();
    });
    this.#client.on("disconnect", () => disconnected(this));
  }

  /** 0 is no limit. */
  isOlderThan(ageMs: number): boolean {
    if (ageMs === 0 || this.#connectedAtMs === undefined) return false;
    return nowMs() - this.#connectedAtMs >= ageMs;
  }

  send(
    request: Omit<Dispatcher.DispatchOptions, "origin">,
    bytesMax: number,
    deadlineMs: number,
  ): Promise<Outcome> {
    return new Promise((resolve) => {
      const collector = new Collector(bytesMax, (outcome) => {
        this.#agenda.cancel(deadline);
        resolve(outcome);
      });
      const deadline = this.#agenda.at(deadlineMs, () => {
        // Of a service that cannot be reached the connection's own timeout tells.
        collector.fail("no answer in time", true);
        this.destroy();
      });
      this.#client.dispatch(request, collector);
    });
  }

  destroy(): void {
    void this.#client.destroy();
  }
}

/** Gathers one answer, and settles once. */
class Collector implements Dispatcher.DispatchHandler {
  readonly #bytesMax: number;
  readonly #settle: (outcome: Outcome) => void;
  #reached = false;
  #settled = false;
  #status = 0;
  #headers: AnswerHeaders = {};
  /** One chunk as it came, or room for several; the first `#bytes` of it are the answer. */
  #body: Buffer = EMPTY;
  #bytes = 0;
  #tooBig = false;

  constructor(bytesMax: number, settle: (outcome: Outcome) => void) {
    this.#bytesMax = bytesMax;
    this.#settle = settle;
  }

  /** Called when a connection stands and the request goes out on it. */
  onRequestStart(): void {
    this.#reached = true;
  }

  /** Also called for informational answers (1xx): the last one counts. */
  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: AnswerHeaders,
  ): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#bytes + chunk.length <= this.#bytesMax) {
      this.#keep(chunk);
      return;
    }
    this.#tooBig = true;
    this.#body = EMPTY;
    this.#bytes = 0;
    this.#answer();
    controller.abort(new Error("the answer is too big"));
  }

  onResponseEnd(): void {
    this.#answer();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    assert.notEqual((error as NodeJS.ErrnoException).code, "UND_ERR_INVALID_ARG", error.message);
    this.fail(describe(error), this.#reached);
  }

  fail(cause: string, reached: boolean): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#settle({ kind: "none", reached, cause });
  }

  /** In one piece: a list of chunks of a byte each would take a hundred times their bytes. */
  #keep(chunk: Buffer): void {
    const before = this.#bytes;
    this.#bytes += chunk.length;
    if (before === 0) {
      this.#body = chunk;
      return;
    }
    if (this.#bytes > this.#body.length) {
      const room = Buffer.allocUnsafe(Math.min(2 * this.#bytes, this.#bytesMax));
      this.#body.copy(room, 0, 0, before);
      this.#body = room;
    }
    chunk.copy(this.#body, before);
  }

  #answer(): void {
    if (this.#settled) return;
    this.#settled = true;
    const body = this.#body.subarray(0, this.#bytes);
    const tooBig = this.#tooBig;
    this.#settle({
      kind: "answer",
      status: this.#status,
      headers: this.#headers,
      body,
      tooBig,
    });
  }
}

function describe(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  // Several addresses were tried: the message of the whole is empty.
  const message = error.message === "" ? "no address of it answers" : error.message;
  return code === undefined || message.includes(code) ? message : `${code}: ${message}`;
}
