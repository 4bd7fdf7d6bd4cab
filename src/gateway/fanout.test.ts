import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { upgradeHead } from "../../test/support/raw-client.ts";
import { type Answer, emptyAnswer } from "../bus/command.ts";
import { BINARY } from "../core/opcode.ts";
import { TICK_MS } from "../reactor/ticks.ts";
import { FakeClient, GatewayWorld } from "./gateway.test.helper.ts";

const SLICE = 128;

function push(world: GatewayWorld, payload: string | Uint8Array): { answer?: Answer } {
  const about = { hub: "main", target: { kind: "all" as const }, excluded: [], pushId: undefined };
  const bytes = Buffer.from(payload);
  const pushed: { answer?: Answer } = {};
  void world.gateway.execute({ verb: "send", ...about, opcode: BINARY, bytes }).then((answer) => {
    pushed.answer = answer;
  });
  return pushed;
}

function hubOf(slowConsumer: string): string {
  const service = "service: 'http://service.example/', auth: { connect: false }";
  return `{ main: { paths: [/], ${service}, slowConsumer: ${slowConsumer} } }`;
}

function reached(clients: FakeClient[], count = 1): number {
  return clients.filter(({ frames }) => frames.length >= count).length;
}

describe("a push", () => {
  test("to a few leaves with this iteration of the event loop", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(3);
    push(world, "news");
    world.iterate();
    assert.equal(reached(clients), 3);
  });

  test("to many goes out in slices, and resolves when the last is through", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(2 * SLICE + 10);
    const pushed = push(world, "news");
    const slices: number[] = [];
    while (world.time.hasImmediates) {
      world.time.runImmediates();
      slices.push(reached(clients));
      await null;
    }
    await world.settle();
    assert.deepEqual([...new Set(slices)].slice(-3), [SLICE, 2 * SLICE, 2 * SLICE + 10]);
    assert.deepEqual(pushed.answer, { ...emptyAnswer(), matched: 2 * SLICE + 10 });
    for (const client of clients) assert.deepEqual(client.texts, ["news"]);
  });

  test("ends its slice early when that takes too long", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(SLICE);
    world.time.stepMs = 1.5;
    push(world, "news");
    world.time.stepMs = 0;
    world.time.runImmediates();
    const first = reached(clients);
    assert.ok(first > 0 && first < SLICE, `${first} receivers`);
    await world.settle();
    assert.equal(reached(clients), SLICE);
  });

  test("does not overtake the one before it, whatever their sizes", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(SLICE + 50);
    const texts = Array.from({ length: 12 }, (_, index) => `push ${index}`);
    const pushes = texts.map((text) => push(world, text));
    const client = clients.at(-1) as FakeClient;
    const target = { kind: "connection" as const, connectionId: world.idOf(client) };
    const one = world.gateway.execute({
      ...{ verb: "send", hub: "main", target, excluded: [], opcode: BINARY, pushId: undefined },
      bytes: Buffer.from("to one alone"),
    });
    await world.settle();
    assert.equal((await one).matched, 1);
    assert.deepEqual(client.texts, [...texts, "to one alone"]);
    for (const other of clients.slice(0, -1)) assert.deepEqual(other.texts, texts);
    for (const { answer } of pushes) assert.equal(answer?.matched, clients.length);
  });

  test("leaves in one send with others that came together for the same receivers", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(2 * SLICE + 50);
    const before = clients.map(({ socket }) => socket.takes);
    const texts = Array.from({ length: 16 }, (_, index) => `push ${index}`);
    const pushes = texts.map((text) => push(world, text));
    await world.settle();
    for (const [index, { socket, texts: received }] of clients.entries()) {
      assert.deepEqual(received, texts);
      assert.equal(socket.takes - (before[index] as number), 1);
    }
    for (const { answer } of pushes) {
      assert.deepEqual(answer, { ...emptyAnswer(), matched: clients.length });
    }
  });

  test("joins one that is under way: those who come next get both in one send", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(2 * SLICE);
    const before = clients.map(({ socket }) => socket.takes);
    const first = push(world, "first");
    world.time.runImmediates();
    const second = push(world, "second");
    await world.settle();
    const sends = clients.map(({ socket }, at) => socket.takes - (before[at] as number));
    assert.deepEqual(sends.slice(0, SLICE), Array(SLICE).fill(2));
    assert.deepEqual(sends.slice(SLICE), Array(SLICE).fill(1));
    for (const { texts } of clients) assert.deepEqual(texts, ["first", "second"]);
    for (const { answer } of [first, second]) {
      assert.deepEqual(answer, { ...emptyAnswer(), matched: clients.length });
    }
  });

  test("does not join one that others wait behind", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(SLICE + 50);
    const [client] = clients as [FakeClient];
    const target = { kind: "connection" as const, connectionId: world.idOf(client) };
    push(world, "first");
    world.time.runImmediates();
    void world.gateway.execute({
      ...{ verb: "send", hub: "main", target, excluded: [], opcode: BINARY, pushId: undefined },
      bytes: Buffer.from("to one alone"),
    });
    push(world, "third");
    await world.settle();
    assert.deepEqual(client.texts, ["first", "to one alone", "third"]);
    for (const { texts } of clients.slice(1)) assert.deepEqual(texts, ["first", "third"]);
  });

  test("is not joined by more than the arena holds", async () => {
    const world = new GatewayWorld();
    const [client] = (await world.openMany(SLICE + 50)) as [FakeClient];
    const before = client.socket.takes;
    const large = ["a", "b", "c", "d"].map((letter) => letter.repeat(100_000));
    for (const text of large) push(world, text);
    await world.settle();
    assert.deepEqual(client.texts, large);
    assert.equal(client.socket.takes - before, 2);
  });

  test("of large messages goes out in smaller slices, whose bytes are copied", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(100);
    push(world, "x".repeat(200_000));
    const slices = new Set<number>();
    while (world.time.hasImmediates) {
      world.iterate();
      slices.add(reached(clients));
    }
    // 4 MiB of them each.
    assert.deepEqual([...slices], [21, 42, 63, 84, 100]);
  });

  test("waits while the buffers are too full, until some of it has gone", async () => {
    const limits = "{ bufferBudgetBytes: 100000 }";
    const world = new GatewayWorld({ limits });
    const [slow, quick] = (await world.openMany(2)) as [FakeClient, FakeClient];
    slow.socket.room = 0;
    world.upstream().sink.reply(slow.place, BINARY, Buffer.alloc(90_000), 0, 90_000);
    await world.settle();
    const pushed = push(world, "news");
    await world.settle();
    assert.deepEqual(pushed, {});
    assert.equal(reached([quick]), 0);
    await world.advance(2 * TICK_MS);
    assert.deepEqual(pushed, { answer: { ...emptyAnswer(), matched: 1 } });
    assert.equal(reached([quick]), 1);
  });

  test("to nobody resolves, and so do those behind it", async () => {
    const world = new GatewayWorld();
    const none = push(world, "nobody hears this");
    await world.settle();
    assert.deepEqual(none.answer, emptyAnswer());
  });

  test("is neither sent to nor counted for a receiver that leaves between two slices", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(SLICE + 20);
    const leaver = clients.at(-1) as FakeClient;
    const pushed = push(world, "news");
    leaver.socket.break();
    world.iterate();
    await world.settle();
    assert.equal(pushed.answer?.matched, clients.length - 1);
    assert.deepEqual(leaver.frames, []);
    assert.equal(reached(clients), clients.length - 1);
  });

  test("does not come behind the close frame of a receiver that we close between", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(SLICE + 20);
    const closed = clients.at(-1) as FakeClient;
    const pushed = push(world, "news");
    world.upstream().sink.fail(closed.place, "service-error");
    await world.settle();
    assert.equal(pushed.answer?.matched, clients.length - 1);
    assert.equal(closed.frames.length, 1);
    assert.equal(closed.closeFrame, "1011 the service failed accepted=0");
  });

  test("never reaches the connection that took a receiver's slot meanwhile", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(4 * SLICE);
    const leaver = clients.at(-1) as FakeClient;
    const slot = world.slotOf(leaver);
    const pushed = push(world, "old news");
    leaver.socket.break();
    world.poller.wake();
    const next = new FakeClient(world.poller.connect());
    next.socket.send(upgradeHead("/"));
    // Turns alone: the slot is open again before the push gets to it.
    for (let turn = 0; turn < 4; turn += 1) world.poller.wake();
    assert.equal(world.slotOf(next), slot);
    assert.equal(next.status, 101);
    await world.settle();
    assert.deepEqual(next.frames, []);
    assert.equal(pushed.answer?.matched, clients.length - 1);
    push(world, "new");
    await world.settle();
    assert.deepEqual(next.texts, ["new"]);
  });

  test("that is too large for the arena reaches everybody, and is held once", async () => {
    const world = new GatewayWorld();
    const clients = await world.openMany(9);
    const payload = Buffer.alloc(900_000, "x");
    const slow = clients.slice(3);
    for (const { socket } of slow) socket.room = 1000;
    push(world, payload);
    await world.settle();
    assert.equal(world.parts.budget.held("queued"), payload.length + 10);
    for (const { socket } of slow) socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    for (const { frames } of clients) assert.ok(frames[0]?.payload.equals(payload));
    assert.equal(world.parts.budget.held("queued"), 0);
  });
});

