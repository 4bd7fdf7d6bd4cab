/**
 * An event on its way to a service, whatever carrier takes it there: its name, id, time and
 * payload, and the bodies that are ours to write.
 */
import { randomBytes } from "node:crypto";

export type EventName = "connect" | "connected" | "message" | "disconnected";

export const TEXT_TYPE = "text/plain; charset=utf-8";
export const BINARY_TYPE = "application/octet-stream";
export const JSON_TYPE = "application/json";

export interface ServiceEvent {
  readonly name: EventName;
  /** The same on every redelivery, so that the service can tell one. */
  readonly id: string;
  /** When it happened, by the wall clock. */
  readonly timeMs: number;
  /** Counts a connection's messages from 1; 0 for every other event. */
  readonly messageNumber: number;
  readonly contentType: string;
  readonly body: Buffer;
}

/** Ids of one sender: unique among all by their nonce, cheap by their counter. */
export class EventIds {
  readonly #nonce = randomBytes(8).toString("base64url");
  #count = 0;

  next(): string {
    this.#count += 1;
    return `${this.#nonce}-${this.#count.toString(36)}`;
  }
}

export const CONNECTED_BODY: Buffer = Buffer.from("{}");

/** What `writeDisconnectedBody` wrote. */
export function readDisconnectedBody(body: Buffer): { reason: string; code: number } {
  return JSON.parse(body.toString()) as { reason: string; code: number };
}

export function writeDisconnectedBody(reason: string, code: number): Buffer {
  return Buffer.from(JSON.stringify({ reason, code }));
}
