import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { until } from "../../../test/support/until.ts";
import { BINARY, TEXT } from "../../core/opcode.ts";
import {
  ACKNOWLEDGE,
  ANSWER_BINARY,
  ANSWER_TEXT,
  CLOSE,
  CONNECT,
  CONNECT_ANSWER,
  type Connect,
  CREDIT,
  HELLO,
  MESSAGE_TEXT,
  OPEN,
  REJECT,
  REJECT_FAILED,
  REJECT_HELD,
  REJECT_REFUSED,
  SEND_BINARY,
  SEND_TEXT,
  STATE,
} from "../../link/frame.ts";
import { connectRequest } from "../fixtures.test.helper.ts";
import { Instance, startBench } from "./fixtures.test.helper.ts";

const hang = () => {};

function payload(text: string) {
  const bytes = Buffer.from(text);
  return { bytes, start: 0, end: bytes.length };
}

describe("events over a link", () => {
  test("of one connection go without waiting for each other, and in order", async () => {
    const instance = await Instance.start();
    instance.respond = hang;
    const bench = startBench([instance.url]);
    bench.open(1);
    bench.upstream.connected(1);
    bench.say(1, "a", "b");
    await instance.until(() => instance.events.length === 3);
    bench.say(1, "c");
    bench.upstream.disconnected(1, "client-closed", 1000);
    await instance.until(() => instance.events.length === 5);
    const { link } = instance;
    assert.deepEqual(
      instance.events.map(({ name, number, text }) => [name, number, text]),
      [
        ["connected", 0, ""],
        ["message", 1, "a"],
        ["message", 2, "b"],
        ["message", 3, "c"],
        ["disconnected", 0, "1000 client-closed"],
      ],
    );
    assert.equal(link.of(OPEN).length, 1);
    assert.equal(bench.upstream.heldBytes, 3);
    assert.equal(bench.upstream.counts().inflight, 5);
    link.send({ type: ACKNOWLEDGE, channel: 1, events: 5 });
    await until(() => bench.upstream.counts().inflight === 0);
    assert.equal(bench.upstream.heldBytes, 0);
    assert.equal(bench.upstream.counts().lanes, 0);
    // The sink is told nothing of a place that is gone.
    assert.equal(bench.sink.calls.length, 0);
  });

  test("have one channel for as long as their connection is there, idle or not", async () => {
    const instance = await Instance.start();
    const bench = startBench([instance.url]);
    bench.sink.open(1, { connectionId: bench.idOf(1), userId: "änne", subprotocol: "v1" });
    bench.say(1, "a");
    await until(() => bench.upstream.counts().lanes === 0);
    bench.open(2);
    bench.say(2, "b");
    bench.say(1, "c");
    await until(() => bench.sink.count("acknowledged") === 3);
    const [first, second, ...others] = instance.link.of(OPEN);
    assert.deepEqual(others, []);
    const empty = { type: OPEN, connectionState: "" };
    const named = { connectionId: bench.idOf(1), userId: "änne", subprotocol: "v1" };
    assert.deepEqual(first, { ...empty, channel: 1, ...named });
    const unnamed = { connectionId: bench.idOf(2), userId: "", subprotocol: "" };
    assert.deepEqual(second, { ...empty, channel: 2, ...unnamed });
    assert.deepEqual(
      instance.link.of(MESSAGE_TEXT).map(({ channel }) => channel),
      [1, 2, 1],
    );
  });

  test("are answered one by one or acknowledged together; clients get the answers", async () => {
    const instance = await Instance.start();
    instance.respond = (link, { channel, text }) => {
      if (text === "a") link.send({ type: ANSWER_TEXT, channel, ...payload("to a") });
      if (text === "c") link.send({ type: ACKNOWLEDGE, channel, events: 2 });
      if (text === "d") link.send({ type: ANSWER_BINARY, channel, ...payload("\u0001") });
      if (text === "d") link.send({ type: SEND_TEXT, channel, ...payload("later") });
    };
    const bench = startBench([instance.url]);
    bench.open(1);
    bench.say(1, "a", "b", "c", "d");
    await until(() => bench.sink.count("reply") === 3);
    assert.deepEqual(bench.sink.calls, [
      { call: "reply", place: 1, opcode: TEXT, text: "to a" },
      { call: "acknowledged", place: 1, messages: 1, bytes: 1 },
      { call: "acknowledged", place: 1, messages: 1, bytes: 1 },
      { call: "acknowledged", place: 1, messages: 1, bytes: 1 },
      { call: "reply", place: 1, opcode: BINARY, text: "\u0001" },
      { call: "acknowledged", place: 1, messages: 1, bytes: 1 },
      { call: "reply", place: 1, opcode: TEXT, text: "later" },
    ]);
  });

  test("fail with an answer over serviceResponseBytesMax, and those behind wait", async () => {
    const instance = await Instance.start();
    instance.respond = (link, { channel, text }) => {
      const answer = text === "a" ? "x".repeat(1001) : "x".repeat(1000);
      link.send({ type: ANSWER_TEXT, channel, ...payload(answer) });
    };
    const bench = startBench([instance.url], { limits: { serviceResponseBytesMax: 1000 } });
    bench.open(1);
    bench.open(2);
    bench.say(2, "c");
    bench.say(1, "a", "b");
    await until(() => bench.sink.count("fail") === 1);
    await instance.until(() => instance.link.of(CLOSE).length === 3);
    const seen = instance.events.map(({ text }) => text).filter((text) => text !== "c");
    assert.deepEqual(seen, ["a", "b", "a", "b", "a", "b"]);
    assert.deepEqual(
      instance.link.of(CLOSE).map(({ channel }) => channel),
      [2, 3, 4],
    );
    assert.equal(bench.sink.count("reply"), 1);
    assert.equal(bench.sink.count("acknowledged"), 1);
  });

  test("carry the state that the service set, on every later channel", async () => {
    const instance = await Instance.start();
    instance.respond = (link, { channel, text }) => {
      if (text === "set") {
        link.send({ type: STATE, channel, connectionState: "blue" });
        link.send({ type: ACKNOWLEDGE, channel, events: 1 });
      } else if (text === "long") {
        link.send({ type: STATE, channel, connectionState: "x".repeat(65) });
        link.send({ type: ACKNOWLEDGE, channel, events: 1 });
      } else link.send({ type: ACKNOWLEDGE, channel, events: 1 });
    };
    const bench = startBench([instance.url]);
    bench.open(1);
    bench.say(1, "set", "long");
    await until(() => bench.sink.count("acknowledged") === 2);
    assert.deepEqual(bench.sink.calls[0], { call: "state", place: 1, connectionState: "blue" });
    assert.equal(bench.sink.count("state"), 1);
    assert.ok(bench.log.has("error", "connection state that cannot be kept"));
    instance.link.socket.destroy();
    bench.say(1, "again");
    await until(() => bench.sink.count("acknowledged") === 3);
    assert.equal(instance.link.of(OPEN)[0]?.connectionState, "blue");
  });

  test("that are sent to no client any more reach nobody", async () => {
    const instance = await Instance.start();
    const bench = startBench([instance.url]);
    bench.open(1);
    bench.upstream.connected(1);
    bench.upstream.disconnected(1, "client-gone", 1006);
    await until(() => bench.upstream.counts().lanes === 0);
    instance.link.send({ type: SEND_BINARY, channel: 1, ...payload("late") });
    instance.link.send({ type: ACKNOWLEDGE, channel: 1, events: 3 });
    bench.open(2);
    bench.say(2, "x");
    await until(() => bench.sink.count("acknowledged", 2) === 1);
    assert.equal(instance.links.length, 1, "what comes of a channel that is over is no fault");
    assert.equal(bench.sink.count("reply"), 0);
  });

  test("wait for credit, and a single one may be larger than all of it", async () => {
    const instance = await Instance.start();
    instance.welcome = { version: 1, eventsMax: 3, bytesMax: 10, frameBytesMax: 1 << 20 };
    instance.respond = hang;
    const bench = startBench([instance.url]);
    for (const place of [1, 2, 3]) bench.open(place);
    bench.say(1, "a".repeat(20));
    bench.say(2, "b", "c");
    bench.say(3, "d", "e", "f");
    await instance.until(() => instance.events.length === 1);
    const { link } = instance;
    link.send({ type: ACKNOWLEDGE, channel: 1, events: 1 });
    await instance.until(() => instance.events.length === 4);
    assert.deepEqual(instance.texts().slice(1), ["b", "c", "d"]);
    link.send({ type: CREDIT, eventsMax: 4, bytesMax: 10 });
    await instance.until(() => instance.events.length === 5);
    link.send({ type: CREDIT, eventsMax: 100, bytesMax: 10 });
    await instance.until(() => instance.events.length === 6);
    assert.deepEqual(instance.texts().slice(4), ["e", "f"]);
    assert.equal(bench.upstream.counts().inflight, 5);
  });

  test("longer than the service takes close their client, behind those before", async () => {
    const instance = await Instance.start();
    instance.welcome.frameBytesMax = 100;
    const bench = startBench([instance.url]);
    bench.open(1);
    bench.say(1, "short", "x".repeat(90), "behind");
    await until(() => bench.sink.count("fail", 1) === 1);
    assert.deepEqual(bench.sink.calls, [
      { call: "acknowledged", place: 1, messages: 1, bytes: 5 },
      { call: "fail", place: 1, reason: "message-too-big" },
    ]);
    assert.equal(bench.upstream.counts().abandoned["message-too-big"], 2);
    assert.deepEqual(instance.texts(), ["short"]);
  });

  test("of 2 MiB arrive as they were sent, between small ones", async () => {
    const instance = await Instance.start();
    instance.welcome = { ...instance.welcome, frameBytesMax: 1 << 23, bytesMax: 1 << 23 };
    const bench = startBench([instance.url]);
    bench.open(1);
    const large = "0123456789abcdef".repeat(1 << 17);
    bench.say(1, "before", large, "behind");
    await until(() => bench.sink.count("acknowledged") === 3);
    assert.ok(instance.texts()[1] === large);
    assert.deepEqual([instance.texts()[0], instance.texts()[2]], ["before", "behind"]);
  });
});

