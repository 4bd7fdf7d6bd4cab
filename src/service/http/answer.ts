/**
 * What one request of the gateway is answered with, before any server or framework has it. The
 * statuses are those of docs/services.md.
 */
import { REJECT_FAILED, REJECT_HELD } from "../../link/frame.ts";
import type { Rejection } from "../fault.ts";

export interface HttpRequest {
  readonly method: string;
  /** A header's value as it stands on the wire. */
  header(name: string): string | undefined;
  readonly body: Buffer;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

export const TEXT_TYPE = "text/plain; charset=utf-8";
export const BINARY_TYPE = "application/octet-stream";
export const NOTHING: Uint8Array = Buffer.alloc(0);

export function plain(status: number, sentence: string, headers: Record<string, string> = {}) {
  const body = Buffer.from(`${sentence}\n`);
  return { status, headers: { "content-type": TEXT_TYPE, ...headers }, body };
}

export function statusOf({ kind }: Rejection): number {
  if (kind === REJECT_HELD) return 503;
  return kind === REJECT_FAILED ? 500 : 400;
}

export function rejected(rejection: Rejection): HttpAnswer {
  const { cause, retryAfterMs } = rejection;
  const wait = retryAfterMs > 0 ? { "retry-after": String(Math.ceil(retryAfterMs / 1000)) } : {};
  return plain(statusOf(rejection), cause, wait);
}

/** The gateway's next attempt opens a connection: to another instance, or to the next process. */
export function lastOfConnection(answer: HttpAnswer): HttpAnswer {
  return { ...answer, headers: { ...answer.headers, connection: "close" } };
}
