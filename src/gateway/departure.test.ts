import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clientFrame } from "../../test/support/raw-client.ts";
import { BINARY, TEXT } from "../core/opcode.ts";
import { Outbox } from "../reactor/outbox.ts";
import { type FakeClient, GatewayWorld } from "./gateway.test.helper.ts";

const CLOSE = 8;
const PING = 9;
const ETIMEDOUT = 110;

function endsOf(world: GatewayWorld): string[] {
  return world.upstream().departures.map(({ reason, code }) => `${code} ${reason}`);
}

async function push(world: GatewayWorld, client: FakeClient, length: number): Promise<void> {
  const payload = Buffer.alloc(length, "x");
  world.upstream().sink.reply(client.place, BINARY, payload, 0, length);
  await world.settle();
}

/** Fills the outbox' part of the arena to its last byte, so that the next frame has no room. */
function fillArena(world: GatewayWorld, client: FakeClient): void {
  const frameBytes = Outbox.BYTES / 4;
  const payload = Buffer.alloc(frameBytes - 10);
  for (let count = 0; count < 4; count += 1) {
    world.upstream().sink.reply(client.place, BINARY, payload, 0, payload.length);
  }
}

describe("a client that closes", () => {
  test("is answered with its own code, and then our FIN", async () => {
    const world = new GatewayWorld();
    for (const code of [1000, 1001, 3000, 4999]) {
      const client = await world.open();
      client.send(CLOSE, Buffer.from([code >> 8, code & 255, 0x62, 0x79, 0x65]));
      await world.settle();
      assert.equal(client.closeFrame, `${code} `);
      assert.equal(client.socket.ended, true);
      client.socket.finish();
      await world.settle();
      assert.equal(client.socket.closed, "closed");
      assert.equal(endsOf(world).at(-1), `${code} client-closed`);
    }
    world.assertEmpty();
  });

  test("without a code is answered without one", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    client.send(CLOSE);
    await world.settle();
    assert.deepEqual(client.frames, [{ opcode: CLOSE, payload: Buffer.alloc(0) }]);
    assert.deepEqual(endsOf(world), ["1005 client-closed"]);
  });

  test("has what it sent before delivered, and what it sends behind discarded", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    client.text("before");
    client.send(CLOSE, Buffer.from([3, 232]));
    client.text("behind");
    await world.settle();
    client.text("later");
    await world.settle();
    const texts = world.upstream().messages.map(({ bytes }) => bytes.toString());
    assert.deepEqual(texts, ["before"]);
  });

  test("gets the answer behind what it has not taken yet", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    client.socket.room = 10;
    await push(world, client, 1000);
    client.send(CLOSE, Buffer.from([3, 232]));
    client.socket.finish();
    await world.settle();
    assert.equal(client.socket.closed, undefined);
    client.socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    assert.deepEqual([client.texts.length, client.closeFrame], [1, "1000 "]);
    assert.deepEqual([client.socket.ended, client.socket.closed], [true, "closed"]);
    world.assertEmpty();
  });
});

describe("a client that we close", () => {
  test("is told why and how much was accepted, and is let go when it has answered", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    client.text("one", "two");
    await world.settle();
    const [first] = world.upstream().messages;
    assert.ok(first);
    world.upstream().acknowledge(first);
    world.upstream().sink.fail(client.place, "service-unavailable");
    await world.settle();
    assert.equal(client.closeFrame, "1013 the service is not there accepted=1");
    assert.deepEqual([client.socket.ended, client.socket.closed], [false, undefined]);
    client.text("crossed our close frame");
    client.send(CLOSE, Buffer.from([3, 245]));
    await world.settle();
    assert.equal(client.socket.ended, true);
    assert.equal(client.frames.length, 1);
    client.socket.finish();
    await world.settle();
    assert.equal(world.upstream().messages.length, 2);
    world.assertEmpty();
  });

  test("is found to have answered already, where its close frame was parked", async () => {
    const service = "service: 'http://service.example/', auth: { connect: false }";
    const limits = "limits: { unacknowledgedMessagesMax: 1 }";
    const world = new GatewayWorld({ hubs: `{ main: { paths: [/], ${service}, ${limits} } }` });
    const client = await world.open();
    client.text("fills the window", "parked");
    client.send(CLOSE, Buffer.from([3, 232]));
    await world.settle();
    world.upstream().sink.fail(client.place, "service-error");
    await world.settle();
    assert.equal(client.closeFrame, "1011 the service failed accepted=0");
    assert.equal(client.socket.ended, true);
    assert.equal(world.upstream().messages.length, 1);
  });

  test("while it is read is found to have answered behind what made us close it", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    const upstream = world.upstream();
    const { message } = upstream;
    upstream.message = (place, ...values) => {
      upstream.sink.fail(place, "service-refused");
      return message.call(upstream, place, ...values);
    };
    client.text("refused at once", "never delivered");
    client.send(CLOSE, Buffer.from([3, 232]));
    await world.settle();
    assert.equal(client.closeFrame, "1008 the service refused a message accepted=0");
    assert.equal(client.socket.ended, true);
    assert.equal(upstream.messages.length, 1);
  });

  test("is closed once, whatever comes after it", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    const { sink } = world.upstream();
    for (let count = 0; count < 3; count += 1) sink.fail(client.place, "service-error");
    sink.reply(client.place, TEXT, Buffer.from("late"), 0, 4);
    sink.acknowledged(client.place, 1, 4);
    sink.setConnectionState(client.place, "late");
    await world.settle();
    assert.equal(client.frames.length, 1);
    assert.equal(endsOf(world).length, 1);
  });

  test("and that broke the protocol is told so, and no more of it is read", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    const unmasked = Buffer.from([0x81, 1, 0x61]);
    client.socket.send(Buffer.concat([clientFrame(TEXT, "good"), unmasked]));
    client.text("behind it");
    await world.settle();
    assert.equal(client.closeFrame, "1002 a frame from a client is not masked accepted=0");
    assert.equal(client.socket.ended, true);
    assert.equal(world.upstream().messages.length, 1);
    assert.deepEqual(endsOf(world), ["1002 protocol-error"]);
  });

  test("while it is in the middle of a message leaves nothing of it behind", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    client.send(TEXT, "x".repeat(1000), false);
    await world.settle();
    assert.ok(world.parts.budget.held("unfinished") >= 1000);
    world.upstream().sink.fail(client.place, "service-error");
    client.send(CLOSE, Buffer.from([3, 243]));
    client.socket.finish();
    await world.settle();
    world.assertEmpty();
  });
});

