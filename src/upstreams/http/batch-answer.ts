/**
 * What a service's answer to a batch says of each of its events. The answer comes from a peer:
 * what is wrong with it is told to a log, and never taken for an acknowledgement. It acts on
 * nothing.
 */
import { isUtf8 } from "node:buffer";
import { BINARY, TEXT } from "../../core/opcode.ts";
import type { Outcome } from "../cloudevents/outcome.ts";
import { isSuccess, isText, readState, TOO_BIG } from "../cloudevents/outcome.ts";
import type { EventName } from "../delivery/event.ts";
import type { Reply, StateChange, Verdict } from "../delivery/verdict.ts";
import { KEPT } from "../delivery/verdict.ts";
import { judgeFailure, judgeFailureStatus, NOT_UTF8 } from "./answer.ts";

/** The array as a whole, an entry about no event, none about an event, two, or one amiss. */
export type BatchFault = "unusable" | "unknown" | "missing" | "twice" | "wrong";

export interface BatchRules {
  /** Of what one event is answered with. */
  responseBytesMax: number;
  connectionStateBytesMax: number;
  report(fault: BatchFault, cause: string): void;
}

/** As it was parsed: nothing of it is known to be there, or to be of its type. */
type Entry = Record<string, unknown>;

/** RFC 9110, 15.5.14. */
const TOO_LARGE = 413;
const DONE: Verdict = { kind: "done", reply: undefined, stateChange: KEPT };
const MISSING = "its answer to the batch has no entry for the event";
/** `application/json`, and whatever is JSON by its suffix. */
const JSON_SUBTYPE = /^[^/;]+\/(?:[^;]*\+)?json\s*(?:;|$)/i;

export class BatchAnswers {
  readonly #rules: BatchRules;
  /** One for each event, where there is one. */
  readonly #entries: (Entry | undefined)[];
  /** For every event alike; undefined where each has its own. */
  readonly #common: Verdict | undefined;

  /** `ids` are those of the batch's events, in their order. */
  constructor(ids: readonly string[], outcome: Outcome, rules: BatchRules) {
    this.#rules = rules;
    this.#entries = new Array<Entry | undefined>(ids.length).fill(undefined);
    if (outcome.kind !== "none" && outcome.status === TOO_LARGE && ids.length > 1) {
      // It may be that no event of it is: the next attempts have one each.
      this.#common = { kind: "failed", cause: "it found the batch too large" };
      return;
    }
    if (outcome.kind === "none" || !isSuccess(outcome.status)) {
      this.#common = judgeFailure(outcome);
      return;
    }
    const array = outcome.tooBig ? "is too big" : parseArray(outcome.body);
    if (typeof array !== "string") {
      this.#assign(ids, array);
      return;
    }
    const cause = `its answer to the batch ${array}`;
    rules.report("unusable", cause);
    this.#common = { kind: "failed", cause };
  }

