/**
 * Pushes over NATS, as docs/nats.md has them. NATS counts nobody and the gateway answers nothing:
 * a push is done when the server has it, and what asks for an answer is refused by name.
 */
import { isUtf8 } from "node:buffer";
import type { MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import { headers } from "@nats-io/transport-node";
import { HeadgateError } from "../../core/error.ts";
import { TEXT } from "../../core/opcode.ts";
import { encodeToken, Subjects } from "../../upstreams/nats/subjects.ts";
import { TEXT_TYPE } from "../http/answer.ts";
import type { Call, PushCarrier, PushResult } from "./push.ts";

export interface NatsPushOptions {
  connection: NatsConnection;
  hub: string;
  prefix: string;
  callsMax: number;
  callTimeoutMs: number;
}

/** A close frame holds no more beside its code; RFC 6455, 5.5. */
const REASON_BYTES_MAX = 123;
const CONNECTION_ID = /^[\w-]+\.[\w-]+$/;
const NOTHING = new Uint8Array(0);

const UNCOUNTED: PushResult = { matched: undefined, dropped: undefined, partial: true };

export class NatsPush implements PushCarrier {
  readonly #options: NatsPushOptions;
  readonly #subjects: Subjects;
  #underWay = 0;
  /** The answer to the PING that is out, and of the next one, which has what came meanwhile. */
  #asked: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(options: NatsPushOptions) {
    this.#options = options;
    this.#subjects = new Subjects(options.prefix, options.hub);
  }

  async call(call: Call): Promise<PushResult> {
    const { callsMax, connection } = this.#options;
    const subject = this.#subjectOf(call);
    const { fields, payload } = writePush(call);
    if (this.#underWay >= callsMax) {
      const message = `${callsMax} pushes are under way; wait for some of them.`;
      throw new HeadgateError("HG_PUSH_BUSY", message);
    }
    this.#underWay += 1;
    try {
      connection.publish(subject, payload, { headers: fields });
      await this.#taken();
      return UNCOUNTED;
    } catch (cause) {
      throw describe(cause);
    } finally {
      this.#underWay -= 1;
    }
  }

  /** The connection is its owner's to close. */
  close(): void {}

  #subjectOf({ name, target }: Call): string {
    switch (target) {
      case "connection":
        if (!CONNECTION_ID.test(name)) throw invalid(`"${name}" is no connection's id`);
        return this.#subjects.replyTo(name);
      case "user":
      case "group":
        return this.#subjects.push(target, encodeToken(name));
      case "all":
        return this.#subjects.push("all");
    }
  }

  /** What was published before is with the server. */
  #taken(): Promise<void> {
    this.#next ??= (this.#asked ?? Promise.resolve()).then(
      () => this.#ask(),
      () => this.#ask(),
    );
    return this.#next;
  }

  #ask(): Promise<void> {
    this.#next = undefined;
    const { callTimeoutMs, connection } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((_resolve, reject) => {
      const error = new Error(`NATS answered nothing within ${callTimeoutMs} ms`);
      timer = setTimeout(() => reject(error), callTimeoutMs);
    });
    this.#asked = Promise.race([connection.flush(), late]).finally(() => clearTimeout(timer));
    return this.#asked;
  }
}

function writePush(call: Call): { fields: MsgHdrs; payload: Uint8Array } {
  const { argument, excluded, payload, pushId, verb } = call;
  const fields = headers();
  try {
    for (const id of excluded) fields.append("headgate-excluded", id);
    if (pushId !== "") fields.set("headgate-push-id", pushId);
  } catch (cause) {
    throw invalid("an id has a line break in it", cause);
  }
  switch (verb) {
    case "send":
      return { fields: typed(fields, payload), payload: payload?.bytes ?? NOTHING };
    case "close":
      if (Buffer.byteLength(argument) > REASON_BYTES_MAX) {
        throw invalid(`its reason has more than ${REASON_BYTES_MAX} bytes`);
      }
      break;
    case "join":
    case "leave":
      break;
    default:
      throw new HeadgateError(
        "HG_PUSH_UNSUPPORTED",
        `Over NATS there is no "${verb}": the gateway answers nothing there. Set push: { url: ` +
          '"http://127.0.0.1:8001" }, the gateway\'s admin address, to push over REST.',
      );
  }
  fields.set("headgate-action", verb);
  return { fields, payload: Buffer.from(argument) };
}

function typed(fields: MsgHdrs, payload: Call["payload"]): MsgHdrs {
  if (payload?.opcode !== TEXT) return fields;
  // The gateway would say so in its log, and nobody here would know.
  if (!isUtf8(payload.bytes)) throw invalid("it is called text and is not UTF-8");
  fields.set("content-type", TEXT_TYPE);
  return fields;
}

/** The library says which limit of the server it was. */
function describe(cause: unknown): HeadgateError {
  const { message, name } = cause as Error;
  if (name === "InvalidArgumentError") return invalid(message, cause);
  return new HeadgateError(
    "HG_PUSH_UNANSWERED",
    `NATS did not take a push: ${message}. It may come all the same: give it a pushId and send ` +
      "it again.",
    { cause },
  );
}

function invalid(what: string, cause?: unknown): HeadgateError {
  return new HeadgateError("HG_PUSH_INVALID", `This cannot be pushed: ${what}.`, { cause });
}
