/**
 * What a service's answer to connected, message or disconnected means: the table of outcomes.
 * It keeps no count of attempts and acts on nothing.
 */
import { isUtf8 } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import type { MessageOpcode } from "../../core/opcode.ts";
import { BINARY, TEXT } from "../../core/opcode.ts";
import { decodeAttribute } from "./attribute.ts";
import { readRetryAfterMs } from "./retry.ts";
import type { Answer, Outcome } from "./service.ts";

export interface Reply {
  opcode: MessageOpcode;
  bytes: Uint8Array;
}

/** What the `ce-connectionstate` header of an answer says. */
export type StateChange =
  | { kind: "kept" }
  | { kind: "changed"; connectionState: string | undefined }
  | { kind: "wrong"; fault: string };

export type Verdict =
  | { kind: "done"; reply: Reply | undefined; stateChange: StateChange }
  /** Try again until the hold time is over; `reached` as in NoAnswer. */
  | { kind: "held"; reached: boolean; retryAfterMs: number | undefined; cause: string }
  /** Try again a few times. */
  | { kind: "failed"; cause: string }
  /** Never try again. */
  | { kind: "refused"; cause: string };

const TRY_LATER = new Set([408, 425, 429, 502, 503, 504]);

const KEPT: StateChange = { kind: "kept" };

/** Of an event that waits for no answer; what its body says is of no interest. */
export function judgeNotice(outcome: Outcome): Verdict {
  if (outcome.kind === "answer" && isSuccess(outcome.status)) {
    return { kind: "done", reply: undefined, stateChange: KEPT };
  }
  return judgeFailure(outcome);
}

export function judgeMessage(outcome: Outcome, connectionStateBytesMax: number): Verdict {
  if (outcome.kind === "none" || !isSuccess(outcome.status)) return judgeFailure(outcome);
  if (outcome.tooBig) {
    return { kind: "failed", cause: "its answer is bigger than serviceResponseBytesMax" };
  }
  const stateChange = readStateChange(outcome.headers, connectionStateBytesMax);
  if (outcome.body.length === 0) return { kind: "done", reply: undefined, stateChange };
  const opcode = isText(outcome.headers["content-type"]) ? TEXT : BINARY;
  if (opcode === TEXT && !isUtf8(outcome.body)) {
    return { kind: "failed", cause: "its answer is called text and is not UTF-8" };
  }
  return { kind: "done", reply: { opcode, bytes: outcome.body }, stateChange };
}

export function readStateChange(headers: IncomingHttpHeaders, bytesMax: number): StateChange {
  const header = headers["ce-connectionstate"];
  if (header === undefined) return KEPT;
  if (Array.isArray(header)) {
    return { kind: "wrong", fault: "ce-connectionstate stands in it more than once" };
  }
  const value = decodeAttribute(header);
  const bytes = Buffer.byteLength(value);
  if (bytes > bytesMax) {
    const limit = `connectionStateBytesMax is ${bytesMax}`;
    const fault = `ce-connectionstate has ${bytes} bytes, and ${limit}`;
    return { kind: "wrong", fault };
  }
  return { kind: "changed", connectionState: value === "" ? undefined : value };
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function judgeFailure(outcome: Outcome): Verdict {
  if (outcome.kind === "none") {
    const { reached, cause } = outcome;
    return { kind: "held", reached, retryAfterMs: undefined, cause };
  }
  const cause = describeStatus(outcome);
  if (TRY_LATER.has(outcome.status)) {
    const retryAfterMs = readRetryAfterMs(outcome.headers["retry-after"], Date.now());
    return { kind: "held", reached: true, retryAfterMs, cause };
  }
  if (outcome.status >= 400 && outcome.status < 500) return { kind: "refused", cause };
  return { kind: "failed", cause };
}

export function describeStatus(answer: Answer): string {
  const isRedirect = answer.status >= 300 && answer.status < 400;
  return `it answered ${answer.status}${isRedirect ? "; redirects are not followed" : ""}`;
}

function isText(contentType: string | undefined): boolean {
  const [mediaType = ""] = (contentType ?? "").toLowerCase().split(";");
  return mediaType.startsWith("text/") || mediaType.trim() === "application/json";
}
