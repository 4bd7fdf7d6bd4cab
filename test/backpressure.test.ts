/** What waits, where, and that it is bounded: windows, queues and those who do not read. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { emptyAnswer, type Target } from "../src/bus/command.ts";
import { formatConnectionId } from "../src/core/connection-id.ts";
import { BINARY } from "../src/core/opcode.ts";
import { HeldUpstream } from "./support/held-upstream.ts";
import { type InProcessGateway, startInProcess } from "./support/in-process-gateway.ts";
import { clientFrame, RawClient } from "./support/raw-client.ts";

const TEXT = 1;

interface Held {
  gateway: InProcessGateway;
  upstream: HeldUpstream;
}

async function startHeld(hub: string, limits = "{}"): Promise<Held> {
  let upstream: HeldUpstream | undefined;
  const gateway = await startInProcess({
    hub: `paths: [/]\nservice: 'http://127.0.0.1:1/'\n${hub}`,
    limits,
    openUpstream: (sink) => {
      upstream = new HeldUpstream(sink);
      return upstream;
    },
  });
  return { gateway, upstream: upstream as HeldUpstream };
}

function sendAll({ gateway }: Held, bytes: Uint8Array, more: object = {}) {
  const target: Target = { kind: "all" };
  return gateway.gateway.execute({
    ...{ verb: "send", hub: "main", target, excluded: [], opcode: BINARY, pushId: undefined },
    ...more,
    bytes,
  } as Parameters<typeof gateway.gateway.execute>[0]);
}

describe("the window of unacknowledged messages", () => {
  test("holds what it holds, parks the rest, and gives all of it in order", async () => {
    const held = await startHeld("limits: { unacknowledgedMessagesMax: 4 }");
    const { gateway, upstream } = held;
    const client = await RawClient.open(gateway.port);
    const texts = Array.from({ length: 100 }, (_, index) => `message ${index}`);
    client.send(Buffer.concat(texts.map((text) => clientFrame(TEXT, text))));
    await upstream.until(() => upstream.messages.length === 4, "a full window");
    let acknowledged = 0;
    while (acknowledged < 100) {
      const open = upstream.messages.length - acknowledged;
      assert.ok(open >= 1 && open <= 4, `${open} messages were open at once`);
      upstream.acknowledge(upstream.messages[acknowledged] as never);
      acknowledged += 1;
      const expected = Math.min(100, acknowledged + 1);
      await upstream.until(() => upstream.messages.length >= expected, "the next message");
    }
    assert.deepEqual(
      upstream.messages.map(({ bytes }) => bytes.toString()),
      texts,
    );
    assert.deepEqual(
      upstream.messages.map(({ number }) => number),
      texts.map((_, index) => index + 1),
    );
    client.destroy();
    await gateway.stop();
  });

  test("stops reading, so that the client's own socket fills up", async () => {
    const { gateway, upstream } = await startHeld("limits: { unacknowledgedBytesMax: 65536 }");
    const client = await RawClient.open(gateway.port);
    const message = clientFrame(BINARY, Buffer.alloc(60_000));
    // 24 MB are more than the kernel's buffers on both sides take.
    for (let count = 0; count < 400; count += 1) client.send(message);
    await upstream.until(() => upstream.messages.length === 2, "a full window");
    await client.until(() => client.socket.writableLength > 0, "the client's backlog");
    for (let at = 0; at < 400; at += 1) {
      await upstream.until(() => upstream.messages.length > at, `message ${at}`);
      const message = upstream.messages[at] as (typeof upstream.messages)[number];
      assert.ok(upstream.messages.length - at <= 2, "no more than the window");
      upstream.acknowledge(message);
    }
    client.destroy();
    await gateway.stop();
  });

  test("does not let go of a client that waits for longer than it may be silent", async () => {
    const limits = "{ pingIntervalMs: 250, pongTimeoutMs: 250, idleTimeoutMs: 500 }";
    const held = await startHeld("limits: { unacknowledgedMessagesMax: 8 }", limits);
    const { gateway, upstream } = held;
    const client = await RawClient.open(gateway.port);
    // It answers no ping, and while it is not read none is asked of it.
    client.send(Buffer.concat(Array(100).fill(clientFrame(TEXT, "waiting"))));
    await upstream.until(() => upstream.messages.length === 8, "a full window");
    const until = Date.now() + 2500;
    await client.until(() => Date.now() > until || client.ended, "time", 2600).catch(() => {});
    assert.equal(client.ended, false);
    assert.equal(client.frames.length, 0);
    for (let at = 0; at < 100; at += 1) {
      await upstream.until(() => upstream.messages.length > at, `message ${at}`);
      upstream.acknowledge(upstream.messages[at] as never);
    }
    client.destroy();
    await gateway.stop();
  });

  test("delivers what a client sent before it left, and tells of the end last", async () => {
    const { gateway, upstream } = await startHeld("limits: { unacknowledgedMessagesMax: 2 }");
    const client = await RawClient.open(gateway.port);
    client.send(Buffer.concat(Array(10).fill(clientFrame(TEXT, "last words"))));
    await upstream.until(() => upstream.messages.length === 2, "a full window");
    client.socket.destroy();
    for (let at = 0; at < 10; at += 1) {
      await upstream.until(() => upstream.messages.length > at, `message ${at}`);
      assert.equal(upstream.departures.length, 0);
      upstream.acknowledge(upstream.messages[at] as never);
    }
    await upstream.until(() => upstream.departures.length === 1, "the departure");
    await gateway.stop();
  });

  test("closes with the count of the messages that were accepted", async () => {
    const { gateway, upstream } = await startHeld("");
    const client = await RawClient.open(gateway.port);
    for (let count = 0; count < 3; count += 1) client.sendFrame(TEXT, "one of three");
    await upstream.until(() => upstream.messages.length === 3, "three messages");
    const [first] = upstream.messages;
    upstream.acknowledge(first as never);
    upstream.sink.fail((first as { place: number }).place, "service-unavailable");
    const { code, reason } = await client.closeFrame();
    assert.equal(code, 1013);
    assert.equal(reason, "the service is not there accepted=1");
    client.destroy();
    await gateway.stop();
  });
});

describe("a client that does not read", () => {
  test("is read no more once its answers back up, and gets all of them in the end", async () => {
    const gateway = await startInProcess({ limits: "{ writeStallTimeoutMs: 9000 }" });
    const client = await RawClient.open(gateway.port);
    client.socket.pause();
    const message = clientFrame(BINARY, Buffer.alloc(50_000, 7));
    for (let count = 0; count < 400; count += 1) client.send(message);
    // All buffers in between are full, and nothing moves: 20 MB do not fit in them.
    let last = -1;
    while (client.socket.writableLength !== last) {
      last = client.socket.writableLength;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    assert.ok(last > 0, "the gateway took everything that it was sent");
    client.socket.resume();
    await client.until(() => client.frames.length === 400, "all answers");
    assert.ok(client.frames.every(({ payload }) => payload.length === 50_000 && payload[9] === 7));
    client.destroy();
    await gateway.stop();
  });

  test("is closed as a slow consumer once it has taken nothing for too long", async () => {
    const limits = "{ writeStallTimeoutMs: 500 }";
    const held = await startHeld("auth: { connect: false }", limits);
    const client = await RawClient.open(held.gateway.port);
    client.socket.pause();
    let sent = 0;
    while (sent < 60_000_000 && held.upstream.departures.length === 0) {
      const { matched } = await sendAll(held, Buffer.alloc(500_000));
      if (matched === 0) break;
      sent += 500_000;
      if (sent > 5_000_000) {
        const stalled = held.upstream.until(() => held.upstream.departures.length > 0, "an end");
        await stalled;
      }
    }
    assert.equal(held.upstream.departures[0]?.reason, "slow-consumer");
    assert.equal(held.upstream.departures[0]?.code, 1013);
    client.destroy();
    await held.gateway.stop();
  });

  test("past the hard mark is closed with 1013, the others are not", async () => {
    const held = await startHeld("auth: { connect: false }");
    const slow = await RawClient.open(held.gateway.port);
    const quick = await RawClient.open(held.gateway.port);
    slow.socket.pause();
    let received = 0;
    for (let count = 0; held.upstream.departures.length === 0; count += 1) {
      assert.ok(count < 200, "the slow one was never closed");
      await sendAll(held, Buffer.alloc(500_000));
      await quick.until(() => quick.frames.length > 0, "the quick one's message");
      received += quick.frames.splice(0).length;
    }
    assert.ok(received > 3);
    assert.equal(held.upstream.departures.length, 1);
    assert.equal(held.upstream.departures[0]?.reason, "slow-consumer");
    const answer = await sendAll(held, Buffer.from("still there?"));
    assert.deepEqual(answer, { ...emptyAnswer(), matched: 1 });
    slow.destroy();
    quick.destroy();
    await held.gateway.stop();
  });

  for (const policy of ["drop-newest", "drop-oldest"] as const) {
    test(`past the soft mark loses messages by ${policy} and stays`, async () => {
      const hub = `auth: { connect: false }\nslowConsumer: ${policy}`;
      const held = await startHeld(hub, "{ writeQueueHardBytes: 16777216 }");
      const client = await RawClient.open(held.gateway.port);
      client.socket.pause();
      let dropped = 0;
      for (let count = 0; count < 200; count += 1) {
        const message = Buffer.alloc(100_000);
        message.writeUInt32BE(count);
        dropped += (await sendAll(held, message)).dropped;
      }
      client.socket.resume();
      await sendAll(held, Buffer.from("end"));
      const isEnd = () => client.frames.at(-1)?.payload.toString() === "end";
      if (policy === "drop-oldest") await client.until(isEnd, "the newest message");
      const numbers = () =>
        client.frames
          .filter(({ payload }) => payload.length === 100_000)
          .map(({ payload }) => payload.readUInt32BE(0));
      if (policy === "drop-newest") {
        assert.ok(dropped > 0);
        await client.until(() => numbers().length === 200 - dropped, "what was not dropped");
      } else {
        assert.equal(numbers().at(-1), 199);
        assert.ok(numbers().length < 200);
      }
      const sorted = [...numbers()].sort((a, b) => a - b);
      assert.deepEqual(numbers(), sorted, "what is left is in order");
      assert.equal(held.upstream.departures.length, 0);
      client.destroy();
      await held.gateway.stop();
    });
  }
});

describe("a push", () => {
  test("to two thousand members arrives once at each, in order, in slices", async () => {
    const held = await startHeld("auth: { connect: false }");
    const clients = await Promise.all(
      Array.from({ length: 600 }, () => RawClient.open(held.gateway.port)),
    );
    const answers = await Promise.all(
      ["one", "two", "three"].map((text) => sendAll(held, Buffer.from(text))),
    );
    assert.deepEqual(answers, Array(3).fill({ ...emptyAnswer(), matched: 600 }));
    for (const client of clients) {
      await client.until(() => client.frames.length === 3, "three messages");
      const texts = client.frames.map(({ payload }) => payload.toString());
      assert.deepEqual(texts, ["one", "two", "three"]);
      client.destroy();
    }
    await held.gateway.stop();
  });

  test("leaves out those that are excluded, and repeats itself to nobody", async () => {
    const held = await startHeld("auth: { connect: false }");
    const first = await RawClient.open(held.gateway.port);
    const second = await RawClient.open(held.gateway.port);
    const [place] = held.upstream.connectedPlaces;
    const excluded = [formatConnectionId(held.gateway.nonce, place as number)];
    const push = { pushId: "push-1", excluded };
    assert.equal((await sendAll(held, Buffer.from("a"), push)).matched, 1);
    // The repetition reaches the one that was left out, and only that one.
    assert.equal((await sendAll(held, Buffer.from("a"), { pushId: "push-1" })).matched, 2);
    await sendAll(held, Buffer.from("end"));
    for (const client of [first, second]) {
      await client.until(() => client.frames.at(-1)?.payload.toString() === "end", "the end");
      assert.equal(client.frames.length, 2);
      client.destroy();
    }
    await held.gateway.stop();
  });
});
