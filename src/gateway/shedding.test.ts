import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { upgradeHead } from "../../test/support/raw-client.ts";
import { BINARY, TEXT } from "../core/opcode.ts";
import { TICK_MS } from "../reactor/ticks.ts";
import { type FakeClient, GatewayWorld } from "./gateway.test.helper.ts";

/** 80,000 bytes strain it. */
const LIMITS = "{ bufferBudgetBytes: 100000, handshakeTimeoutMs: 60000, connectTimeoutMs: 50000 }";

async function queue(world: GatewayWorld, client: FakeClient, length: number): Promise<void> {
  client.socket.room = 0;
  world.upstream().sink.reply(client.place, BINARY, Buffer.alloc(length), 0, length);
  await world.settle();
}

function reasonsOf(world: GatewayWorld): string[] {
  return world.upstream().departures.map(({ reason }) => reason);
}

describe("when the buffers are full", () => {
  test("the longest queues go first, and no more of them than it takes", async () => {
    const world = new GatewayWorld({ limits: LIMITS });
    const clients = await world.openMany(4);
    const lengths = [10_000, 40_000, 15_000, 30_000];
    for (const [index, client] of clients.entries()) {
      await queue(world, client, lengths[index] as number);
    }
    await world.advance(TICK_MS);
    assert.deepEqual(reasonsOf(world), ["buffers-full"]);
    assert.equal(clients[1]?.socket.closed, "reset");
    assert.equal(world.gateway.counts().connections, 3);
    await world.advance(10 * TICK_MS);
    assert.equal(world.gateway.counts().connections, 3);
  });

  test("an unfinished message counts, and its sender is told why it has to go", async () => {
    const world = new GatewayWorld({ limits: LIMITS });
    const clients = await world.openMany(2);
    const [big, small] = clients as [FakeClient, FakeClient];
    big.send(TEXT, "x".repeat(90_000), false);
    small.send(TEXT, "x".repeat(100), false);
    await world.settle();
    await world.advance(TICK_MS);
    assert.equal(big.closeFrame, "1013 the gateway is out of buffers accepted=0");
    assert.equal(small.closeFrame, undefined);
    assert.equal(big.socket.ended, true);
    small.send(0, "y");
    await world.settle();
    assert.equal(world.upstream().messages.length, 1);
  });

  test("of what the service has not acknowledged nobody has to go", async () => {
    const world = new GatewayWorld({ limits: LIMITS });
    const clients = await world.openMany(3);
    for (const client of clients) client.send(BINARY, Buffer.alloc(32_000));
    await world.settle();
    await queue(world, clients[0] as FakeClient, 10_000);
    await world.advance(4 * TICK_MS);
    assert.deepEqual(reasonsOf(world), []);
  });

  test("a client that is still asked about and has sent much is refused with 503", async () => {
    const service = "service: 'http://service.example/', auth: { connect: true }";
    const hubs = `{ main: { paths: [/], ${service} } }`;
    const world = new GatewayWorld({ limits: LIMITS, hubs });
    world.upstream().answer = new Promise(() => {});
    const client = await world.connect();
    client.socket.send(upgradeHead("/"));
    client.send(BINARY, Buffer.alloc(90_000));
    await world.settle();
    assert.ok(world.parts.budget.held("parked") > 80_000);
    await world.advance(TICK_MS);
    assert.equal(client.status, 503);
    assert.equal(world.parts.budget.bytes, 0);
  });

  test("half request heads go before who holds less, and their clients are told why", async () => {
    const world = new GatewayWorld({ limits: LIMITS });
    const [small] = (await world.openMany(1)) as [FakeClient];
    small.send(TEXT, "x".repeat(100), false);
    const head = upgradeHead("/", { "X-Long": "a".repeat(7000) }).slice(0, 7000);
    const early = await Promise.all(Array.from({ length: 11 }, () => world.connect()));
    for (const client of early) client.socket.send(head);
    await world.settle();
    await world.advance(TICK_MS);
    assert.deepEqual(reasonsOf(world), []);
    assert.equal(early.filter(({ status }) => status === 503).length, 2);
    small.send(0, "y");
    await world.settle();
    assert.equal(world.upstream().messages.length, 1);
  });

  test("a client that only shakes hands stays", async () => {
    const world = new GatewayWorld({ limits: LIMITS });
    const early = await world.connect();
    early.socket.send(upgradeHead("/").slice(0, 100));
    const [slow] = (await world.openMany(1)) as [FakeClient];
    await queue(world, slow, 90_000);
    await world.advance(TICK_MS);
    assert.deepEqual(reasonsOf(world), ["buffers-full"]);
    early.socket.send(upgradeHead("/").slice(100));
    await world.settle();
    assert.equal(early.status, 101);
  });
});
