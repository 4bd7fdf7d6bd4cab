/**
 * What is published for the clients of this worker: read, and carried out by the gateway in the
 * order in which it came. NATS cannot be told to wait, so what is under way is bounded, and past
 * the bound pushes are dropped, counted and logged.
 */
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { Agenda, Appointment } from "../delivery/agenda.ts";
import { nowMs } from "../delivery/agenda.ts";
import type { QuietLog } from "../delivery/quiet-log.ts";
import type { UpstreamSink } from "../upstream.ts";
import { causeOf } from "./client.ts";
import { readHeaders } from "./headers.ts";
import type { PushRules } from "./push.ts";
import { readPush } from "./push.ts";
import type { Subjects } from "./subjects.ts";

/** As the bus has them. */
const UNDER_WAY_MAX = 10_000;
const BYTES_MAX = 64 * 1024 * 1024;
/** What the server refused to let us subscribe to is asked for again after so long. */
const AGAIN_MS = 30_000;
/** The status of a message that says nobody has subscribed to what was published. */
const NO_RESPONDERS = 503;

export interface PushesParts {
  sink: UpstreamSink;
  subjects: Subjects;
  nonce: string;
  rules: PushRules;
  agenda: Agenda;
  log: QuietLog;
  fields: object;
}

export type PushCounts = {
  /** Carried out, whether anybody matched or not. */
  executed: number;
  unusable: number;
  /** Too many were under way. */
  dropped: number;
};

export class Pushes {
  readonly counts: PushCounts = { executed: 0, unusable: 0, dropped: 0 };
  /** Messages of clients that no service had subscribed to; core NATS alone tells. */
  unheard = 0;
  readonly #parts: PushesParts;
  #connection: NatsConnection | undefined;
  #underWay = 0;
  #bytes = 0;
  /** The library forgets what was refused, and does not subscribe to it when it reconnects. */
  readonly #refused = new Set<string>();
  #again: Appointment | undefined;

  constructor(parts: PushesParts) {
    this.#parts = parts;
  }

  subscribe(connection: NatsConnection): void {
    const { subjects, nonce } = this.#parts;
    this.#connection = connection;
    this.#refused.clear();
    for (const subject of subjects.pushes(nonce)) this.#subscribe(connection, subject);
  }

  /** To what was refused: our user may have been allowed it since. */
  subscribeAgain(): void {
    const connection = this.#connection;
    if (connection === undefined || connection.isClosed()) return;
    const subjects = [...this.#refused];
    this.#refused.clear();
    for (const subject of subjects) this.#subscribe(connection, subject);
  }

  #subscribe(connection: NatsConnection, subject: string): void {
    connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) this.#received(message);
        else this.#unsubscribed(subject, error);
      },
    });
  }

  #received(message: Msg): void {
    const { sink, subjects, rules, log, fields } = this.#parts;
    const { subject, data: bytes } = message;
    const headers = readHeaders(message);
    if (headers !== undefined && message.headers?.code === NO_RESPONDERS && bytes.length === 0) {
      this.unheard += 1;
      log.say("warn", fields, "no service has subscribed to this hub's messages: they are lost");
      return;
    }
    const push = readPush(subjects.targetOf(subject), headers, bytes, rules);
    if (push.kind === "unusable") {
      this.counts.unusable += 1;
      const sentence = "a push over NATS cannot be used and does nothing";
      log.say("error", { ...fields, subject, cause: push.fault }, sentence);
      return;
    }
    if (this.#underWay >= UNDER_WAY_MAX || this.#bytes >= BYTES_MAX) {
      this.counts.dropped += 1;
      log.say("error", fields, "pushes over NATS were dropped: too many are under way");
      return;
    }
    this.#underWay += 1;
    this.#bytes += bytes.length;
    this.counts.executed += 1;
    void sink.execute(push.command).finally(() => {
      this.#underWay -= 1;
      this.#bytes -= bytes.length;
    });
  }

  #unsubscribed(subject: string, error: Error): void {
    const { agenda, log, fields } = this.#parts;
    agenda.cancel(this.#again);
    this.#again = agenda.at(nowMs() + AGAIN_MS, () => this.subscribeAgain());
    this.#refused.add(subject);
    const sentence = "NATS does not let us subscribe to pushes; allow this subject to our user";
    log.say("error", { ...fields, subject, cause: causeOf(error) }, sentence);
  }
}
