/** What a service's side of the link does with what a gateway sends, right and wrong. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { connect as dialSocket } from "node:net";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { makeTemporaryFolder } from "../../../test/support/temporary-folder.ts";
import { until } from "../../../test/support/until.ts";
import {
  ACKNOWLEDGE,
  ANSWER_TEXT,
  CLOSE,
  CONNECT_ANSWER,
  CONNECTED,
  GATEWAY_GOODBYE,
  type GatewayFrame,
  PING,
  PONG,
  REJECT,
  SERVICE_GOODBYE,
  WELCOME,
} from "../../link/frame.ts";
import type { Message } from "../message.ts";
import { createService, type Service, type ServiceOptions } from "../service.ts";
import {
  encodeFrames,
  LinkPeer,
  messageFrame,
  signHello,
  textOf,
} from "./link-peer.test.helper.ts";

const NONCE = "AAAAAAAAAAA";

interface Stage {
  service: Service;
  errors: Error[];
  port: number;
}

async function set(options: Partial<ServiceOptions> = {}): Promise<Stage> {
  const errors: Error[] = [];
  const onError = (error: Error) => errors.push(error);
  const service = createService({ hub: "chat", onError, closeTimeoutMs: 1000, ...options });
  after(() => service.close());
  const { port } = await service.listenLink(0);
  return { service, errors, port: port as number };
}

describe("a HELLO", () => {
  test("is welcomed with the credit that the service has", async () => {
    const { port, service } = await set({
      link: { eventsMax: 5, bytesMax: 6, frameBytesMax: 700 },
    });
    const peer = await LinkPeer.open(port);
    const welcome = { type: WELCOME, version: 1, eventsMax: 5, bytesMax: 6, frameBytesMax: 700 };
    assert.deepEqual(peer.frames, [welcome]);
    assert.equal(service.linkCount, 1);
  });

  for (const [what, hello, sentence] of [
    ["of another version", { version: 2 }, /of 127.0.0.1 was closed .* it speaks version 2/],
    ["for another hub", { hub: "chess" }, /wrong-value: it is for the hub "chess"/],
  ] as const) {
    test(`${what} closes the link, and onError says why`, async () => {
      const { errors, port } = await set();
      const peer = await LinkPeer.dial(port);
      peer.hello(hello);
      await peer.until(() => peer.isClosed, "the end");
      assert.match(errors[0]?.message ?? "", sentence);
      assert.equal((errors[0] as { code?: string }).code, "HG_LINK_FAULT");
    });
  }

  test("has to be signed by one of the keys, and a moment ago", async () => {
    const { errors, port } = await set({ keys: ["new", "old"] });
    const now = Math.floor(Date.now() / 1000);
    for (const key of ["new", "old"]) {
      await LinkPeer.open(port, { signature: signHello(key, "chat", NONCE, now) });
    }
    for (const signature of [
      "",
      "t=1,v1=",
      signHello("other", "chat", NONCE, now),
      signHello("new", "chess", NONCE, now),
      signHello("new", "chat", "BBBBBBBBBBB", now),
      signHello("new", "chat", NONCE, now - 310),
    ]) {
      const peer = await LinkPeer.dial(port);
      peer.hello({ signature });
      await peer.until(() => peer.isClosed, "the end");
    }
    assert.equal(errors.filter(({ message }) => message.includes("not signed")).length, 6);
    assert.match(errors[0]?.message ?? "", /is not signed: the hub has no signingKeys/);
  });

  test("has to be the first frame, and short", async () => {
    const { errors, port } = await set();
    const early = await LinkPeer.dial(port);
    early.send({ type: PING, token: 1 });
    await early.until(() => early.isClosed, "the end");
    assert.match(errors[0]?.message ?? "", /out-of-place: the first frame is no HELLO/);
    const long = await LinkPeer.dial(port);
    long.socket.write(Buffer.concat([Buffer.from([0, 1, 0, 0, 1]), Buffer.alloc(5000)]));
    await long.until(() => long.isClosed, "the end");
    assert.match(errors[1]?.message ?? "", /bytes came, and no HELLO/);
  });

  test("is taken in whatever pieces it comes, and so is all behind it", async () => {
    const { port, service } = await set();
    service.on("message", (message) => message.reply(message.text()));
    const whole = await LinkPeer.open(port);
    whole.open(1, `${NONCE}.a`);
    whole.message(1, 1, "whole");
    await whole.frame(({ type }) => type === ANSWER_TEXT);
    const peer = await LinkPeer.open(port);
    const open = { type: 3, channel: 1, connectionId: `${NONCE}.b`, userId: "" } as const;
    const frames = [
      { ...open, subprotocol: "", connectionState: "" } as GatewayFrame,
      ...["one", "two", "three"].map((text, index) => messageFrame(1, index + 1, text)),
    ];
    for (const byte of encodeFrames(frames)) {
      await new Promise<void>((resolve) => {
        peer.socket.write(Uint8Array.of(byte), () => resolve());
      });
    }
    await peer.until(() => peer.of(ANSWER_TEXT).length === 3, "three answers");
    assert.deepEqual(peer.of(ANSWER_TEXT).map(textOf), ["one", "two", "three"]);
  });
});

describe("a link", () => {
  test("answers a PING at once, also while handlers are under way", async () => {
    const { port, service } = await set();
    service.on("message", () => new Promise(() => {}));
    const peer = await LinkPeer.open(port);
    peer.open(1, `${NONCE}.a`);
    peer.message(1, 1, "a");
    peer.send({ type: PING, token: 7 });
    const pong = await peer.frame(({ type }) => type === PONG);
    assert.deepEqual(pong, { type: PONG, token: 7 });
  });

  test("acknowledges what one chunk brought in one frame for each channel", async () => {
    const { port, service } = await set();
    service.on("message", (message) => {
      if (message.number === 3) message.reply("three");
    });
    const peer = await LinkPeer.open(port);
    peer.open(1, `${NONCE}.a`);
    peer.open(2, `${NONCE}.b`);
    peer.send(
      ...[messageFrame(1, 1, "a"), messageFrame(2, 1, "a"), messageFrame(1, 2, "a")],
      ...[messageFrame(1, 3, "a"), messageFrame(1, 4, "a"), messageFrame(2, 2, "a")],
    );
    await peer.until(() => peer.of(ACKNOWLEDGE).length === 3, "acknowledgements");
    const told = peer
      .of(ACKNOWLEDGE, ANSWER_TEXT)
      .map((frame) => [frame.channel, frame.type === ACKNOWLEDGE ? frame.events : "answer"]);
    const expected = [
      [1, 2],
      [1, "answer"],
      [1, 1],
      [2, 2],
    ];
    assert.deepEqual(told, expected);
  });

  test("ends a channel with a REJECT, and takes its connection again on a new one", async () => {
    const { errors, port, service } = await set();
    const seen: string[] = [];
    let isBroken = true;
    service.on("message", async (message) => {
      seen.push(message.text());
      if (isBroken) throw new Error("out of luck");
    });
    const peer = await LinkPeer.open(port);
    peer.open(1, `${NONCE}.a`);
    peer.send(messageFrame(1, 1, "a"), messageFrame(1, 2, "b"));
    const reject = await peer.frame(({ type }) => type === REJECT);
    const cause = "the handler failed";
    assert.deepEqual(reject, { type: REJECT, channel: 1, kind: 2, retryAfterMs: 0, cause });
    isBroken = false;
    peer.message(1, 3, "ignored");
    peer.open(2, `${NONCE}.a`);
    peer.send(messageFrame(2, 1, "a"), messageFrame(2, 2, "b"));
    await peer.until(() => peer.of(ACKNOWLEDGE).length > 0, "acknowledgements");
    await until(() => seen.length === 3);
    assert.deepEqual(seen, ["a", "a", "b"]);
    assert.equal(errors.length, 1);
  });

  for (const [what, frames, sentence] of [
    ["an event of a channel that is not open", [messageFrame(1, 1, "a")], /channel 1 has an event/],
    ["a channel that is opened twice", [open(1), open(1)], /channel 1 was opened behind 1/],
    ["a second HELLO", [hello()], /a second HELLO/],
    ["a CONNECT that is no JSON", [connect("{")], /tells no handshake/],
  ] as [string, GatewayFrame[], RegExp][]) {
    test(`is closed for ${what}`, async () => {
      const { errors, port } = await set();
      const peer = await LinkPeer.open(port);
      peer.send(...frames);
      await peer.until(() => peer.isClosed, "the end");
      assert.match(errors[0]?.message ?? "", sentence);
    });
  }

  test("is closed for a frame that is too long, or of no type", async () => {
    const { errors, port } = await set({ link: { frameBytesMax: 1000 } });
    for (const bytes of [
      [0, 0, 4, 0, 5],
      [0, 0, 0, 1, 0x7f],
    ]) {
      const peer = await LinkPeer.open(port);
      peer.socket.write(Uint8Array.from(bytes));
      await peer.until(() => peer.isClosed, "the end");
    }
    assert.match(errors[0]?.message ?? "", /frame-too-large/);
    assert.match(errors[1]?.message ?? "", /unknown-type/);
  });

  test("is closed when more events wait than its credit has", async () => {
    const { errors, port, service } = await set({ link: { eventsMax: 3 } });
    service.on("message", () => new Promise(() => {}));
    const peer = await LinkPeer.open(port);
    peer.open(1, `${NONCE}.a`);
    peer.send(...[1, 2, 3].map((number) => messageFrame(1, number, "a")));
    peer.send({ type: PING, token: 1 });
    await peer.frame(({ type }) => type === PONG);
    peer.message(1, 4, "a");
    await peer.until(() => peer.isClosed, "the end");
    assert.match(errors[0]?.message ?? "", /4 events of 4 bytes are unacknowledged/);
  });

  test("fails a message whose reply is longer than the gateway takes", async () => {
    const { errors, port, service } = await set();
    service.on("message", (message) => message.reply(Buffer.alloc(100)));
    const peer = await LinkPeer.open(port, { frameBytesMax: 104 });
    peer.open(1, `${NONCE}.a`);
    peer.message(1, 1, "a");
    const reject = await peer.frame(({ type }) => type === REJECT);
    assert.equal((reject as { kind: number }).kind, 2);
    assert.match(errors[0]?.message ?? "", /100 bytes, and the gateway takes frames of 104/);
  });

  test("reads no further while its answers are not taken, and loses none", async () => {
    const { port, service } = await set();
    let handled = 0;
    const payload = Buffer.alloc(60_000, 1);
    service.on("message", (message) => {
      handled += 1;
      message.reply(message.bytes);
    });
    const peer = await LinkPeer.open(port);
    peer.socket.pause();
    peer.open(1, `${NONCE}.a`);
    const COUNT = 1000;
    for (let number = 1; number <= COUNT; number += 1) peer.message(1, number, payload);
    await steady(() => handled);
    assert.ok(handled > 0 && handled < COUNT, `${handled} were handled`);
    peer.socket.resume();
    await peer.until(() => peer.frames.length === 1 + COUNT, "all answers");
    assert.equal(handled, COUNT);
  });

  test("says GOODBYE when the service closes, and ends when what it took is answered", async () => {
    const { errors, port, service } = await set();
    let finish = () => {};
    const messages: Message[] = [];
    service.on("message", (message) => {
      messages.push(message);
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    const peer = await LinkPeer.open(port);
    peer.open(1, `${NONCE}.a`);
    peer.message(1, 1, "a");
    await until(() => messages.length === 1);
    const closed = service.close();
    await peer.frame(({ type }) => type === SERVICE_GOODBYE);
    peer.message(1, 2, "late");
    peer.open(2, `${NONCE}.b`);
    peer.message(2, 1, "later");
    peer.connect(7, `${NONCE}.c`, {});
    peer.send({ type: CLOSE, channel: 2 }, { type: PING, token: 9 });
    await peer.frame(({ type }) => type === PONG);
    finish();
    await closed;
    await peer.until(() => peer.isClosed, "the end");
    assert.equal(peer.of(CONNECT_ANSWER).length, 1);
    assert.deepEqual(peer.of(ACKNOWLEDGE), [{ type: ACKNOWLEDGE, channel: 1, events: 1 }]);
    assert.equal(messages.length, 1);
    assert.deepEqual(errors, []);
    await assert.rejects(LinkPeer.dial(port), { code: "ECONNREFUSED" });
    await assert.rejects(service.listenLink(0), { code: "HG_SERVICE_CLOSED" });
  });

  test("goes on after a GOODBYE of the gateway until that closes it", async () => {
    const { errors, port, service } = await set();
    service.on("message", async (message) => message.reply("done"));
    const peer = await LinkPeer.open(port);
    peer.open(1, `${NONCE}.a`);
    peer.send(messageFrame(1, 1, "a"), { type: GATEWAY_GOODBYE });
    await peer.frame(({ type }) => type === ANSWER_TEXT);
    peer.socket.end();
    await peer.until(() => peer.isClosed, "the end");
    assert.equal(service.linkCount, 0);
    assert.deepEqual(errors, []);
  });

  test("that breaks hands its connection on only when the handler there is done", async () => {
    const { port, service } = await set();
    const log: string[] = [];
    let finish = () => {};
    service.on("message", async (message) => {
      log.push(`begin ${message.number}`);
      if (log.length === 1) {
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
      }
      log.push(`end ${message.number}`);
    });
    const first = await LinkPeer.open(port);
    first.open(1, `${NONCE}.a`);
    first.send(messageFrame(1, 1, "a"), messageFrame(1, 2, "b"));
    await until(() => log.length === 1);
    first.socket.destroy();
    await until(() => service.linkCount === 0);
    const second = await LinkPeer.open(port);
    second.open(1, `${NONCE}.a`);
    second.send(messageFrame(1, 1, "a"), messageFrame(1, 2, "b"), { type: PING, token: 1 });
    await second.frame(({ type }) => type === PONG);
    assert.deepEqual(log, ["begin 1"]);
    finish();
    const acknowledged = () => second.of(ACKNOWLEDGE).reduce((sum, { events }) => sum + events, 0);
    await second.until(() => acknowledged() === 2, "both acknowledged");
    const twice = ["begin 1", "end 1", "begin 1", "end 1", "begin 2", "end 2"];
    assert.deepEqual(log, twice);
  });

  test("can be one of many, by a Unix socket too", async () => {
    const { port, service } = await set({ link: { linksMax: 3 } });
    const path = join(makeTemporaryFolder({}), "chat.sock");
    await service.listenLink({ path });
    assert.ok(existsSync(path));
    const seen: string[] = [];
    service.on("connected", ({ connectionId }) => seen.push(connectionId));
    const peers = [await LinkPeer.open(port, { nonce: "A" }), await LinkPeer.open(port)];
    for (const [index, peer] of peers.entries()) {
      peer.open(1, `${index}`);
      peer.send({ type: CONNECTED, channel: 1, timeMs: 1 });
      await peer.frame(({ type }) => type === ACKNOWLEDGE);
    }
    assert.deepEqual(seen, ["0", "1"]);
    const local = dialSocket(path);
    after(() => local.destroy());
    await until(() => local.readyState === "open");
    const refused = await LinkPeer.dial(port);
    await refused.until(() => refused.isClosed, "the end of a fourth");
  });
});

function open(channel: number): GatewayFrame {
  const named = { connectionId: `${NONCE}.a`, userId: "", subprotocol: "", connectionState: "" };
  return { type: 3, channel, ...named };
}

function hello(): GatewayFrame {
  const names = { gateway: "g", hub: "chat", nonce: NONCE, signature: "" };
  return { type: 1, version: 1, frameBytesMax: 100, ...names };
}

function connect(body: string): GatewayFrame {
  const bytes = Buffer.from(body);
  const rest = { traceparent: "", tracestate: "", bytes, start: 0, end: bytes.length };
  return { type: 2, request: 1, timeMs: 1, connectionId: `${NONCE}.a`, ...rest };
}

/** Resolves when it has not grown for a while, which nobody announces. */
async function steady(value: () => number): Promise<void> {
  let last = -1;
  let quietSinceMs = performance.now();
  await until(() => {
    if (value() !== last) {
      last = value();
      quietSinceMs = performance.now();
    }
    return last > 0 && performance.now() - quietSinceMs > 200;
  });
}
