import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clientFrame } from "../../test/support/raw-client.ts";
import { BINARY, TEXT } from "../core/opcode.ts";
import { ACKNOWLEDGED } from "../upstreams/upstream.ts";
import { GatewayWorld, type WorldOptions } from "./gateway.test.helper.ts";

const PING = 9;

/** A service that sends every message back from where it stands in the arena, as echo: does. */
function echoing(options: WorldOptions = {}): GatewayWorld {
  const world = new GatewayWorld(options);
  const upstream = world.upstream();
  upstream.message = (place, _number, opcode, bytes, offset, length) => {
    upstream.sink.reply(place, opcode, bytes, offset, length);
    return ACKNOWLEDGED;
  };
  return world;
}

/** Messages whose own headers and ours have every length there is, and none that look alike. */
const LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];
const messages = LENGTHS.map((length) =>
  Buffer.alloc(length).map((_, index) => (length + index * 7) & 255),
);

function assertEchoed(frames: { payload: Buffer }[]): void {
  assert.equal(frames.length, messages.length);
  for (const [index, message] of messages.entries()) {
    assert.ok(frames[index]?.payload.equals(message), `message of ${LENGTHS[index]} bytes`);
  }
}

describe("an answer from the arena", () => {
  test("is whole, whatever the lengths of its header and the client's", async () => {
    const world = echoing();
    const client = await world.open();
    for (const message of messages) client.send(BINARY, message);
    await world.settle();
    assertEchoed(client.frames);
    assert.ok(client.frames.every(({ opcode }) => opcode === BINARY));
  });

  test("is whole where the client's header came in two pieces", async () => {
    const world = echoing();
    for (const message of messages) {
      const frame = clientFrame(BINARY, message);
      for (let at = 1; at <= Math.min(14, frame.length - 1); at += 1) {
        const client = await world.open();
        client.socket.send(frame.subarray(0, at));
        await world.settle();
        client.socket.send(frame.subarray(at));
        await world.settle();
        assert.ok(client.frames[0]?.payload.equals(message), `${message.length} bytes at ${at}`);
        client.socket.break();
        await world.settle();
      }
    }
  });

  test("is whole where the message was assembled from fragments", async () => {
    const world = echoing();
    const client = await world.open();
    for (const message of messages) {
      client.send(BINARY, message.subarray(0, 1), false);
      client.send(PING, "p");
      client.send(0, message.subarray(1));
    }
    await world.settle();
    assertEchoed(client.frames.filter(({ opcode }) => opcode === BINARY));
  });

  test("is whole where the message was parked, and the socket full", async () => {
    const world = echoing({ limits: "{ writeQueueSoftBytes: 1000, writeStallTimeoutMs: 20000 }" });
    const client = await world.open();
    client.socket.room = 0;
    client.text("x".repeat(2000));
    await world.settle();
    for (const message of messages) client.send(BINARY, message);
    await world.settle();
    assert.ok(world.parts.budget.held("parked") > 0);
    while (client.frames.length <= messages.length) {
      client.socket.room = 997;
      await world.settle();
    }
    assertEchoed(client.frames.slice(1));
    assert.equal(world.parts.budget.bytes, 0);
  });

  test("is whole where it waits while other long messages are assembled", async () => {
    const world = echoing({ limits: "{ writeQueueHardBytes: 4194304 }" });
    const slow = await world.open();
    const quick = await world.open();
    const sent = [1, 2, 3].map((mark) => Buffer.alloc(100_000, mark));
    slow.socket.room = 10;
    for (const message of sent) {
      for (const [client, bytes] of [
        [slow, message],
        [quick, Buffer.alloc(100_000, 9)],
      ] as const) {
        client.send(BINARY, bytes.subarray(0, 40_000), false);
        client.send(0, bytes.subarray(40_000));
        await world.settle();
      }
    }
    slow.socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    assert.deepEqual(
      slow.frames.map(({ payload }, index) => payload.equals(sent[index] as Buffer)),
      [true, true, true],
    );
    assert.ok(quick.frames.every(({ payload }) => payload.every((byte) => byte === 9)));
    assert.equal(world.parts.budget.bytes, 0);
  });

  test("stands beside those of other clients of the same turn", async () => {
    const world = echoing();
    const clients = await world.openMany(40);
    for (const [index, client] of clients.entries()) client.text(`client ${index}`, "again");
    await world.settle();
    for (const [index, { texts }] of clients.entries()) {
      assert.deepEqual(texts, [`client ${index}`, "again"]);
    }
  });
});

test("of the pongs that wait for a full socket only the latest is sent", async () => {
  const world = echoing();
  const client = await world.open();
  client.socket.room = 0;
  client.send(TEXT, "first");
  for (const payload of ["one", "two", "three"]) {
    client.send(PING, payload);
    await world.settle();
  }
  client.socket.room = Number.POSITIVE_INFINITY;
  await world.settle();
  assert.deepEqual(
    client.frames.map(({ payload }) => payload.toString()),
    ["first", "three"],
  );
});

test("what is sent is counted", async () => {
  const world = echoing();
  const client = await world.open();
  client.send(TEXT, "12345");
  client.send(TEXT, "123");
  await world.settle();
  assert.equal(world.gateway.counts().messagesSentTotal, 2);
});
