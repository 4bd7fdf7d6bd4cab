import assert from "node:assert/strict";
import { test } from "node:test";
import type { MsgHdrs } from "@nats-io/transport-node";
import { EventIds, TEXT_TYPE } from "../delivery/event.ts";
import { writeEventHeaders } from "./headers.ts";

const event = {
  name: "message",
  id: new EventIds().next(),
  timeMs: 0,
  messageNumber: 7,
  contentType: TEXT_TYPE,
  body: Buffer.from("hi"),
} as const;
const facts = {
  connectionId: "n.p",
  userId: "Zoë",
  subprotocol: "v1",
  connectionState: '{"a":1}',
};
const sender = { hub: "chat", origin: "gateway.example", signingKeys: ["key"] };

/** What the library gets to send. */
function linesOf(written: MsgHdrs): string[] {
  const text = Buffer.from((written as MsgHdrs & { encode(): Uint8Array }).encode()).toString();
  assert.ok(text.startsWith("NATS/1.0\r\n") && text.endsWith("\r\n\r\n"));
  return text.split("\r\n").slice(1, -2);
}

test("an event has its attributes, its content type and its signatures as headers", () => {
  const lines = linesOf(writeEventHeaders(event, facts, sender, "headgate.push.chat.conn.n.p"));
  const all = Object.fromEntries(lines.map((line) => line.split(": ")));
  const { "ce-signature": ofConnection, "headgate-signature": ofEvent, ...others } = all;
  assert.match(ofEvent as string, /^t=\d+,v1=[0-9a-f]{64}$/);
  assert.match(ofConnection as string, /^sha256=[0-9a-f]{64}$/);
  assert.deepEqual(others, {
    "content-type": TEXT_TYPE,
    "ce-specversion": "1.0",
    "ce-type": "headgate.user.message",
    "ce-source": "/hubs/chat/client/n.p",
    "ce-id": event.id,
    "ce-time": "1970-01-01T00:00:00.000Z",
    "ce-hub": "chat",
    "ce-connectionid": "n.p",
    "ce-eventname": "message",
    "ce-userid": "Zo%C3%AB",
    "ce-subprotocol": "v1",
    "ce-connectionstate": "{%22a%22:1}",
    "ce-messagenumber": "7",
    "headgate-reply-to": "headgate.push.chat.conn.n.p",
  });
});

test("an event that nobody can answer has no headgate-reply-to", () => {
  const lines = linesOf(writeEventHeaders(event, facts, sender, undefined, ["tracestate", "a"]));
  assert.ok(!lines.some((line) => line.startsWith("headgate-reply-to")));
  assert.equal(lines.at(-1), "tracestate: a");
});
