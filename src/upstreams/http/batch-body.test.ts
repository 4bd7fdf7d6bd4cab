import assert from "node:assert/strict";
import { test } from "node:test";
import { propertyRuns, seededRandom } from "../../../test/support/seed.ts";
import type { Sender } from "../cloudevents/headers.ts";
import { signConnection } from "../cloudevents/signature.ts";
import type { ServiceEvent } from "../delivery/event.ts";
import {
  BINARY_TYPE,
  CONNECTED_BODY,
  JSON_TYPE,
  TEXT_TYPE,
  writeDisconnectedBody,
} from "../delivery/event.ts";
import type { ConnectionFacts } from "../upstream.ts";
import { BatchBody, beginOf, writeEvent } from "./batch-body.ts";

const sender: Sender = { hub: "chat", origin: "gateway.example", signingKeys: [] };
const facts: ConnectionFacts = {
  connectionId: "nonce.place",
  userId: undefined,
  subprotocol: undefined,
  connectionState: undefined,
};
const plain = { id: "n-1", timeMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6), messageNumber: 7 };

function message(contentType: string, body: Buffer): ServiceEvent {
  return { ...plain, name: "message", contentType, body };
}

function parsed(event: ServiceEvent, connection = facts, by = sender): Record<string, unknown> {
  return JSON.parse(writeEvent(event, beginOf(connection, by)));
}

test("an event has the attributes of the binary form, without percent-encoding", () => {
  const named = { userId: 'ann ü "50%"', subprotocol: "v2", connectionState: "a\n\u0000\\" };
  const by = { ...sender, signingKeys: ["key-one", "key-two"] };
  assert.deepEqual(parsed(message(TEXT_TYPE, Buffer.from("hi")), { ...facts, ...named }, by), {
    specversion: "1.0",
    type: "headgate.user.message",
    source: "/hubs/chat/client/nonce.place",
    id: "n-1",
    time: "2026-01-02T03:04:05.006Z",
    hub: "chat",
    connectionid: "nonce.place",
    eventname: "message",
    userid: 'ann ü "50%"',
    subprotocol: "v2",
    connectionstate: "a\n\u0000\\",
    signature: signConnection(["key-one", "key-two"], "nonce.place"),
    messagenumber: 7,
    datacontenttype: "text/plain; charset=utf-8",
    data: "hi",
  });
});

test("what an anonymous connection has not is left out, as are empty names", () => {
  const keys = Object.keys(parsed(message(BINARY_TYPE, Buffer.of(0, 255))));
  for (const absent of ["userid", "subprotocol", "connectionstate", "signature", "data"]) {
    assert.ok(!keys.includes(absent), absent);
  }
  const empty = { ...facts, userId: "", connectionState: "" };
  assert.deepEqual(Object.keys(parsed(message(BINARY_TYPE, Buffer.of(0, 255)), empty)), keys);
});

test("lifecycle events have their data as JSON, and no message's number", () => {
  const shape = { ...plain, messageNumber: 0, contentType: JSON_TYPE };
  const connected = parsed({ ...shape, name: "connected", body: CONNECTED_BODY });
  assert.deepEqual(connected.data, {});
  assert.equal(connected.type, "headgate.sys.connected");
  assert.equal(connected.datacontenttype, "application/json");
  assert.ok(!("messagenumber" in connected));
  const body = writeDisconnectedBody("client-gone", 1006);
  const disconnected = parsed({ ...shape, name: "disconnected", body });
  assert.deepEqual(disconnected.data, { reason: "client-gone", code: 1006 });
});

const texts = [
  ["nothing", ""],
  ["quotes and backslashes", '"\\"\\\\"'],
  [
    "every control character",
    Array.from({ length: 32 }, (_, at) => String.fromCharCode(at)).join(""),
  ],
  ["line and paragraph separators", "a\u2028b\u2029c"],
  ["astral characters", "😀𐍈"],
  ["a byte order mark", "\ufeffa"],
  ["what looks like JSON", '{"a":[1,"]"]}'],
  ["the replacement character", "\ufffd"],
  ["the last of each length of UTF-8", "\u007f\u07ff\uffff\u{10ffff}"],
] as const;

for (const [name, text] of texts) {
  test(`a text of ${name} comes out as it went in`, () => {
    assert.equal(parsed(message(TEXT_TYPE, Buffer.from(text))).data, text);
  });
}

test("binary payloads come out as they went in, whatever their bytes and length", () => {
  const random = seededRandom();
  for (let run = 0; run < propertyRuns(50, 5000); run += 1) {
    const length = Math.floor(random() * 40);
    const bytes = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
    const { data_base64: base64, data } = parsed(message(BINARY_TYPE, bytes));
    assert.equal(Buffer.compare(Buffer.from(String(base64), "base64"), bytes), 0);
    assert.equal(data, undefined);
  }
});

test("a batch fills its bytes to the last one, and takes no more", () => {
  for (const text of ["abcd", "üüüü", "€€€€", "😀😀"]) {
    const event = JSON.stringify(text);
    const bytes = Buffer.byteLength(event);
    for (let short = 0; short < 3; short += 1) {
      const body = new BatchBody(3 * bytes + 4 - short);
      body.begin();
      const taken = [1, 2, 3, 4].filter(() => body.add(event)).length;
      assert.equal(taken, short === 0 ? 3 : 2, `${short} bytes short of three`);
      assert.deepEqual(JSON.parse(body.end().toString()), Array(taken).fill(text));
    }
  }
});

test("an event that is longer than a batch may be goes alone; the next batch is as ever", () => {
  const body = new BatchBody(16);
  const long = JSON.stringify("x".repeat(100));
  body.begin();
  assert.equal(body.add(long), true);
  assert.equal(body.add('"a"'), false);
  assert.deepEqual(body.end().toString(), `[${long}]`);
  body.begin();
  assert.equal(body.add('"a"'), true);
  assert.equal(body.add(long), false);
  assert.equal(body.add('"b"'), true);
  assert.equal(body.end().toString(), '["a","b"]');
});

test("a batch that is under way is not changed by the next one", () => {
  const body = new BatchBody(64);
  body.begin();
  body.add('"first"');
  const first = body.end();
  body.begin();
  body.add('"other"');
  body.end();
  assert.equal(first.toString(), '["first"]');
});
