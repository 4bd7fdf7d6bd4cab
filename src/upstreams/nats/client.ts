/**
 * The connection to the NATS servers of one hub: made, watched, and made again for ever. It is
 * ready only once `prepare` has succeeded, behind every reconnection too. What travels over it
 * is not known here.
 */
import type { ConnectionOptions, NatsConnection, Status } from "@nats-io/transport-node";
import { AuthorizationError, connect } from "@nats-io/transport-node";
import type { NatsServiceConfiguration } from "../../config/configuration.ts";
import { HeadgateError } from "../../core/error.ts";
import type { Log } from "../../core/log.ts";
import type { Agenda, Appointment } from "../delivery/agenda.ts";
import { nowMs } from "../delivery/agenda.ts";
import type { QuietLog } from "../delivery/quiet-log.ts";
import { backoffMs } from "../delivery/retry.ts";
import { connectionOptions } from "./connection-options.ts";

const RETRY_BASE_MS = 100;
/** With the time that a connection may take, recovery begins within 5 s. */
const RETRY_CAP_MS = 2000;
/** A server that answers nothing is given up after three of these. */
const PING_INTERVAL_MS = 5000;
const PINGS_UNANSWERED_MAX = 2;

export interface NatsClientParts {
  service: NatsServiceConfiguration;
  /** How the servers name us in their own lists. */
  name: string;
  connectTimeoutMs: number;
  agenda: Agenda;
  log: Log;
  quietLog: QuietLog;
  fields: object;
  random: () => number;
  /** Once for each connection; its subscriptions outlive reconnections. */
  opened: (connection: NatsConnection) => void;
  /** What must hold before anything is published; rejects where it does not. */
  prepare: (connection: NatsConnection) => Promise<void>;
  ready: () => void;
  lost: () => void;
}

export type NatsClientCounts = {
  disconnect: number;
  reconnect: number;
  /** No ping was answered; a disconnect follows. */
  stale: number;
  /** That the server told us, or that connecting failed with. */
  error: number;
};

export class NatsClient {
  readonly counts: NatsClientCounts = { disconnect: 0, reconnect: 0, stale: 0, error: 0 };
  readonly #parts: NatsClientParts;
  #connection: NatsConnection | undefined;
  /** It is there, whether what must hold does or not. */
  #isOpen = false;
  #isReady = false;
  #isClosed = false;
  /** The one attempt to become ready that still counts. */
  #preparation: object | undefined;
  #retries = 0;
  #retry: Appointment | undefined;
  /** What the log was told of this outage last; undefined while there is none. */
  #told: string | undefined;
  /** Dials of the library's own since it lost its connection; it asks twice for each. */
  #redials = 0;

  constructor(parts: NatsClientParts) {
    this.#parts = parts;
  }

  /** The connection, while it may be published on. */
  get ready(): NatsConnection | undefined {
    return this.#isReady ? this.#connection : undefined;
  }

  open(): void {
    connect(this.#connectionOptions()).then(
      (connection) => this.#opened(connection),
      (error: unknown) => {
        this.#unopened(error);
        this.#again(() => this.open());
      },
    );
  }

