import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Answer } from "../bus/command.ts";
import { TEXT } from "../core/opcode.ts";
import { type FakeClient, GatewayWorld, type WorldOptions } from "./gateway.test.helper.ts";

const CLOSE = 8;
const QUIET = "pingIntervalMs: 0, closeTimeoutMs: 3000";
const STOPPING = "1012 the gateway restarts";

/** A client of whose two messages the service has acknowledged none. */
async function openWithTwo(
  limits = `{ ${QUIET} }`,
  hubs?: WorldOptions["hubs"],
): Promise<{ world: GatewayWorld; client: FakeClient }> {
  const world = new GatewayWorld({ limits, ...(hubs === undefined ? {} : { hubs }) });
  const client = await world.open();
  client.text("one", "two");
  await world.settle();
  return { world, client };
}

async function acknowledge(world: GatewayWorld, index: number): Promise<void> {
  const message = world.upstream().messages[index];
  assert.ok(message);
  world.upstream().acknowledge(message);
  await world.settle();
}

function close(world: GatewayWorld, client: FakeClient): Promise<Answer> {
  const target = { kind: "connection", connectionId: world.idOf(client) } as const;
  return world.execute({ verb: "close", hub: "main", target, excluded: [], reason: "over" });
}

describe("a client that we close while messages of it are not acknowledged", () => {
  test("has its close frame behind the last acknowledgement, with all of them", async () => {
    const { world, client } = await openWithTwo();
    await close(world, client);
    assert.equal(client.closeFrame, undefined);
    await acknowledge(world, 0);
    assert.equal(client.closeFrame, undefined);
    await acknowledge(world, 1);
    assert.equal(client.closeFrame, "1000 over accepted=2");
    client.send(CLOSE, Buffer.from([3, 232]));
    client.socket.finish();
    await world.settle();
    world.assertEmpty();
  });

  test("has it after closeTimeoutMs, with those that were acknowledged", async () => {
    const { world, client } = await openWithTwo();
    await close(world, client);
    await acknowledge(world, 0);
    await world.advance(2500);
    assert.equal(client.closeFrame, undefined);
    await world.advance(1000);
    assert.equal(client.closeFrame, "1000 over accepted=1");
    await world.advance(4000);
    assert.equal(client.socket.closed, "reset");
    world.assertEmpty();
  });

  test("is not read any more, and its close frame is found behind ours", async () => {
    const { world, client } = await openWithTwo();
    await close(world, client);
    client.text("too late");
    client.send(CLOSE, Buffer.from([3, 232]));
    await world.settle();
    await acknowledge(world, 0);
    await acknowledge(world, 1);
    assert.equal(world.upstream().messages.length, 2);
    assert.equal(client.closeFrame, "1000 over accepted=2");
    assert.equal(client.socket.ended, true);
  });

  test("is read no further though its window has room again", async () => {
    const service = "service: 'http://service.example/', auth: { connect: false }";
    const limits = "limits: { unacknowledgedMessagesMax: 2 }";
    const hubs = `{ main: { paths: [/], ${service}, ${limits} } }`;
    const { world, client } = await openWithTwo(`{ ${QUIET} }`, hubs);
    client.text("parked");
    await world.settle();
    await close(world, client);
    await acknowledge(world, 0);
    await acknowledge(world, 1);
    assert.equal(client.closeFrame, "1000 over accepted=2");
    assert.equal(world.upstream().messages.length, 2);
  });

  test("still gets answers and pushes, in front of its close frame", async () => {
    const { world, client } = await openWithTwo();
    await close(world, client);
    world.upstream().sink.reply(client.place, TEXT, Buffer.from("answer"), 0, 6);
    await acknowledge(world, 0);
    await acknowledge(world, 1);
    world.upstream().sink.reply(client.place, TEXT, Buffer.from("late"), 0, 4);
    await world.settle();
    assert.deepEqual(client.texts, ["answer"]);
    assert.equal(client.frames.at(-1)?.opcode, CLOSE);
  });

  test("is closed at once where its service fails meanwhile, and by that name", async () => {
    const { world, client } = await openWithTwo();
    await close(world, client);
    await acknowledge(world, 0);
    world.upstream().sink.fail(client.place, "service-refused");
    await world.settle();
    assert.equal(client.closeFrame, "1008 the service refused a message accepted=1");
    assert.equal(world.upstream().departures.length, 1);
  });

  test("whose socket breaks meanwhile leaves nothing behind", async () => {
    const { world, client } = await openWithTwo();
    await close(world, client);
    client.socket.break();
    await world.settle();
    await acknowledge(world, 0);
    await acknowledge(world, 1);
    const reasons = world.upstream().departures.map(({ reason }) => reason);
    assert.deepEqual(reasons, ["closed-by-service"]);
    world.assertEmpty();
    const next = await world.open();
    await world.advance(5000);
    assert.equal(next.closeFrame, undefined);
  });

  test("is closed for its lifetime in the same way, and for the first reason alone", async () => {
    const service = "service: 'http://service.example/', auth: { connect: false }";
    const limits = "limits: { lifetimeMs: 2000 }";
    const hubs = `{ main: { paths: [/], ${service}, ${limits} } }`;
    const { world, client } = await openWithTwo(`{ ${QUIET} }`, hubs);
    await world.advance(2500);
    assert.equal(client.closeFrame, undefined);
    await close(world, client);
    await acknowledge(world, 0);
    await acknowledge(world, 1);
    assert.equal(client.closeFrame, "1012 time to reconnect accepted=2");
  });
});

describe("a client that we close for its own fault", () => {
  test("is told at once, with what was acknowledged until then", async () => {
    const { world, client } = await openWithTwo();
    await acknowledge(world, 0);
    client.socket.send(Buffer.from([0x81, 1, 0x61]));
    await world.settle();
    assert.equal(client.closeFrame, "1002 a frame from a client is not masked accepted=1");
  });
});

describe("a gateway that stops", () => {
  test("closes those who owe nothing at once, and the others when they are settled", async () => {
    const { world, client } = await openWithTwo();
    const idle = await world.open();
    const stopped = world.gateway.stop();
    await world.settle();
    assert.equal(idle.closeFrame, `${STOPPING} accepted=0`);
    assert.equal(client.closeFrame, undefined);
    await acknowledge(world, 0);
    await acknowledge(world, 1);
    assert.equal(client.closeFrame, `${STOPPING} accepted=2`);
    await world.advance(4000);
    await stopped;
  });

  test("waits for acknowledgements for 5 s at the most, then for close frames", async () => {
    const { world, client } = await openWithTwo("{ pingIntervalMs: 0, closeTimeoutMs: 60000 }");
    let isOver = false;
    const stopped = world.gateway.stop().then(() => {
      isOver = true;
    });
    await world.advance(4900);
    assert.equal(client.closeFrame, undefined);
    await world.advance(200);
    assert.equal(client.closeFrame, `${STOPPING} accepted=0`);
    assert.equal(isOver, false);
    await world.advance(3000);
    await stopped;
  });
});