/** Each behind the last one's flush: what waits is counted only then. */
async function pushNumbers(world: GatewayWorld, count: number) {
  const pushes: { answer?: Answer }[] = [];
  for (let index = 0; index < count; index += 1) {
    pushes.push(push(world, `${index}`.repeat(200)));
    await world.settle();
  }
  return pushes;
}

describe("a receiver that does not read", () => {
  const limits = "{ writeQueueSoftBytes: 500, writeQueueHardBytes: 1500 }";

  test("is closed behind the slice, and the others have the message all the same", async () => {
    const world = new GatewayWorld({ limits });
    const clients = await world.openMany(6);
    const slow = clients.slice(1, 4);
    for (const { socket } of slow) socket.room = 0;
    push(world, Buffer.alloc(2000, "1"));
    await world.settle();
    const pushed = push(world, Buffer.alloc(2000, "2"));
    await world.settle();
    assert.deepEqual(pushed.answer, { ...emptyAnswer(), matched: 6, dropped: 3 });
    const reasons = world.upstream().departures.map(({ reason }) => reason);
    assert.deepEqual(reasons, Array(3).fill("slow-consumer"));
    for (const client of clients) {
      if (!slow.includes(client)) assert.equal(client.texts.length, 2);
    }
    for (const { socket } of slow) socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    for (const client of slow) {
      assert.equal(client.texts.length, 1);
      assert.equal(client.closeFrame, "1013 reading too slowly accepted=0");
    }
  });

  test("counts as dropped for each push that came with others, and is closed once", async () => {
    const world = new GatewayWorld({ limits });
    const [slow, quick] = (await world.openMany(2)) as [FakeClient, FakeClient];
    slow.socket.room = 0;
    push(world, Buffer.alloc(2000, "1"));
    await world.settle();
    await world.openMany(SLICE);
    const pushes = ["2", "3", "4"].map((text) => push(world, text));
    await world.settle();
    for (const { answer } of pushes) {
      assert.deepEqual(answer, { ...emptyAnswer(), matched: SLICE + 2, dropped: 1 });
    }
    assert.equal(quick.texts.length, 4);
    const reasons = world.upstream().departures.map(({ reason }) => reason);
    assert.deepEqual(reasons, ["slow-consumer"]);
  });

  test("is not closed for one large message: only what waits before it counts", async () => {
    const world = new GatewayWorld({ limits });
    const [client] = (await world.openMany(1)) as [FakeClient];
    client.socket.room = 0;
    push(world, Buffer.alloc(100_000, "1"));
    await world.settle();
    client.socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    assert.equal(client.texts[0]?.length, 100_000);
    assert.equal(client.closeFrame, undefined);
  });

  test("keeps everything up to the hard mark, where the hub says keep", async () => {
    const world = new GatewayWorld({ limits, hubs: hubOf("keep") });
    const [client] = (await world.openMany(1)) as [FakeClient];
    client.socket.room = 0;
    const pushes = await pushNumbers(world, 7);
    assert.ok(pushes.every(({ answer }) => answer?.dropped === 0));
    client.socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    assert.deepEqual(client.texts.map(([first]) => first).join(""), "0123456");
  });

  test("keeps the oldest, where the hub says drop-newest, and the pusher is told", async () => {
    const world = new GatewayWorld({ limits, hubs: hubOf("drop-newest") });
    const [client] = (await world.openMany(1)) as [FakeClient];
    client.socket.room = 0;
    const pushes = await pushNumbers(world, 9);
    const dropped = pushes.filter(({ answer }) => answer?.dropped === 1).length;
    client.socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    assert.equal(client.texts.map(([first]) => first).join(""), "012");
    assert.equal(dropped, 6);
    assert.equal(client.closeFrame, undefined);
  });

  test("keeps the newest, where the hub says drop-oldest", async () => {
    const world = new GatewayWorld({ limits, hubs: hubOf("drop-oldest") });
    const [client] = (await world.openMany(1)) as [FakeClient];
    client.socket.room = 5;
    await pushNumbers(world, 9);
    await world.settle();
    client.socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    const kept = client.texts.map(([first]) => first).join("");
    // The first had begun; of the others the last ones are left.
    assert.match(kept, /^0\d*8$/);
    assert.ok(kept.length < 9);
    assert.deepEqual([...kept], [...kept].sort());
    assert.equal(client.closeFrame, undefined);
    assert.equal(world.parts.budget.held("queued"), 0);
  });
});

