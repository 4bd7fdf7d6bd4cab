/**
 * What a service's answer to connected, message or disconnected means: the table of outcomes.
 * It keeps no count of attempts and acts on nothing.
 */
import { isUtf8 } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import { BINARY, TEXT } from "../../core/opcode.ts";
import { BINARY_TYPE, TEXT_TYPE } from "../delivery/event.ts";
import { readRetryAfterMs } from "../delivery/retry.ts";
import type { StateChange, Verdict } from "../delivery/verdict.ts";
import { KEPT } from "../delivery/verdict.ts";
import { decodeAttribute } from "./attribute.ts";
import type { Outcome } from "./service.ts";

const TRY_LATER = new Set([408, 425, 429, 502, 503, 504]);

export const TOO_BIG = "its answer is bigger than serviceResponseBytesMax";
export const NOT_UTF8 = "its answer is called text and is not UTF-8";

/** Of an event that waits for no answer; what its body says is of no interest. */
export function judgeNotice(outcome: Outcome): Verdict {
  if (outcome.kind === "answer" && isSuccess(outcome.status)) {
    return { kind: "done", reply: undefined, stateChange: KEPT };
  }
  return judgeFailure(outcome);
}

export function judgeMessage(outcome: Outcome, connectionStateBytesMax: number): Verdict {
  if (outcome.kind === "none" || !isSuccess(outcome.status)) return judgeFailure(outcome);
  if (outcome.tooBig) return { kind: "failed", cause: TOO_BIG };
  const stateChange = readStateChange(outcome.headers, connectionStateBytesMax);
  if (outcome.body.length === 0) return { kind: "done", reply: undefined, stateChange };
  const opcode = isText(outcome.headers["content-type"]) ? TEXT : BINARY;
  if (opcode === TEXT && !isUtf8(outcome.body)) {
    return { kind: "failed", cause: NOT_UTF8 };
  }
  return { kind: "done", reply: { opcode, bytes: outcome.body }, stateChange };
}

export function readStateChange(headers: IncomingHttpHeaders, bytesMax: number): StateChange {
  const header = headers["ce-connectionstate"];
  if (header === undefined) return KEPT;
  if (Array.isArray(header)) {
    return { kind: "wrong", fault: "ce-connectionstate stands in it more than once" };
  }
  return readState("ce-connectionstate", decodeAttribute(header), bytesMax);
}

export function readState(name: string, value: string, bytesMax: number): StateChange {
  const bytes = Buffer.byteLength(value);
  if (bytes > bytesMax) {
    const limit = `connectionStateBytesMax is ${bytesMax}`;
    return { kind: "wrong", fault: `${name} has ${bytes} bytes, and ${limit}` };
  }
  return { kind: "changed", connectionState: value === "" ? undefined : value };
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

export function judgeFailure(outcome: Outcome): Verdict {
  if (outcome.kind === "answer") {
    return judgeFailureStatus(outcome.status, outcome.headers["retry-after"]);
  }
  const { reached, cause } = outcome;
  return { kind: "held", reached, retryAfterMs: undefined, cause };
}

/** Of a status that is no success. */
export function judgeFailureStatus(
  status: number,
  retryAfter: string | string[] | undefined,
): Verdict {
  const cause = describeStatus(status);
  if (TRY_LATER.has(status)) {
    const retryAfterMs = readRetryAfterMs(retryAfter, Date.now());
    return { kind: "held", reached: true, retryAfterMs, cause };
  }
  if (status >= 400 && status < 500) return { kind: "refused", cause };
  return { kind: "failed", cause };
}

export function describeStatus(status: number): string {
  const isRedirect = status >= 300 && status < 400;
  return `it answered ${status}${isRedirect ? "; redirects are not followed" : ""}`;
}

export function isText(contentType: string | undefined): boolean {
  // What comes with nearly every message need not be taken apart.
  if (contentType === TEXT_TYPE) return true;
  if (contentType === undefined || contentType === BINARY_TYPE) return false;
  const [mediaType = ""] = contentType.toLowerCase().split(";");
  return mediaType.startsWith("text/") || mediaType.trim() === "application/json";
}
