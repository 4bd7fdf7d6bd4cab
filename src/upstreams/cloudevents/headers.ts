/**
 * One event as CloudEvents 1.0 in HTTP's binary mode, which NATS has as well: its header fields. A
 * message's payload is carried as it came. Nothing here sends.
 */
import type { EventName, ServiceEvent } from "../delivery/event.ts";
import type { ConnectionFacts } from "../upstream.ts";
import { encodeAttribute } from "./attribute.ts";
import { signConnection, signEvent } from "./signature.ts";

export const types: Readonly<Record<EventName, string>> = {
  connect: "headgate.sys.connect",
  connected: "headgate.sys.connected",
  message: "headgate.user.message",
  disconnected: "headgate.sys.disconnected",
};

/** What is the same for all events of a hub. */
export interface Sender {
  hub: string;
  /** The gateway's name: `WebHook-Request-Origin`. */
  origin: string;
  signingKeys: readonly string[];
}

export function sourceOf(hub: string, connectionId: string): string {
  return `/hubs/${hub}/client/${connectionId}`;
}

let lastMs = Number.NaN;
let lastTime = "";

/** RFC 3339. Many events happen in one millisecond, and formatting takes longer than the rest. */
export function formatTime(timeMs: number): string {
  if (timeMs !== lastMs) {
    lastMs = timeMs;
    lastTime = new Date(timeMs).toISOString();
  }
  return lastTime;
}

/** Names and values in turn. `sentAtMs`, by the wall clock, goes into the signature. */
export function writeHeaders(
  event: ServiceEvent,
  facts: ConnectionFacts,
  sender: Sender,
  sentAtMs: number,
): string[] {
  const type = types[event.name];
  const source = sourceOf(sender.hub, facts.connectionId);
  const userId = encodeAttribute(facts.userId ?? "");
  const connectionState = encodeAttribute(facts.connectionState ?? "");
  const headers = ["content-type", event.contentType, "webhook-request-origin", sender.origin];
  headers.push("ce-specversion", "1.0", "ce-type", type, "ce-source", source, "ce-id", event.id);
  headers.push("ce-time", formatTime(event.timeMs), "ce-hub", sender.hub);
  headers.push("ce-connectionid", facts.connectionId, "ce-eventname", event.name);
  if (userId !== "") headers.push("ce-userid", userId);
  if (facts.subprotocol !== undefined) {
    headers.push("ce-subprotocol", encodeAttribute(facts.subprotocol));
  }
  if (connectionState !== "") headers.push("ce-connectionstate", connectionState);
  if (event.messageNumber > 0) headers.push("ce-messagenumber", String(event.messageNumber));
  const [key] = sender.signingKeys;
  if (key !== undefined) {
    const signed = { id: event.id, type, source, userId, connectionState, body: event.body };
    headers.push("ce-signature", signConnection(sender.signingKeys, facts.connectionId));
    headers.push("headgate-signature", signEvent(key, Math.floor(sentAtMs / 1000), signed));
  }
  return headers;
}