describe("pushes that came together", () => {
  const limits = "{ writeQueueSoftBytes: 500, writeQueueHardBytes: 15000 }";

  test("wait one by one for a receiver that took a part of them", async () => {
    const world = new GatewayWorld({ limits, hubs: hubOf("drop-oldest") });
    const clients = await world.openMany(SLICE + 1);
    const [slow] = clients as [FakeClient];
    slow.socket.room = 450;
    for (let index = 0; index < 8; index += 1) push(world, `${index}`.repeat(200));
    await world.settle();
    push(world, "last");
    await world.settle();
    slow.socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    // Two are out and the third has begun; of the others the newest are left.
    const kept = slow.texts.map(([first]) => first).join("");
    assert.match(kept, /^0126?7l$/);
    assert.equal(world.parts.budget.held("queued"), 0);
    for (const { texts } of clients.slice(1)) assert.equal(texts.length, 9);
  });

  test("count for every receiver, messages and bytes", async () => {
    const world = new GatewayWorld();
    await world.openMany(300);
    for (const text of ["four", "seven77"]) push(world, text);
    await world.settle();
    const { messagesSentTotal, bytesSentTotal } = world.gateway.counts();
    assert.deepEqual([messagesSentTotal, bytesSentTotal], [600, 300 * 11]);
  });
});
