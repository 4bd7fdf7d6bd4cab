/** Tests of how the gateway's events are read: what is signed, what is not, and the encoding. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { encodeAttribute, readEvent } from "./events.ts";

const KEY = "the key";
const NOW_MS = 1_700_000_000_000;
const BODY = Buffer.from('{"type":"say"}');

const plain: Record<string, string> = {
  "ce-id": "id-1",
  "ce-type": "headgate.user.message",
  "ce-source": "/hubs/chat/client/nonce.place",
  "ce-hub": "chat",
  "ce-connectionid": "nonce.place",
  "ce-userid": "Mei%20%E6%A2%85",
  "ce-connectionstate": "lobby",
};

/** By the sentence of the contract, and not by the code under test. */
function signed(key: string, atSeconds: number, body = BODY): Record<string, string> {
  const names = ["ce-id", "ce-type", "ce-source", "ce-userid", "ce-connectionstate"];
  const head = [String(atSeconds), ...names.map((name) => plain[name])].join("\n");
  const digest = createHmac("sha256", key).update(`${head}\n`).update(body).digest("hex");
  return { ...plain, "headgate-signature": `t=${atSeconds},v1=${digest}` };
}

function refusalOf(headers: Record<string, string>, keys: string[], body = BODY): string {
  const event = readEvent(headers, body, keys, NOW_MS);
  return "sentence" in event ? `${event.status} ${event.sentence}` : "taken";
}

test("an event is read with its attributes decoded", () => {
  const event = readEvent(signed(KEY, NOW_MS / 1000), BODY, [KEY], NOW_MS);
  assert.deepEqual(event, {
    kind: "message",
    id: "id-1",
    hub: "chat",
    connectionId: "nonce.place",
    userId: "Mei 梅",
    connectionState: "lobby",
    body: BODY,
  });
});

test("each of the four types has its kind", () => {
  const kinds = ["sys.connect", "sys.connected", "sys.disconnected", "user.message"].map((type) => {
    const event = readEvent({ ...plain, "ce-type": `headgate.${type}` }, BODY, [], NOW_MS);
    return "kind" in event ? event.kind : event.sentence;
  });
  assert.deepEqual(kinds, ["connect", "connected", "disconnected", "message"]);
});

test("any of the keys may have signed, so that a key can be changed", () => {
  assert.equal(refusalOf(signed("old", NOW_MS / 1000), ["new", "old"]), "taken");
});

test("without keys an event needs no signature", () => {
  assert.equal(refusalOf(plain, []), "taken");
});

test("an unsigned event is refused when there is a key", () => {
  assert.match(refusalOf(plain, [KEY]), /^401 .*not signed/);
  assert.match(refusalOf({ ...plain, "headgate-signature": "t=1" }, [KEY]), /^401 .*not signed/);
});

test("an event signed with another key is refused", () => {
  assert.match(refusalOf(signed("wrong", NOW_MS / 1000), [KEY]), /^401 .*another key/);
  const empty = { ...plain, "headgate-signature": `t=${NOW_MS / 1000},v1=` };
  assert.match(refusalOf(empty, [KEY]), /^401 .*another key/);
});

test("a change of the body or of any signed attribute breaks the signature", () => {
  const headers = signed(KEY, NOW_MS / 1000);
  assert.match(refusalOf(headers, [KEY], Buffer.from("other")), /another key/);
  for (const name of ["ce-id", "ce-type", "ce-source", "ce-userid", "ce-connectionstate"]) {
    const value = name === "ce-type" ? "headgate.sys.connect" : "other";
    assert.match(refusalOf({ ...headers, [name]: value }, [KEY]), /another key/, name);
  }
});

test("a recording of a signed event is refused after five minutes, as is one of the future", () => {
  assert.equal(refusalOf(signed(KEY, NOW_MS / 1000 - 300), [KEY]), "taken");
  assert.match(refusalOf(signed(KEY, NOW_MS / 1000 - 301), [KEY]), /^401 .*too old/);
  assert.match(refusalOf(signed(KEY, NOW_MS / 1000 + 301), [KEY]), /^401 .*too old/);
  const nonsense = { ...plain, "headgate-signature": "t=soon,v1=00" };
  assert.match(refusalOf(nonsense, [KEY]), /^401 .*too old/);
});

test("an event of an unknown type, or without what every event has, is refused", () => {
  assert.match(refusalOf({ ...plain, "ce-type": "other" }, []), /^400 ce-type/);
  for (const name of ["ce-id", "ce-hub", "ce-connectionid"]) {
    const headers = { ...plain };
    delete headers[name];
    assert.match(refusalOf(headers, []), /^400 .*needed/, name);
  }
});

test("a percent sign that encodes nothing stands for itself", () => {
  const event = readEvent({ ...plain, "ce-userid": "100%" }, BODY, [], NOW_MS);
  assert.ok("kind" in event);
  assert.equal(event.userId, "100%");
});

test("an attribute that we send is read back the same", () => {
  const value = 'Mei 梅 "100 %" \u{1f600}';
  const headers = { ...plain, "ce-connectionstate": encodeAttribute(value) };
  const event = readEvent(headers, BODY, [], NOW_MS);
  assert.ok("kind" in event);
  assert.equal(event.connectionState, value);
});
