/** Many pushes at once: what they take of the event loop, and of memory, while others wait. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { upgradeHead } from "../../test/support/raw-client.ts";
import type { Answer } from "../bus/command.ts";
import { BINARY } from "../core/opcode.ts";
import { FakeClient, GatewayWorld } from "./gateway.test.helper.ts";

function push(world: GatewayWorld, text: string, excluded: string[] = []): Promise<Answer> {
  const about = { hub: "main", target: { kind: "all" as const }, excluded, pushId: undefined };
  const bytes = Buffer.from(text);
  return world.gateway.execute({ verb: "send", ...about, opcode: BINARY, bytes });
}

describe("a push", () => {
  test("to a few goes on in the next iteration when many before it took their time", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(3);
    const texts = Array.from({ length: 10 }, (_, index) => `push ${index}`);
    world.time.stepMs = 0.5;
    for (const text of texts) void push(world, text);
    world.time.stepMs = 0;
    world.time.runImmediates();
    const first = clients[0]?.frames.length ?? 0;
    assert.ok(first > 0 && first < 10, `${first} pushes`);
    await world.settle();
    for (const client of clients) assert.deepEqual(client.texts, texts);
    void push(world, "at once again");
    world.time.runImmediates();
    assert.equal(clients[0]?.texts.at(-1), "at once again");
    await world.settle();
  });

  test("to a few goes on in the next iteration when many before it had many bytes", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(3);
    const texts = Array.from({ length: 10 }, (_, index) => `${index}`.repeat(500_000));
    for (const text of texts) void push(world, text);
    world.time.runImmediates();
    assert.equal(clients[0]?.frames.length, 3, "the third went past 4 MiB");
    await world.settle();
    for (const client of clients) assert.deepEqual(client.texts, texts);
  });

  test("to a few is told with the others of its iteration, as one turn", async () => {
    const world = new GatewayWorld();
    await world.openMany(3);
    const count = () => {
      return world.gateway.counts().turns.buckets.reduce((sum, turns) => sum + turns, 0);
    };
    world.iterate();
    const before = count();
    world.time.stepMs = 0.1;
    for (const text of ["a", "b", "c"]) void push(world, text);
    world.time.stepMs = 0;
    world.time.runImmediates();
    await world.settle();
    assert.equal(count() - before, 2, "the pushes, and what sent them");
    void push(world, "d");
    await world.settle();
    assert.equal(count() - before, 4);
    const { turnSecondsMax } = world.gateway.counts();
    assert.ok(turnSecondsMax > 0.0006 && turnSecondsMax < 0.002, `${turnSecondsMax} s`);
  });

  test("looks for its receivers only when there is room to remember them, in order", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(306);
    const [one, another] = clients.map((client) => world.idOf(client));
    const texts = Array.from({ length: 900 }, (_, index) => `${index}`);
    const pushes = texts.map((text, index) => {
      const excluded = [(index % 2 === 0 ? one : another) as string];
      return push(world, text, excluded);
    });
    const late = new FakeClient(world.poller.connect());
    late.socket.send(upgradeHead("/"));
    await world.settle();
    // 2^18 places are room for 860 pushes to 305 each.
    assert.deepEqual(late.texts, texts.slice(860));
    for (const client of clients.slice(2)) assert.deepEqual(client.texts, texts);
    const matched = (await Promise.all(pushes)).map((answer) => answer.matched);
    assert.deepEqual(matched, [...Array(860).fill(305), ...Array(40).fill(306)]);
  });

  test("closes nobody whose oldest are dropped, though a burst passed both marks", async () => {
    const limits = "{ writeQueueSoftBytes: 500, writeQueueHardBytes: 600 }";
    const service = "service: 'http://service.example/', auth: { connect: false }";
    const hubs = `{ main: { paths: [/], ${service}, slowConsumer: drop-oldest } }`;
    const world = new GatewayWorld({ limits, hubs });
    const [client] = (await world.openMany(1)) as [FakeClient];
    client.socket.room = 5;
    for (const text of ["0", "1", "2", "3"]) void push(world, text.repeat(300));
    await world.settle();
    assert.ok(world.parts.budget.held("queued") > 600);
    void push(world, "last");
    await world.settle();
    client.socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    assert.equal(client.texts.at(-1), "last");
    assert.equal(client.closeFrame, undefined);
  });
});
