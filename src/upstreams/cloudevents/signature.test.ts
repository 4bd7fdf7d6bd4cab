import assert from "node:assert/strict";
import { test } from "node:test";
import { signConnection, signEvent } from "./signature.ts";

// The expected digests come from another implementation:
// printf '%s' 'abc.def' | openssl dgst -sha256 -hmac key-one
const FIRST = "f9a8f99cd0714919f5b0ffbfc5a52d0fc4d32fed9685317492c61075c391ac91";
const SECOND = "9b02253800a56ef801b28bc6f5337fa453c02a3e3055e6714b36583eda2e7955";

test("ce-signature holds one signature of the connection's id for each key", () => {
  assert.equal(signConnection(["key-one"], "abc.def"), `sha256=${FIRST}`);
  assert.equal(
    signConnection(["key-one", "key-two"], "abc.def"),
    `sha256=${FIRST},sha256=${SECOND}`,
  );
});

test("headgate-signature covers time, id, type, source, user, state and body", () => {
  const event = {
    id: "n-1",
    type: "headgate.user.message",
    source: "/hubs/chat/client/abc.def",
    userId: "anna%20smith",
    connectionState: "s",
    body: Buffer.from("hello\n"),
  };
  const digest = "da113e57aa55f7682a4c4a46d3ff406d8ef04f0e0ab5021abb622add91f82209";
  assert.equal(signEvent("key-one", 1_700_000_000, event), `t=1700000000,v1=${digest}`);
  const changes = [
    { id: "n-2" },
    { type: "headgate.sys.connect" },
    { source: "/hubs/chat/client/abc.deg" },
    { userId: "" },
    { connectionState: "t" },
    { body: Buffer.from("hello") },
  ];
  for (const change of changes) {
    assert.ok(!signEvent("key-one", 1_700_000_000, { ...event, ...change }).includes(digest));
  }
  assert.ok(!signEvent("key-one", 1_700_000_001, event).includes(digest));
  assert.ok(!signEvent("key-two", 1_700_000_000, event).includes(digest));
});
