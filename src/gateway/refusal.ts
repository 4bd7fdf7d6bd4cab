/**
 * What the gateway itself answers to plain HTTP and to handshakes that it does not let in, one
 * constant each; what is wrong with a request as such is websocket/refusal.ts'.
 */
import type { Refusal } from "../websocket/handshake.ts";

const RETRY_SOON = { "Retry-After": "1" };

export const HEALTHY = answer(200, "ok");
export const NOT_READY = answer(503, "The gateway is stopping.", RETRY_SOON);
export const PATH_UNKNOWN = answer(404, "No hub has this path.");
export const ORIGIN_NOT_ALLOWED = answer(
  403,
  "Pages of this origin may not connect here; the hub's origins can list it.",
);
export const HANDSHAKE_TIMED_OUT = answer(408, "The request head did not arrive in time.");
export const CONNECT_TIMED_OUT = answer(503, "The service did not answer in time.", RETRY_SOON);
export const TOO_MANY_CONNECTIONS = answer(503, "The gateway is full.", RETRY_SOON);
export const TOO_MANY_HANDSHAKES = answer(
  503,
  "Too many clients are connecting at once.",
  RETRY_SOON,
);
export const OUT_OF_BUFFERS = answer(503, "The gateway is out of buffers.", RETRY_SOON);

function answer(status: number, sentence: string, headers: Record<string, string> = {}): Refusal {
  return Object.freeze({ status, sentence, headers: Object.freeze(headers) });
}