describe("an event that the service rejects", () => {
  test("as held is tried again on a new channel, before what is behind it", async () => {
    const instance = await Instance.start();
    let rejected = 0;
    instance.respond = (link, { channel, text }) => {
      if (text === "b" && rejected < 2) {
        rejected += 1;
        link.send({ type: REJECT, channel, kind: REJECT_HELD, retryAfterMs: 1, cause: "busy" });
      } else if (link.opened.size === rejected + 1) {
        link.send({ type: ACKNOWLEDGE, channel, events: 1 });
      }
    };
    const bench = startBench([instance.url]);
    bench.open(1);
    bench.say(1, "a", "b", "c", "d");
    await until(() => bench.sink.count("acknowledged") === 4);
    const { link } = instance;
    assert.deepEqual([...link.opened.keys()], [1, 2, 3]);
    const last = instance.events.filter(({ channel }) => channel === 3);
    assert.deepEqual(
      last.map(({ number, text }) => [number, text]),
      [
        [2, "b"],
        [3, "c"],
        [4, "d"],
      ],
    );
    assert.equal(bench.upstream.counts().retries > 0, true);
  });

  test("as failed is tried three times, and then its client is closed", async () => {
    const instance = await Instance.start();
    instance.respond = (link, { channel }) => {
      const cause = "it broke";
      link.send({ type: REJECT, channel, kind: REJECT_FAILED, retryAfterMs: 0, cause });
    };
    const bench = startBench([instance.url]);
    bench.open(1);
    bench.say(1, "a", "b");
    await until(() => bench.sink.count("fail", 1) === 1);
    assert.deepEqual(bench.sink.calls, [{ call: "fail", place: 1, reason: "service-error" }]);
    assert.equal(instance.texts().filter((text) => text === "a").length, 3);
    assert.ok(bench.log.has("warn", "the service failed too often"));
  });

  test("as refused costs its client the connection, and no other one", async () => {
    const instance = await Instance.start();
    instance.respond = (link, { channel, text }) => {
      if (text === "bad") {
        link.send({ type: REJECT, channel, kind: REJECT_REFUSED, retryAfterMs: 0, cause: "" });
      } else link.send({ type: ACKNOWLEDGE, channel, events: 1 });
    };
    const bench = startBench([instance.url]);
    bench.open(1);
    bench.open(2);
    bench.say(1, "bad");
    bench.say(2, "good");
    await until(() => bench.sink.calls.length === 2);
    assert.equal(bench.sink.count("acknowledged", 2), 1);
    assert.deepEqual(
      bench.sink.calls.find(({ call }) => call === "fail"),
      {
        ...{ call: "fail", place: 1, reason: "service-refused" },
      },
    );
    bench.upstream.disconnected(1, "service-refused", 1008);
    await instance.until(() => instance.events.at(-1)?.name === "disconnected");
  });
});

