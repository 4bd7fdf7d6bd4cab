/**
 * One event as CloudEvents 1.0 in HTTP's binary mode: its header fields, and the bodies that are
 * ours to write. A message's payload is carried as it came. Nothing here sends.
 */
import { randomBytes } from "node:crypto";
import type { ConnectionFacts, ConnectRequest } from "../upstream.ts";
import { encodeAttribute } from "./attribute.ts";
import { signConnection, signEvent } from "./signature.ts";

export type EventName = "connect" | "connected" | "message" | "disconnected";

export const TEXT_TYPE = "text/plain; charset=utf-8";
export const BINARY_TYPE = "application/octet-stream";
export const JSON_TYPE = "application/json";

const types: Record<EventName, string> = {
  connect: "headgate.sys.connect",
  connected: "headgate.sys.connected",
  message: "headgate.user.message",
  disconnected: "headgate.sys.disconnected",
};

export interface HttpEvent {
  readonly name: EventName;
  /** The same on every redelivery, so that the service can tell one. */
  readonly id: string;
  /** When it happened, by the wall clock. */
  readonly timeMs: number;
  /** Counts a connection's messages from 1; 0 for every other event. */
  readonly messageNumber: number;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** What is the same for all events of a hub. */
export interface Sender {
  hub: string;
  /** The gateway's name: `WebHook-Request-Origin`. */
  origin: string;
  signingKeys: readonly string[];
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

/** Names and values in turn. `sentAtMs`, by the wall clock, goes into the signature. */
export function writeHeaders(
  event: HttpEvent,
  facts: ConnectionFacts,
  sender: Sender,
  sentAtMs: number,
): string[] {
  const type = types[event.name];
  const source = `/hubs/${sender.hub}/client/${facts.connectionId}`;
  const userId = encodeAttribute(facts.userId ?? "");
  const connectionState = encodeAttribute(facts.connectionState ?? "");
  const headers = [
    ...["content-type", event.contentType, "webhook-request-origin", sender.origin],
    ...["ce-specversion", "1.0", "ce-type", type, "ce-source", source, "ce-id", event.id],
    ...["ce-time", new Date(event.timeMs).toISOString(), "ce-hub", sender.hub],
    ...["ce-connectionid", facts.connectionId, "ce-eventname", event.name],
  ];
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

export function writeConnectBody(request: ConnectRequest): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      claims: {},
      query: request.query,
      headers: request.headers,
      subprotocols: request.subprotocols,
      clientCertificates: [],
      path: request.path,
      params: request.params,
      address: request.address,
    }),
  );
}

/** The trace that the client began goes on in the service; W3C Trace Context. */
export function traceHeaders(request: ConnectRequest): string[] {
  const headers: string[] = [];
  for (const name of ["traceparent", "tracestate"]) {
    const value = request.headers[name]?.join(",");
    // What is not plain ASCII is no trace, and would be no header either.
    if (value !== undefined && /^[\x20-\x7e]+$/.test(value)) headers.push(name, value);
  }
  return headers;
}

export const CONNECTED_BODY: Uint8Array = Buffer.from("{}");

export function writeDisconnectedBody(reason: string, code: number): Uint8Array {
  return Buffer.from(JSON.stringify({ reason, code }));
}
