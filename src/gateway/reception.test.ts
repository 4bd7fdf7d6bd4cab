import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clientFrame } from "../../test/support/raw-client.ts";
import { BINARY, TEXT } from "../core/opcode.ts";
import { type FakeClient, GatewayWorld } from "./gateway.test.helper.ts";

const CLOSE = 8;
const PING = 9;
const PONG = 10;
const ECONNRESET = 104;
const ETIMEDOUT = 110;

function hubOf(limits: string): string {
  const service = "service: 'http://service.example/', auth: { connect: false }";
  return `{ main: { paths: [/], ${service}, limits: { ${limits} } } }`;
}

function textsOf(world: GatewayWorld): string[] {
  return world.upstream().messages.map(({ bytes }) => bytes.toString());
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `message ${index}`);
}

/** Acknowledges one after the other, until nothing more comes. */
async function acknowledgeAll(world: GatewayWorld): Promise<void> {
  const { messages } = world.upstream();
  for (const message of messages) {
    world.upstream().acknowledge(message);
    await world.settle();
  }
}

function reply(world: GatewayWorld, client: FakeClient, length: number): void {
  const { sink } = world.upstream();
  sink.reply(client.place, BINARY, Buffer.alloc(length, "x"), 0, length);
}

describe("the window", () => {
  test("holds so many messages and no more, and goes on when half of it is free", async () => {
    const world = new GatewayWorld({ hubs: hubOf("unacknowledgedMessagesMax: 4") });
    const client = await world.open();
    const texts = numbered(20);
    client.text(...texts);
    await world.settle();
    assert.deepEqual(textsOf(world), texts.slice(0, 4));
    const { messages } = world.upstream();
    const acknowledge = async (index: number) => {
      world.upstream().acknowledge(messages[index] as never);
      await world.settle();
    };
    await acknowledge(0);
    assert.equal(messages.length, 4);
    await acknowledge(1);
    assert.equal(messages.length, 6);
    for (let index = 2; index < texts.length; index += 1) await acknowledge(index);
    assert.deepEqual(textsOf(world), texts);
  });

  test("counts bytes as well", async () => {
    const world = new GatewayWorld({ hubs: hubOf("unacknowledgedBytesMax: 1000") });
    const client = await world.open();
    for (let count = 0; count < 6; count += 1) client.text("x".repeat(400));
    await world.settle();
    assert.equal(world.upstream().messages.length, 3);
    await acknowledgeAll(world);
    assert.equal(world.upstream().messages.length, 6);
  });

  test("goes on only when half of its bytes are free as well", async () => {
    const world = new GatewayWorld({ hubs: hubOf("unacknowledgedBytesMax: 1000") });
    const client = await world.open();
    for (const length of [10, 10, 900, 100, 1]) client.text("x".repeat(length));
    await world.settle();
    const { messages } = world.upstream();
    assert.equal(messages.length, 4);
    for (const expected of [4, 4, 5]) {
      const message = messages.find(({ bytes }) => bytes.length > 0);
      assert.ok(message);
      world.upstream().acknowledge(message);
      message.bytes = Buffer.alloc(0);
      await world.settle();
      assert.equal(messages.length, expected);
    }
  });

  test("that is full leaves the socket unread and what was read parked, in order", async () => {
    const world = new GatewayWorld({ hubs: hubOf("unacknowledgedMessagesMax: 1") });
    const client = await world.open();
    const texts = numbered(12);
    client.text(...texts.slice(0, 6));
    await world.settle();
    client.text(...texts.slice(6));
    await world.settle();
    assert.ok(client.socket.unread > 0);
    assert.ok(world.parts.budget.held("parked") > 0);
    await acknowledgeAll(world);
    assert.deepEqual(textsOf(world), texts);
    assert.deepEqual(
      world.upstream().messages.map(({ number }) => number),
      texts.map((_, index) => index + 1),
    );
    assert.equal(world.parts.budget.bytes, 0);
  });

  test("delivers what a client sent before it left, and tells of its end last", async () => {
    for (const end of ["finish", "break"] as const) {
      const world = new GatewayWorld({ hubs: hubOf("unacknowledgedMessagesMax: 1") });
      const client = await world.open();
      const texts = numbered(5);
      client.text(...texts);
      await world.settle();
      client.socket[end]();
      await world.settle();
      assert.equal(world.upstream().departures.length, 0);
      await acknowledgeAll(world);
      assert.deepEqual(textsOf(world), texts);
      assert.equal(world.upstream().departures.length, 1);
      world.assertEmpty();
    }
  });
});

