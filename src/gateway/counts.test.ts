/** What a worker's gateway counts, against what happened to it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { upgradeHead } from "../../test/support/raw-client.ts";
import { TEXT } from "../core/opcode.ts";
import { TICK_MS } from "../reactor/ticks.ts";
import type { ConnectAnswer } from "../upstreams/upstream.ts";
import { disconnects } from "./disconnect.ts";
import { GatewayWorld } from "./gateway.test.helper.ts";
import { refusalReasons } from "./refusal.ts";

const CLOSE = 8;
const hub = (path: string, more = "") =>
  `{ paths: [${path}], service: 'http://service.example/', auth: { connect: false }${more} }`;

/** The names of what is not 0. */
function nonzero(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

test("every way to end and to be refused is there before it happens", () => {
  const { closedTotal, refusedTotal } = new GatewayWorld().gateway.counts();
  assert.deepEqual(Object.keys(closedTotal), Object.keys(disconnects));
  assert.deepEqual(Object.keys(refusedTotal).sort(), [...refusalReasons].sort());
  assert.deepEqual([nonzero(closedTotal), nonzero(refusedTotal)], [{}, {}]);
});

test("connections are counted by their hub while they are open", async () => {
  const world = new GatewayWorld({ hubs: `{ a: ${hub("/a")}, b: ${hub("/b")} }` });
  const clients = [await world.open("/a"), await world.open("/b"), await world.open("/b")];
  const open = () => {
    const { connections, hubs } = world.gateway.counts();
    return [connections, hubs.a?.connections, hubs.b?.connections];
  };
  assert.deepEqual(open(), [3, 1, 2]);
  clients[1]?.send(CLOSE, Buffer.from([3, 232]));
  await world.settle();
  assert.deepEqual(open(), [2, 1, 1]);
  clients[0]?.send(CLOSE);
  clients[2]?.socket.send("no frame");
  await world.settle();
  assert.deepEqual(open(), [0, 0, 0]);
  const { openedTotal, closedTotal } = world.gateway.counts();
  assert.equal(openedTotal, 3);
  assert.deepEqual(nonzero(closedTotal), { "client-closed": 2, "protocol-error": 1 });
});

test("messages from clients are counted by their hub, and their payload's bytes", async () => {
  const world = new GatewayWorld({ hubs: `{ a: ${hub("/a")}, b: ${hub("/b")} }` });
  const client = await world.open("/a");
  client.text("four", "ü", "");
  client.send(1, "in ", false);
  client.send(0, "parts");
  client.send(9, "a ping is no message");
  await world.settle();
  const { hubs } = world.gateway.counts();
  assert.equal(hubs.a?.messagesReceivedTotal, 4);
  assert.equal(hubs.a?.bytesReceivedTotal, 4 + 2 + 0 + 8);
  assert.equal(hubs.b?.messagesReceivedTotal, 0);
  assert.equal(hubs.b?.bytesReceivedTotal, 0);
});

test("messages to clients are counted for each receiver, and their payload's bytes", async () => {
  const world = new GatewayWorld();
  const [one] = await world.openMany(3);
  assert.ok(one !== undefined);
  const { sink } = world.upstream();
  const reply = Buffer.from("..reply..");
  sink.reply(one.place, TEXT, reply, 2, 5);
  sink.reply(one.place, TEXT, Buffer.alloc(70_000), 0, 70_000);
  one.send(9, "the pong is no message");
  await world.execute({
    verb: "send",
    hub: "main",
    target: { kind: "all" },
    excluded: [],
    opcode: TEXT,
    bytes: Buffer.from("seven.."),
    pushId: undefined,
  });
  const { messagesSentTotal, bytesSentTotal } = world.gateway.counts();
  assert.equal(messagesSentTotal, 5);
  assert.equal(bytesSentTotal, 5 + 70_000 + 3 * 7);
});

for (const policy of ["drop-newest", "drop-oldest", "keep"] as const) {
  test(`what slowConsumer drops is counted: ${policy}`, async () => {
    const limits = "{ writeQueueSoftBytes: 1000, writeQueueHardBytes: 100000 }";
    const hubs = `{ main: ${hub("/", `, slowConsumer: ${policy}`)} }`;
    const world = new GatewayWorld({ hubs, limits });
    const client = await world.open();
    client.socket.room = 0;
    const { sink } = world.upstream();
    for (let message = 0; message < 5; message += 1) {
      sink.reply(client.place, TEXT, Buffer.alloc(900), 0, 900);
      await world.settle();
    }
    const { messagesDroppedTotal, messagesSentTotal } = world.gateway.counts();
    const dropped = policy === "keep" ? {} : { [policy]: 3 };
    assert.deepEqual(nonzero(messagesDroppedTotal), dropped);
    assert.equal(messagesSentTotal, policy === "drop-newest" ? 2 : 5);
  });
}

test("handshakes without a connection are counted by the reason", async () => {
  const asking = "{ paths: [/asks], service: 'http://service.example/' }";
  const world = new GatewayWorld({ hubs: `{ plain: ${hub("/")}, asks: ${asking} }` });
  const say = async (text: string) => {
    const client = await world.connect();
    client.socket.send(text);
    await world.settle();
  };
  await say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await say("no request\r\n\r\n");
  await say(upgradeHead("/nowhere"));
  await say(upgradeHead("/", { Origin: "https://elsewhere.example" }));
  await say("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  const refuse = (status: number): ConnectAnswer => {
    return { accepted: false, status, contentType: undefined, body: new Uint8Array() };
  };
  for (const status of [401, 403, 503]) {
    world.upstream("asks").answer = Promise.resolve(refuse(status));
    await say(upgradeHead("/asks"));
  }
  const late = await world.connect();
  assert.equal(world.gateway.counts().handshakesPending, 1);
  late.socket.finish();
  await world.settle();
  await world.connect();
  await world.advance(60_000);
  const { refusedTotal, openedTotal, handshakesPending } = world.gateway.counts();
  assert.deepEqual(nonzero(refusedTotal), {
    400: 1,
    426: 1,
    "path-unknown": 1,
    "origin-not-allowed": 1,
    "service-refused": 2,
    "service-unavailable": 1,
    "client-gone": 1,
    "handshake-timeout": 1,
  });
  assert.deepEqual([openedTotal, handshakesPending], [0, 0]);
});

test("the budget is told by what holds it", async () => {
  const world = new GatewayWorld({ limits: "{ bufferBudgetBytes: 10000000 }" });
  const client = await world.open();
  client.text("four");
  client.send(1, "unfinished", false);
  await world.settle();
  const { memory } = world.gateway.counts();
  const { unfinished = 0, ...rest } = memory;
  assert.ok(unfinished >= 10, `${unfinished} bytes unfinished`);
  assert.deepEqual(rest, { parked: 0, queued: 0, unacknowledged: 4, max: 10_000_000 });
});

test("counts are a copy of their moment", async () => {
  const world = new GatewayWorld();
  const before = world.gateway.counts();
  const copy = structuredClone(before);
  const client = await world.open();
  client.text("four");
  client.socket.send("no frame");
  const broken = await world.connect();
  broken.socket.send("no request\r\n\r\n");
  await world.settle();
  assert.notDeepEqual(world.gateway.counts(), copy);
  assert.deepEqual(before, copy);
});

test("how long the event loop was held is counted: by turns, pushes and long sweeps", async () => {
  const world = new GatewayWorld();
  const clients = await world.openMany(300);
  const observed = () => {
    const { turns, turnSecondsMax } = world.gateway.counts();
    return { times: turns.buckets.reduce((sum, count) => sum + count, 0), turnSecondsMax };
  };
  const before = observed();
  assert.ok(before.times > 0);
  await world.advance(40 * TICK_MS);
  assert.deepEqual(observed(), before, "an idle worker has no news");
  world.time.stepMs = 0.75;
  clients[0]?.text("a");
  world.poller.wake();
  const turned = observed();
  assert.equal(turned.times, before.times + 1);
  assert.ok(turned.turnSecondsMax >= 0.00075);
  world.time.stepMs = 0;
  await world.settle();
  const target = { kind: "all" as const };
  const about = { hub: "main", target, excluded: [], pushId: undefined };
  const bytes = Buffer.from("x");
  const pushed = world.gateway.execute({ verb: "send", ...about, opcode: TEXT, bytes });
  const { times } = observed();
  world.time.runImmediates();
  assert.equal(observed().times, times + 1, "the slice; its flush comes with the next iteration");
  await world.settle();
  assert.equal((await pushed).matched, 300);
  world.time.stepMs = 1;
  const { times: atRest } = observed();
  await world.advance(TICK_MS);
  assert.ok(observed().times > atRest, "a sweep that took a millisecond");
});
