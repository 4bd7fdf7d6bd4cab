/**
 * What a service's answer to connected, message or disconnected means: the table of outcomes.
 * It keeps no count of attempts and acts on nothing.
 */
import { isUtf8 } from "node:buffer";
import { BINARY, TEXT } from "../../core/opcode.ts";
import type { Outcome } from "../cloudevents/outcome.ts";
import {
  contentTypeOf,
  describeStatus,
  isSuccess,
  isText,
  readStateChange,
  TOO_BIG,
} from "../cloudevents/outcome.ts";
import { readRetryAfterMs } from "../delivery/retry.ts";
import type { Verdict } from "../delivery/verdict.ts";
import { KEPT } from "../delivery/verdict.ts";

const TRY_LATER = new Set([408, 425, 429, 502, 503, 504]);

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
  const opcode = isText(contentTypeOf(outcome.headers)) ? TEXT : BINARY;
  if (opcode === TEXT && !isUtf8(outcome.body)) {
    return { kind: "failed", cause: NOT_UTF8 };
  }
  return { kind: "done", reply: { opcode, bytes: outcome.body }, stateChange };
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