describe("a client that does not read", () => {
  const limits = "{ writeQueueSoftBytes: 500, writeQueueHardBytes: 100000 }";

  test("is not read past the soft mark, and read again when half of that is out", async () => {
    const world = new GatewayWorld({ limits });
    const client = await world.open();
    client.socket.room = 0;
    reply(world, client, 1000);
    await world.settle();
    client.text(...numbered(5));
    await world.settle();
    assert.equal(world.upstream().messages.length, 1);
    client.socket.room = 700;
    await world.settle();
    assert.equal(world.upstream().messages.length, 1);
    client.socket.room = 200;
    await world.settle();
    assert.equal(world.upstream().messages.length, 5);
  });

  test("is not read past the soft mark for the pings that it sends, either", async () => {
    const world = new GatewayWorld({ limits });
    const client = await world.open();
    client.socket.room = 0;
    reply(world, client, 1000);
    await world.settle();
    for (let count = 0; count < 3; count += 1) client.send(PING, `${count}`);
    await world.settle();
    client.socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    assert.equal(client.countOf(PONG), 3);
  });

  test("and leaves has all that it sent before delivered, without a wait", async () => {
    for (const end of ["finish", "break", "timeout"] as const) {
      const world = new GatewayWorld({ limits });
      const client = await world.open();
      client.socket.room = 0;
      reply(world, client, 1000);
      await world.settle();
      const texts = numbered(6);
      client.text(...texts);
      await world.settle();
      assert.ok(world.parts.budget.held("parked") > 0);
      if (end === "finish") client.socket.finish();
      else client.socket.break(end === "break" ? ECONNRESET : ETIMEDOUT);
      client.socket.room = end === "finish" ? Number.POSITIVE_INFINITY : 0;
      await world.settle();
      assert.deepEqual(textsOf(world), texts, end);
      const reasons = world.upstream().departures.map(({ reason }) => reason);
      assert.deepEqual(reasons, [end === "finish" ? "client-hung-up" : "client-gone"]);
      world.assertEmpty();
    }
  });

  test("and leaves has delivered also what had not been read yet", async () => {
    const hubs = hubOf("unacknowledgedMessagesMax: 1");
    const world = new GatewayWorld({ limits, hubs });
    const client = await world.open();
    client.text("fills the window");
    await world.settle();
    client.text("still in the socket");
    client.socket.break();
    reply(world, client, 10);
    await world.settle();
    assert.equal(world.upstream().departures.length, 0);
    await acknowledgeAll(world);
    assert.deepEqual(textsOf(world), ["fills the window", "still in the socket"]);
    assert.equal(world.upstream().departures[0]?.reason, "client-gone");
    world.assertEmpty();
  });

  test("and leaves while its window is full has everything delivered as well", async () => {
    const hubs = hubOf("unacknowledgedMessagesMax: 1");
    const world = new GatewayWorld({ limits, hubs });
    const client = await world.open();
    client.socket.room = 0;
    reply(world, client, 1000);
    await world.settle();
    const texts = numbered(6);
    client.text(...texts);
    await world.settle();
    client.socket.break();
    await world.settle();
    await world.advance(15_000);
    await acknowledgeAll(world);
    assert.deepEqual(textsOf(world), texts);
    assert.equal(world.upstream().departures.length, 1);
    world.assertEmpty();
  });
});

