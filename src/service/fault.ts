/**
 * What a handler throws to say more than "it failed", and how what it threw is read. Everything
 * that is neither of these is a failure of the service's own, and is told to `onError`.
 */
import { HeadgateError } from "../core/error.ts";
import { REJECT_FAILED, REJECT_HELD, REJECT_REFUSED } from "../link/frame.ts";

/** A timer of Node's that is to wait for longer fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Not now: the event is sent again, for `holdTimeoutMs` at the most. HTTP's 503. */
export class TryLater extends Error {
  /** How long the gateway waits at least; it chooses where this is 0. */
  readonly retryAfterMs: number;

  constructor(retryAfterMs = 0, message = "the service asks to try later") {
    super(message);
    this.name = "TryLater";
    this.retryAfterMs = Math.min(Math.max(Math.ceil(retryAfterMs), 0), TIMER_MS_MAX);
  }
}

/** Never: the event is not sent again, and a message's client is closed with 1008. HTTP's 400. */
export class Refuse extends Error {
  constructor(message = "the service refuses it") {
    super(message);
    this.name = "Refuse";
  }
}

/** Why an event was not taken; `kind` as a REJECT of the link has it. */
export interface Rejection {
  readonly kind: typeof REJECT_HELD | typeof REJECT_FAILED | typeof REJECT_REFUSED;
  readonly retryAfterMs: number;
  readonly cause: string;
}

export const SHUTTING_DOWN: Rejection = {
  kind: REJECT_HELD,
  retryAfterMs: 1000,
  cause: "the service shuts down",
};

/** Of what a handler threw. Only for a failure there is an error to report. */
export function rejectionOf(
  thrown: unknown,
  event: string,
  connectionId: string,
): { rejection: Rejection; error: HeadgateError | undefined } {
  if (thrown instanceof TryLater) {
    const { retryAfterMs, message: cause } = thrown;
    return { rejection: { kind: REJECT_HELD, retryAfterMs, cause }, error: undefined };
  }
  if (thrown instanceof Refuse) {
    const rejection = { kind: REJECT_REFUSED, retryAfterMs: 0, cause: thrown.message } as const;
    return { rejection, error: undefined };
  }
  const error = new HeadgateError(
    "HG_HANDLER_FAILED",
    `The "${event}" handler failed for connection ${connectionId}; its own error is the cause.`,
    { cause: thrown },
  );
  const rejection = { kind: REJECT_FAILED, retryAfterMs: 0, cause: "the handler failed" } as const;
  return { rejection, error };
}