  /** Ask in the order of a connection's events, and no further than the first that failed. */
  judge(name: EventName, position: number): Verdict {
    if (this.#common !== undefined) return this.#common;
    const entry = this.#entries[position];
    if (entry === undefined) {
      this.#rules.report("missing", MISSING);
      // As if there had been no answer in time.
      return { kind: "held", reached: true, retryAfterMs: undefined, cause: MISSING };
    }
    const { status } = entry;
    if (!isStatus(status)) return this.#wrong(`status is ${show(status)}, and must be a number`);
    if (!isSuccess(status)) return judgeFailureStatus(status, undefined);
    if (name !== "message") return DONE;
    const reply = readReply(entry, this.#rules.responseBytesMax);
    if (typeof reply === "string") return this.#wrong(reply);
    return { kind: "done", reply, stateChange: this.#readStateChange(entry.connectionstate) };
  }

  #readStateChange(value: unknown): StateChange {
    if (value === undefined || value === null) return KEPT;
    const name = "connectionstate";
    if (typeof value !== "string") {
      return { kind: "wrong", fault: `${name} is ${show(value)}, and must be a string` };
    }
    return readState(name, value, this.#rules.connectionStateBytesMax);
  }

  #wrong(cause: string): Verdict {
    this.#rules.report("wrong", cause);
    return { kind: "failed", cause };
  }

  #assign(ids: readonly string[], array: unknown[]): void {
    let positions: Map<unknown, number> | undefined;
    for (const [index, entry] of array.entries()) {
      const id = isEntry(entry) ? entry.id : undefined;
      let position: number | undefined = index;
      // Most answers stand in the order of their events.
      if (id === undefined || id !== ids[index]) {
        positions ??= new Map(ids.map((known, at) => [known, at]));
        position = positions.get(id);
      }
      if (position === undefined) this.#rules.report("unknown", `the id of one is ${show(id)}`);
      else if (this.#entries[position] !== undefined) this.#rules.report("twice", show(id));
      else this.#entries[position] = entry as Entry;
    }
  }
}

/** What the client is sent; a sentence where the entry makes no sense. */
function readReply(entry: Entry, bytesMax: number): Reply | string | undefined {
  const { data, data_base64: base64 } = entry;
  const type = entry.datacontenttype ?? undefined;
  if (type !== undefined && typeof type !== "string") {
    return `datacontenttype is ${show(type)}, and must be a string`;
  }
  const hasData = data !== undefined && data !== null;
  const hasBase64 = base64 !== undefined && base64 !== null;
  if (hasData && hasBase64) return "data and data_base64 stand beside each other";
  if (!hasData && !hasBase64) return undefined;
  const bytes = hasData ? encodeData(data, type) : decodeBase64(base64);
  if (typeof bytes === "string") return bytes;
  if (bytes.length > bytesMax) return TOO_BIG;
  if (bytes.length === 0) return undefined;
  const opcode = (type === undefined ? hasData : isText(type)) ? TEXT : BINARY;
  if (hasBase64 && opcode === TEXT && !isUtf8(bytes)) return NOT_UTF8;
  return { opcode, bytes };
}

/** A string is the payload itself, unless its type says that it is JSON. */
function encodeData(data: unknown, type: string | undefined): Buffer | string {
  const isJson = type !== undefined && JSON_SUBTYPE.test(type);
  if (typeof data === "string" && !isJson) {
    return data.isWellFormed() ? Buffer.from(data) : NOT_UTF8;
  }
  if (type === undefined || isJson) return writeJson(data);
  return `data is ${show(data)}, and must be a string, for datacontenttype is ${type}`;
}

/** What JSON.parse has read, whatever it is, JSON.stringify may find no room on the stack for. */
function writeJson(data: unknown): Buffer | string {
  try {
    return Buffer.from(JSON.stringify(data));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return "data is nested too deeply";
  }
}

function decodeBase64(base64: unknown): Buffer | string {
  if (typeof base64 !== "string") return `data_base64 is ${show(base64)}, and must be a string`;
  const bytes = Buffer.from(base64, "base64");
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  // Node leaves out what is no base64, and stops at the first padding.
  if (bytes.length !== Math.floor(((base64.length - padding) * 3) / 4)) {
    return "data_base64 is no base64";
  }
  return bytes;
}

function parseArray(body: Buffer): unknown[] | string {
  if (!isUtf8(body)) return "is not UTF-8";
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return `is not JSON: ${withoutContent(error)}`;
  }
  return Array.isArray(value) ? value : `is ${show(value)}, and must be an array`;
}

/** V8 quotes what stands around some mistakes, which may be what a client was to be sent. */
function withoutContent({ message }: SyntaxError): string {
  return message.replace(/(?:, )?(?:\.\.\.)?".*"(?:\.\.\.)? is not valid JSON$/s, "") || "no value";
}

function isEntry(value: unknown): value is Entry {
  return typeof value === "object" && value !== null;
}

function isStatus(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 100 && (value as number) <= 599;
}

/** For people; a service's content is not theirs to read in a log. */
function show(value: unknown): string {
  if (value === undefined) return "absent";
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (typeof value === "number") return String(value);
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
