/**
 * What the gateway itself answers to plain HTTP and to handshakes that it does not let in, one
 * constant each; what is wrong with a request as such is websocket/refusal.ts'.
 */
import type { Refusal } from "../websocket/handshake.ts";

/** By its name it is counted: other refusals have the same status. */
export interface NamedRefusal extends Refusal {
  readonly name: string;
}

const RETRY_SOON = { "Retry-After": "1" };

export const HEALTHY = answer("healthy", 200, "ok");
export const NOT_READY = answer("gateway-stopping", 503, "The gateway is stopping.", RETRY_SOON);
export const PATH_UNKNOWN = answer("path-unknown", 404, "No hub has this path.");
export const ORIGIN_NOT_ALLOWED = answer(
  "origin-not-allowed",
  403,
  "Pages of this origin may not connect here; the hub's origins can list it.",
);
export const HANDSHAKE_TIMED_OUT = answer(
  "handshake-timeout",
  408,
  "The request head did not arrive in time.",
);
export const CONNECT_TIMED_OUT = answer(
  "connect-timeout",
  503,
  "The service did not answer in time.",
  RETRY_SOON,
);
export const TOO_MANY_CONNECTIONS = answer(
  "too-many-connections",
  503,
  "The gateway is full.",
  RETRY_SOON,
);
export const TOO_MANY_HANDSHAKES = answer(
  "too-many-handshakes",
  503,
  "Too many clients are connecting at once.",
  RETRY_SOON,
);
export const OUT_OF_BUFFERS = answer(
  "buffers-full",
  503,
  "The gateway is out of buffers.",
  RETRY_SOON,
);

/** Reasons for which nobody here has an answer: nobody is left to get it, or the service had. */
export const CLIENT_GONE = "client-gone";
export const SERVICE_REFUSED = "service-refused";
export const SERVICE_UNAVAILABLE = "service-unavailable";

/** All that `refusalReason` and those three can be, so that each can be counted from 0. */
export const refusalReasons: readonly string[] = [
  ...[CLIENT_GONE, SERVICE_REFUSED, SERVICE_UNAVAILABLE],
  ...[NOT_READY, PATH_UNKNOWN, ORIGIN_NOT_ALLOWED, HANDSHAKE_TIMED_OUT, CONNECT_TIMED_OUT]
    .concat(TOO_MANY_CONNECTIONS, TOO_MANY_HANDSHAKES, OUT_OF_BUFFERS)
    .map(({ name }) => name),
  // What is wrong with a request as such is told by the status.
  ...["400", "414", "426", "431", "501", "505"],
];

export function refusalReason(refusal: Refusal | NamedRefusal): string {
  return "name" in refusal ? refusal.name : String(refusal.status);
}

function answer(
  name: string,
  status: number,
  sentence: string,
  headers: Record<string, string> = {},
): NamedRefusal {
  return Object.freeze({ name, status, sentence, headers: Object.freeze(headers) });
}