describe("a client that is gone", () => {
  test("with a FIN and no close frame has hung up, and still gets what it is owed", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    client.socket.room = 10;
    await push(world, client, 1000);
    client.text("last words");
    client.socket.finish();
    await world.settle();
    assert.deepEqual(endsOf(world), ["1006 client-hung-up"]);
    assert.equal(client.socket.closed, undefined);
    client.socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    assert.equal(client.texts[0]?.length, 1000);
    assert.equal(client.socket.closed, "closed");
    world.assertEmpty();
  });

  test("with a FIN and takes nothing more is let go after the close timeout", async () => {
    const world = new GatewayWorld({ limits: "{ closeTimeoutMs: 3000 }" });
    const client = await world.open();
    client.socket.room = 0;
    await push(world, client, 1000);
    client.socket.finish();
    await world.settle();
    await world.advance(4000);
    assert.equal(client.socket.closed, "reset");
    world.assertEmpty();
  });

  test("with a reset is gone", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    client.text("last words");
    client.socket.break();
    await world.settle();
    assert.equal(world.upstream().messages.length, 1);
    assert.deepEqual(endsOf(world), ["1006 client-gone"]);
    world.assertEmpty();
  });

  test("when it is written to is gone as well, behind what it sent", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    client.text("last words");
    client.socket.break();
    const { sink } = world.upstream();
    sink.reply(client.place, TEXT, Buffer.from("late"), 0, 4);
    world.time.runImmediates();
    assert.equal(world.upstream().messages.length, 0);
    await world.settle();
    assert.equal(world.upstream().messages.length, 1);
    assert.deepEqual(endsOf(world), ["1006 client-gone"]);
    world.assertEmpty();
  });

  test("by the kernel's timeout with a queue was a slow consumer", async () => {
    for (const length of [1000, 400_000]) {
      const world = new GatewayWorld();
      const client = await world.open();
      client.socket.room = 0;
      await push(world, client, length);
      // Long queues stop the reading as well.
      client.text("message");
      await world.settle();
      client.socket.break(ETIMEDOUT);
      await world.settle();
      assert.deepEqual(endsOf(world), ["1013 slow-consumer"], `${length} bytes`);
      world.assertEmpty();
    }
  });

  test("by the kernel's timeout without a queue is gone", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    client.socket.break(ETIMEDOUT);
    await world.settle();
    assert.deepEqual(endsOf(world), ["1006 client-gone"]);
  });
});

describe("a socket that is found broken", () => {
  test("while room is made for its own close frame is let go, and that is all", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    fillArena(world, client);
    client.socket.break();
    world.upstream().sink.fail(client.place, "service-error");
    await world.settle();
    assert.deepEqual(endsOf(world), ["1011 service-error"]);
    world.assertEmpty();
  });

  test("while room is made for the answer to its close frame is let go, and no more", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    client.send(CLOSE, Buffer.from([3, 232]));
    let isFilled = false;
    const { disconnected } = world.upstream();
    world.upstream().disconnected = (...values) => {
      disconnected.apply(world.upstream(), values);
      isFilled = true;
      fillArena(world, client);
      client.socket.break();
    };
    await world.settle();
    assert.equal(isFilled, true);
    world.assertEmpty();
  });

  test("while a message for it is sent takes no more, and its slot is free", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    fillArena(world, client);
    client.socket.break();
    await push(world, client, 1_000_000);
    assert.deepEqual(endsOf(world), ["1006 client-gone"]);
    world.assertEmpty();
    const next = await world.open();
    assert.deepEqual(next.frames, []);
  });

  test("while a pong for it is sent takes no more", async () => {
    const world = new GatewayWorld();
    const client = await world.open();
    fillArena(world, client);
    client.send(PING, "payload");
    client.socket.break();
    await world.settle();
    assert.deepEqual(endsOf(world), ["1006 client-gone"]);
    world.assertEmpty();
  });
});