  /** What made it ready may have changed: it is not until it was looked at again. */
  check(): void {
    if (this.#connection === undefined || !this.#isReady) return;
    this.#lose();
    this.#prepare(this.#connection);
  }

  /** The same, but that it is ready meanwhile, and stays so where nothing is amiss. */
  look(): void {
    const connection = this.ready;
    if (connection === undefined) return;
    this.#parts.prepare(connection).catch(() => {
      if (this.#connection === connection) this.check();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#isReady = false;
    this.#parts.agenda.cancel(this.#retry);
    await this.#connection?.close();
  }

  #connectionOptions(): ConnectionOptions {
    const { service, name, connectTimeoutMs, random } = this.#parts;
    return {
      ...connectionOptions(service, name, connectTimeoutMs),
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: PINGS_UNANSWERED_MAX,
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      reconnectDelayHandler: () => {
        this.#redials += 1;
        return backoffMs(this.#redials >> 1, RETRY_BASE_MS, RETRY_CAP_MS, random());
      },
    };
  }

  #unopened(error: unknown): void {
    if (error instanceof AuthorizationError) {
      const sentence =
        "NATS does not let us in; events are held until it does. Look at the token, the user and " +
        "password, or the credentials of this hub's service";
      this.#unavailable("error", error, sentence);
      return;
    }
    this.#unavailable("warn", error, "NATS cannot be reached; events are held until it can");
  }

  #opened(connection: NatsConnection): void {
    if (this.#isClosed) {
      void connection.close();
      return;
    }
    this.#connection = connection;
    this.#isOpen = true;
    void this.#watch(connection);
    // The library gives up by itself only for what it cannot go on from: a file that is gone.
    void connection.closed().then((error) => {
      if (this.#isClosed) return;
      this.#lose();
      this.#connection = undefined;
      const sentence = "the connection to NATS was given up; another is made";
      this.#failed("warn", error, sentence);
      this.#again(() => this.open());
    });
    this.#parts.opened(connection);
    this.#prepare(connection);
  }

  #prepare(connection: NatsConnection): void {
    const preparation = {};
    this.#preparation = preparation;
    this.#parts.prepare(connection).then(
      () => {
        if (this.#preparation !== preparation || this.#isClosed) return;
        this.#isReady = true;
        this.#retries = 0;
        this.#redials = 0;
        this.#told = undefined;
        this.#parts.log.info({ ...this.#parts.fields }, "connected to NATS");
        this.#parts.ready();
      },
      (error: unknown) => {
        if (this.#preparation !== preparation || this.#isClosed) return;
        const sentence = "NATS is there and cannot be used; events are held until it can";
        this.#unavailable("error", error, sentence);
        this.#again(() => this.#prepare(connection));
      },
    );
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) this.#changed(connection, status);
  }

  /**
   * Of a subscription with a callback the library never says that it is slow. The server does, to
   * its log, and ends the connection of who is: a disconnect like others.
   */
  #changed(connection: NatsConnection, status: Status): void {
    const { quietLog, fields } = this.#parts;
    switch (status.type) {
      case "disconnect":
        // The library says so of each dial that a server refused, too.
        if (!this.#isOpen) break;
        this.#isOpen = false;
        this.counts.disconnect += 1;
        this.#lose();
        if (this.#isClosed) break;
        quietLog.say("warn", fields, "the connection to NATS was lost; events are held meanwhile");
        break;
      case "reconnect":
        this.#isOpen = true;
        this.counts.reconnect += 1;
        this.#prepare(connection);
        break;
      case "error":
        if (this.#isOpen) this.#failed("error", status.error, "NATS reports an error");
        else this.#unopened(status.error);
        break;
      case "staleConnection":
        this.counts.stale += 1;
        quietLog.say("warn", fields, "NATS answers no pings; its connection is given up");
        break;
      case "ldm":
        quietLog.say("warn", fields, "a NATS server is about to stop; another will be used");
        break;
    }
  }

  #lose(): void {
    this.#preparation = undefined;
    this.#parts.agenda.cancel(this.#retry);
    if (!this.#isReady) return;
    this.#isReady = false;
    this.#parts.lost();
  }

  #again(act: () => void): void {
    if (this.#isClosed) return;
    const { agenda, random } = this.#parts;
    const delayMs = backoffMs(this.#retries, RETRY_BASE_MS, RETRY_CAP_MS, random());
    this.#retries += 1;
    agenda.cancel(this.#retry);
    this.#retry = agenda.at(nowMs() + delayMs, act);
  }

  /** Once for each cause: it is tried again every two seconds, perhaps for hours. */
  #unavailable(level: "warn" | "error", error: unknown, sentence: string): void {
    const told = `${sentence} (${causeOf(error)})`;
    if (told === this.#told) this.counts.error += 1;
    else this.#failed(level, error, sentence);
    this.#told = told;
  }

  #failed(level: "warn" | "error", error: unknown, sentence: string): void {
    this.counts.error += 1;
    if (this.#isClosed) return;
    const { quietLog, fields } = this.#parts;
    const code = error instanceof HeadgateError ? { code: error.code } : {};
    quietLog.say(level, { ...fields, ...code, cause: causeOf(error) }, sentence);
  }
}

/** In words, of what a library threw. */
export function causeOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error ?? "no reason was given");
}
