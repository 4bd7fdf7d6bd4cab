/** Requests as the gateway makes them, by its own functions. */
import { BINARY, type MessageOpcode, TEXT } from "../../core/opcode.ts";
import { writeHeaders } from "../../upstreams/cloudevents/headers.ts";
import { signEvent } from "../../upstreams/cloudevents/signature.ts";
import {
  BINARY_TYPE,
  JSON_TYPE,
  type ServiceEvent,
  TEXT_TYPE,
} from "../../upstreams/delivery/event.ts";
import { BatchBody, beginOf, writeEvent } from "../../upstreams/http/batch-body.ts";

/** What a service is told. */
export type Told =
  | { name: "message"; number: number; opcode: MessageOpcode; payload: Buffer }
  | { name: "connect" | "connected" | "disconnected"; body: string };

export interface Facts {
  connectionId: string;
  userId?: string;
  connectionState?: string;
}

export interface Sending {
  signingKeys?: string[];
  sentAtMs?: number;
  hub?: string;
}

export function text(number: number, payload: string): Told {
  return { name: "message", number, opcode: TEXT, payload: Buffer.from(payload) };
}

export function binary(number: number, payload: Uint8Array): Told {
  return { name: "message", number, opcode: BINARY, payload: Buffer.from(payload) };
}

export const CONNECTED: Told = { name: "connected", body: "{}" };
export const DISCONNECTED: Told = {
  name: "disconnected",
  body: JSON.stringify({ reason: "client-gone", code: 1006 }),
};

function eventOf({ connectionId }: Facts, told: Told): ServiceEvent {
  const timeMs = 1_700_000_000_000;
  if (told.name !== "message") {
    const id = `${connectionId}-${told.name}`;
    const body = Buffer.from(told.body);
    return { name: told.name, id, timeMs, messageNumber: 0, contentType: JSON_TYPE, body };
  }
  const contentType = told.opcode === TEXT ? TEXT_TYPE : BINARY_TYPE;
  const more = { id: `${connectionId}-${told.number}`, contentType, body: told.payload };
  return { name: told.name, timeMs, messageNumber: told.number, ...more };
}

function factsOf({ connectionId, connectionState, userId }: Facts) {
  const state = connectionState === "" ? undefined : connectionState;
  const user = userId === "" ? undefined : userId;
  return { connectionId, userId: user, subprotocol: undefined, connectionState: state };
}

function senderOf({ hub = "chat", signingKeys = [] }: Sending) {
  return { hub, origin: "gateway.example", signingKeys };
}

export function asRequest(facts: Facts, told: Told, sending: Sending = {}) {
  const event = eventOf(facts, told);
  const list = writeHeaders(
    event,
    factsOf(facts),
    senderOf(sending),
    sending.sentAtMs ?? Date.now(),
  );
  const headers: Record<string, string> = {};
  for (let at = 0; at < list.length; at += 2) headers[list[at] as string] = list[at + 1] as string;
  return { method: "POST", headers, body: event.body };
}

export function asBatch(facts: Facts, events: readonly Told[], sending: Sending = {}) {
  const begin = beginOf(factsOf(facts) as never, senderOf(sending));
  const writer = new BatchBody(1 << 20);
  writer.begin();
  for (const told of events) writer.add(writeEvent(eventOf(facts, told), begin));
  const body = writer.end();
  const headers: Record<string, string> = {
    "content-type": "application/cloudevents-batch+json; charset=utf-8",
  };
  const [key] = sending.signingKeys ?? [];
  if (key !== undefined) {
    const none = { id: "", type: "", source: "", userId: "", connectionState: "" };
    const seconds = Math.floor((sending.sentAtMs ?? Date.now()) / 1000);
    headers["headgate-signature"] = signEvent(key, seconds, { ...none, body });
  }
  return { method: "POST", headers, body };
}
