/**
 * The two signatures that a service may check: `ce-signature`, over the connection's id, as Azure
 * Web PubSub has it; and `headgate-signature`, over the whole event with the time of sending, so
 * that an old request cannot be played again. It reads no clock.
 */
import { createHmac } from "node:crypto";

/** What `headgate-signature` covers: header values as they stand on the wire, "" for none. */
export interface SignedEvent {
  id: string;
  type: string;
  source: string;
  userId: string;
  connectionState: string;
  body: Uint8Array;
}

/** One signature for each key, so that a service may hold either while keys are changed. */
export function signConnection(keys: readonly string[], connectionId: string): string {
  return keys
    .map((key) => `sha256=${createHmac("sha256", key).update(connectionId).digest("hex")}`)
    .join(",");
}

export function signEvent(key: string, unixSeconds: number, event: SignedEvent): string {
  // None of the values can hold a line feed: they are header values.
  const head = [
    unixSeconds,
    event.id,
    event.type,
    event.source,
    event.userId,
    event.connectionState,
    "",
  ].join("\n");
  const digest = createHmac("sha256", key).update(head).update(event.body).digest("hex");
  return `t=${unixSeconds},v1=${digest}`;
}