describe("with the buffers strained", () => {
  test("those who send are not read until there is room, and then all of them go on", async () => {
    const world = new GatewayWorld({ limits: "{ bufferBudgetBytes: 100000 }" });
    const clients = await world.openMany(3);
    for (const client of clients) client.send(BINARY, Buffer.alloc(28_000));
    await world.settle();
    assert.equal(world.upstream().messages.length, 3);
    for (const client of clients) client.text("more");
    await world.settle();
    // The last one was delivered before it showed that there is no room.
    assert.deepEqual(textsOf(world).slice(3), ["more", "more"]);
    await acknowledgeAll(world);
    await world.advance(500);
    assert.deepEqual(textsOf(world).slice(3), ["more", "more", "more"]);
  });
});

test("what held messages take beside their payload fills the buffers as well", async () => {
  const world = new GatewayWorld({ limits: "{ bufferBudgetBytes: 100000 }" });
  const client = await world.open();
  Object.defineProperty(world.upstream(), "heldMemoryBytes", { value: 90_000 });
  client.text("");
  await world.settle();
  client.text("");
  await world.settle();
  assert.deepEqual(textsOf(world), [""]);
});

describe("control frames", () => {
  test("between the fragments of a message are answered, and leave it whole", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    client.send(TEXT, "in ", false);
    client.send(PING, "are you there");
    client.send(0, "three ", false);
    client.send(PONG);
    await world.settle();
    client.send(0, "parts");
    await world.settle();
    assert.deepEqual(textsOf(world), ["in three parts"]);
    assert.deepEqual(client.frames, [{ opcode: PONG, payload: Buffer.from("are you there") }]);
    assert.equal(world.parts.budget.held("unfinished"), 0);
  });

  test("that come in pieces are answered whole", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    for (const byte of clientFrame(PING, "in pieces")) {
      client.socket.send(Buffer.from([byte]));
      await world.settle();
    }
    assert.deepEqual(client.frames, [{ opcode: PONG, payload: Buffer.from("in pieces") }]);
  });

  test("may come in a burst, and then so many in a second", async () => {
    const limits = "{ controlFramesBurst: 10, controlFramesPerSecond: 4 }";
    const world = new GatewayWorld({ limits });
    const client = await world.open();
    for (let count = 0; count < 10; count += 1) client.send(PING);
    await world.settle();
    assert.equal(client.countOf(PONG), 10);
    for (let second = 0; second < 20; second += 1) {
      await world.advance(1000);
      for (let count = 0; count < 4; count += 1) client.send(PONG);
      await world.settle();
    }
    assert.equal(client.closeFrame, undefined);
    for (let count = 0; count < 2; count += 1) client.send(PING);
    await world.settle();
    assert.match(client.closeFrame ?? "none", /^1008 more control frames/);
    assert.equal(world.upstream().departures[0]?.reason, "too-many-control-frames");
  });

  test("of a client that we are closing are not answered", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    world.upstream().sink.fail(client.place, "service-error");
    client.send(PING);
    client.send(CLOSE, Buffer.from([3, 243]));
    await world.settle();
    assert.equal(client.countOf(PONG), 0);
    assert.equal(client.socket.ended, true);
  });
});

describe("a message", () => {
  test("arrives whole wherever its bytes are split", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    const bytes = Buffer.concat([
      clientFrame(TEXT, "grüße, ", false),
      clientFrame(PING, "p"),
      clientFrame(0, "世界"),
      clientFrame(BINARY, "x".repeat(130)),
    ]);
    for (let at = 1; at < bytes.length; at += 1) {
      client.socket.send(bytes.subarray(0, at));
      await world.settle();
      client.socket.send(bytes.subarray(at));
      await world.settle();
      const expected = ["grüße, 世界", "x".repeat(130)];
      assert.deepEqual(textsOf(world).splice(-2), expected, `split at ${at}`);
      await acknowledgeAll(world);
      world.upstream().messages.length = 0;
      await world.advance(250);
      assert.equal(world.parts.budget.held("unfinished"), 0);
    }
    assert.equal(client.closeFrame, undefined);
  });
});