test("an event without an answer for serviceTimeoutMs comes again on a new channel", async () => {
  const instance = await Instance.start();
  instance.respond = (link, { channel }) => {
    if (channel === 1) return;
    link.send({ type: ACKNOWLEDGE, channel, events: 1 });
  };
  const bench = startBench([instance.url], { limits: { serviceTimeoutMs: 500 } });
  bench.open(1);
  bench.say(1, "stuck", "behind");
  await until(() => bench.sink.count("acknowledged") === 2);
  const [closed] = instance.link.of(CLOSE);
  assert.deepEqual(closed, { type: CLOSE, channel: 1 });
  assert.deepEqual(instance.texts().slice(-2), ["stuck", "behind"]);
});

test("HELLO says who we are, and is signed where the hub has a key", async () => {
  const instance = await Instance.start();
  startBench([instance.url], { more: { signingKeys: ["first", "second"] } });
  await instance.until(() => instance.links[0]?.of(HELLO).length === 1);
  const [hello] = instance.link.of(HELLO);
  assert.equal(hello?.version, 1);
  assert.equal(hello?.gateway, "gateway.example");
  assert.equal(hello?.hub, "chat");
  assert.match(hello?.signature ?? "", /^t=\d+,v1=[0-9a-f]{64}$/);
});

test("what a client says that no frame has room for is left out, or costs the client", async () => {
  const instance = await Instance.start();
  const asked: Connect[] = [];
  instance.intercept = (link, frame) => {
    if (frame.type !== CONNECT) return false;
    asked.push(frame);
    const fields = { request: frame.request, contentType: "", connectionState: "" };
    link.send({ type: CONNECT_ANSWER, status: 204, ...fields, ...payload("") });
    return true;
  };
  const bench = startBench([instance.url]);
  await until(() => bench.upstream.counts().links === 1);
  const headers = { traceparent: ["00-1-2-03"], tracestate: ["x".repeat(70_000)] };
  const answer = await bench.upstream.connect({ ...connectRequest, headers }, 5000);
  assert.equal(answer.accepted, true);
  assert.equal(asked[0]?.traceparent, "00-1-2-03");
  assert.equal(asked[0]?.tracestate, "");
  bench.sink.open(1, { subprotocol: "p".repeat(70_000) });
  bench.say(1, "a");
  await until(() => bench.sink.count("fail", 1) === 1);
  assert.equal(bench.upstream.counts().abandoned["message-too-big"], 1);
});
