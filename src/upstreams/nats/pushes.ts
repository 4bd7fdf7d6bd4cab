/**
 * What is published for the clients of this worker: read, and carried out by the gateway in the
 * order in which it came. NATS cannot be told to wait, so what is under way is bounded, and past
 * the bound pushes are dropped, counted and logged.
 */
import type { Msg, NatsConnection } from "@nats-io/transport-node";
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
/** The status of a message that says nobody has subscribed to what was published. */
const NO_RESPONDERS = 503;

export interface PushesParts {
  sink: UpstreamSink;
  subjects: Subjects;
  nonce: string;
  rules: PushRules;
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
  #underWay = 0;
  #bytes = 0;

  constructor(parts: PushesParts) {
    this.#parts = parts;
  }

  subscribe(connection: NatsConnection): void {
    const { subjects, nonce } = this.#parts;
    for (const subject of subjects.pushes(nonce)) {
      connection.subscribe(subject, {
        callback: (error, message) => {
          if (error === null) this.#received(message);
          else this.#refused(subject, error);
        },
      });
    }
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

  #refused(subject: string, error: Error): void {
    const { log, fields } = this.#parts;
    const sentence = "NATS does not let us subscribe to pushes; allow this subject to our user";
    log.say("error", { ...fields, subject, cause: causeOf(error) }, sentence);
  }
}
