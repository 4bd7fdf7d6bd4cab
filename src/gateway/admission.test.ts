import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { clientFrame, upgradeHead } from "../../test/support/raw-client.ts";
import { TEXT } from "../core/opcode.ts";
import type { ConnectAnswer } from "../upstreams/upstream.ts";
import { FakeClient, GatewayWorld, type WorldOptions } from "./gateway.test.helper.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const service = "service: 'http://service.example/'";
const ASKING = `{ main: { paths: [/, '/:room'], ${service}, auth: { connect: true } } }`;

const ACCEPTED: ConnectAnswer = {
  accepted: true,
  userId: "ann",
  groups: ["red"],
  subprotocol: undefined,
  connectionState: "state",
};

/** A gateway whose service does not answer until the test says so. */
function asking(options: WorldOptions = {}) {
  const world = new GatewayWorld({ hubs: ASKING, ...options });
  let answer: (answer: ConnectAnswer) => void = () => {};
  world.upstream().answer = new Promise((resolve) => {
    answer = resolve;
  });
  return { world, answer: (given: ConnectAnswer) => answer(given) };
}

async function knock(world: GatewayWorld, bytes: string | Uint8Array): Promise<FakeClient> {
  const client = await world.connect();
  client.socket.send(bytes);
  await world.settle();
  return client;
}

/** Leaves as a client does that was refused. */
async function leave(world: GatewayWorld, ...clients: FakeClient[]): Promise<void> {
  for (const { socket } of clients) socket.finish();
  await world.settle();
}

test("who waits for the service's word takes memory for the query as it was sent", async () => {
  const { world } = asking();
  const names = Array.from({ length: 1000 }, (_, index) => (index + 100).toString(36));
  const head = upgradeHead(`/?${names.join("&")}`);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let count = 0; count < 50; count += 1) await knock(world, head);
  collect();
  const each = (process.memoryUsage().heapUsed - before) / 50;
  assert.ok(each < 30_000, `${each} bytes each`);
  assert.deepEqual(Object.keys(world.upstream().requests[0]?.query ?? {}).sort(), names.sort());
});

describe("a request head", () => {
  test("is read whole wherever it is split, and so is the message behind it", async () => {
    const world = new GatewayWorld();
    const bytes = Buffer.concat([
      Buffer.from(upgradeHead("/", { "X-Long": "x".repeat(100) })),
      clientFrame(TEXT, "first"),
    ]);
    for (let at = 1; at < bytes.length; at += 1) {
      const client = await knock(world, bytes.subarray(0, at));
      client.socket.send(bytes.subarray(at));
      await world.settle();
      assert.equal(client.status, 101, `split at ${at}`);
      assert.equal(world.upstream().messages.pop()?.bytes.toString(), "first", `split at ${at}`);
      client.socket.break();
      await world.settle();
    }
    world.assertEmpty();
  });

  test("is charged to the budget while it is not complete, and released with it", async () => {
    const { world } = asking();
    const head = upgradeHead("/");
    const [whole, left, late] = [
      await knock(world, head.slice(0, 30)),
      await knock(world, head.slice(0, 70)),
      await knock(world, head.slice(0, 10)),
    ];
    // What was allotted: the next power of two, 64 at the least.
    assert.equal(world.parts.budget.held("unfinished"), 64 + 128 + 64);
    left.socket.break();
    await world.settle();
    assert.equal(world.parts.budget.held("unfinished"), 128);
    whole.socket.send(head.slice(30));
    await world.settle();
    assert.equal(world.parts.budget.held("unfinished"), 64);
    await world.advance(11_000);
    assert.equal(late.status, 408);
    assert.equal(world.parts.budget.held("unfinished"), 0);
  });

  const refusals = [
    ["plain HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 426],
    ["a path that no hub has", upgradeHead("/nowhere"), 404],
    ["a page of another host", upgradeHead("/", { Origin: "https://evil.example" }), 403],
    ["what is no HTTP", "hello\r\n\r\n", 400],
    ["a head that is too long", `GET / HTTP/1.1\r\nX: ${"x".repeat(9000)}`, 431],
    ["a health check", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 200],
    ["a readiness check", "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", 200],
  ] as const;
  for (const [what, head, status] of refusals) {
    test(`with ${what} is answered with ${status}, and the socket closed behind it`, async () => {
      const world = new GatewayWorld();
      const client = await knock(world, head);
      assert.equal(client.status, status);
      assert.equal(client.socket.ended, true);
      assert.equal(client.socket.closed, undefined);
      client.socket.send("what it still sends is discarded");
      await leave(world, client);
      assert.equal(client.socket.closed, "closed");
      world.assertEmpty();
    });
  }
});

describe("more clients than there may be", () => {
  test("are refused with 503, and the worker says when it is full and when no longer", async () => {
    const world = new GatewayWorld({ limits: "{ connectionsMax: 3 }" });
    const clients = await world.openMany(2);
    assert.deepEqual(world.fulls, []);
    clients.push(await world.open());
    assert.deepEqual(world.fulls, [true]);
    const late = await world.connect();
    assert.equal(late.status, 503);
    assert.match(late.head as string, /\r\nRetry-After: 1\r\n/);
    assert.equal(world.gateway.counts().connections, 3);
    await leave(world, late);
    await world.advance(1000);
    assert.deepEqual(world.fulls, [true]);
    clients[0]?.socket.break();
    await world.settle();
    await world.advance(500);
    assert.deepEqual(world.fulls, [true, false]);
    assert.equal((await world.open()).status, 101);
    assert.deepEqual(world.fulls, [true, false, true]);
  });

  test("count from the moment that they connect, also before they have said anything", async () => {
    const world = new GatewayWorld({ limits: "{ connectionsMax: 2 }" });
    await world.connect();
    await world.connect();
    assert.deepEqual(world.fulls, [true]);
    assert.equal((await world.connect()).status, 503);
  });

  test("do not turn the selector with every one that comes and goes", async () => {
    const world = new GatewayWorld({ limits: "{ connectionsMax: 100 }" });
    const clients = await world.openMany(100);
    assert.deepEqual(world.fulls, [true]);
    for (let count = 0; count < 2; count += 1) {
      clients.pop()?.socket.break();
      await world.settle();
      await world.advance(250);
      assert.deepEqual(world.fulls, [true]);
    }
    clients.pop()?.socket.break();
    await world.settle();
    await world.advance(250);
    assert.deepEqual(world.fulls, [true, false]);
  });
});

describe("more handshakes than may be pending", () => {
  test("are refused with 503, until one of them is through", async () => {
    const world = new GatewayWorld({ limits: "{ handshakesPendingMax: 2 }" });
    const [first] = [await world.connect(), await world.connect()];
    const late = await world.connect();
    assert.equal(late.status, 503);
    first.socket.send(upgradeHead("/"));
    await world.settle();
    assert.equal(first.status, 101);
    assert.equal((await world.connect()).head, undefined);
    assert.equal(world.gateway.counts().handshakesPending, 2);
  });
});

describe("with the buffers exhausted", () => {
  test("nobody new comes in, until there is room again", async () => {
    const world = new GatewayWorld({ limits: "{ bufferBudgetBytes: 100000 }" });
    const client = await world.open();
    client.send(2, Buffer.alloc(95_000));
    await world.settle();
    assert.equal((await world.connect()).status, 503);
    const [message] = world.upstream().messages;
    assert.ok(message);
    world.upstream().acknowledge(message);
    assert.equal((await world.open()).status, 101);
  });
});

describe("while the service is asked", () => {
  test("nothing that the client sends is read; all is delivered behind the answer", async () => {
    const { world, answer } = asking();
    const client = await knock(world, upgradeHead("/blue"));
    client.text("one", "two");
    await world.settle();
    assert.deepEqual([client.head, world.upstream().messages.length], [undefined, 0]);
    answer(ACCEPTED);
    await world.settle();
    client.text("three");
    await world.settle();
    const texts = world.upstream().messages.map(({ bytes }) => bytes.toString());
    assert.deepEqual([client.status, texts], [101, ["one", "two", "three"]]);
    client.place = world.placeOf(client);
    const facts = world.upstream().sink.facts(client.place);
    assert.deepEqual([facts.userId, facts.connectionState], ["ann", "state"]);
    assert.deepEqual({ ...world.upstream().requests[0]?.params }, { room: "blue" });
  });

  test("what came with the head waits as well, charged to the budget", async () => {
    const { world, answer } = asking();
    const message = clientFrame(TEXT, "early");
    const client = await knock(world, Buffer.concat([Buffer.from(upgradeHead("/")), message]));
    assert.equal(world.parts.budget.held("parked"), message.length);
    answer(ACCEPTED);
    await world.settle();
    assert.equal(client.status, 101);
    assert.equal(world.upstream().messages[0]?.bytes.toString(), "early");
    assert.equal(world.parts.budget.held("parked"), 0);
  });

  test("a client that leaves is forgotten, and the service told if it let it in", async () => {
    for (const accepted of [true, false]) {
      const { world, answer } = asking();
      const bytes = Buffer.concat([Buffer.from(upgradeHead("/")), clientFrame(TEXT, "early")]);
      const client = await knock(world, bytes);
      client.socket.break();
      await world.settle();
      world.assertEmpty();
      const body = new Uint8Array(0);
      const refusal = { accepted: false as const, status: 401, contentType: undefined, body };
      answer(accepted ? ACCEPTED : refusal);
      await world.settle();
      const { abandonments, departures, messages } = world.upstream();
      const told = abandonments.map(({ facts, reason, code }) => [facts.userId, reason, code]);
      assert.deepEqual(told, accepted ? [["ann", "client-gone", 1006]] : []);
      assert.deepEqual([departures.length, messages.length], [0, 0]);
    }
  });

  test("an answer that comes too late is for nobody, even if the slot is used again", async () => {
    const { world, answer } = asking();
    const gone = await knock(world, upgradeHead("/"));
    const slot = world.slotOf(gone);
    gone.socket.break();
    await world.settle();
    world.upstream().answer = new Promise(() => {});
    const next = await knock(world, upgradeHead("/"));
    assert.equal(world.slotOf(next), slot);
    answer(ACCEPTED);
    await world.settle();
    assert.equal(next.head, undefined);
    assert.equal(world.upstream().abandonments.length, 1);
    assert.equal(world.gateway.counts().connections, 0);
  });

  test("its refusal is the client's answer, status and body", async () => {
    const { world, answer } = asking();
    const early = clientFrame(TEXT, "early");
    const client = await knock(world, Buffer.concat([Buffer.from(upgradeHead("/")), early]));
    const body = Buffer.from('{"why":"no"}');
    answer({ accepted: false, status: 401, contentType: "application/json", body });
    await world.settle();
    assert.equal(client.status, 401);
    assert.match(client.head as string, /\r\nContent-Type: application\/json\r\n/);
    assert.ok(client.socket.received.toString().endsWith('\r\n\r\n{"why":"no"}'));
    assert.equal(world.parts.budget.held("parked"), 0);
    await leave(world, client);
    world.assertEmpty();
  });

  test("no answer within the handshake's time is a 503", async () => {
    const { world, answer } = asking();
    const client = await knock(world, upgradeHead("/"));
    await world.advance(11_000);
    assert.equal(client.status, 503);
    answer(ACCEPTED);
    await world.settle();
    assert.equal(world.upstream().abandonments.length, 1);
    await leave(world, client);
    world.assertEmpty();
  });
});

describe("a gateway that stops", () => {
  test("closes the connections with 1012 and refuses the handshakes with 503", async () => {
    const { world, answer } = asking();
    world.upstream().answer = Promise.resolve(ACCEPTED);
    const open = await world.open();
    world.upstream().answer = new Promise((resolve) => answer === resolve);
    const waiting = await knock(world, upgradeHead("/"));
    const silent = await world.connect();
    const stopped = world.gateway.stop();
    await world.settle();
    assert.equal(open.closeFrame, "1012 the gateway restarts accepted=0");
    assert.deepEqual([waiting.status, silent.status], [503, 503]);
    const late = new FakeClient(world.poller.connect());
    await world.settle();
    assert.equal(world.poller.slotOf(late.socket), undefined);
    open.send(8, Buffer.from([3, 244]));
    await leave(world, open, waiting, silent);
    await world.advance(500);
    await stopped;
    world.assertEmpty();
  });

  test("does not wait for ever for clients that do not answer", async () => {
    const world = new GatewayWorld({ limits: "{ closeTimeoutMs: 4000 }" });
    await world.open();
    let isStopped = false;
    void world.gateway.stop().then(() => {
      isStopped = true;
    });
    await world.advance(3500);
    assert.equal(isStopped, false);
    await world.advance(1000);
    assert.equal(isStopped, true);
  });

  test("tells the service of a client that it let in meanwhile", async () => {
    const { world, answer } = asking();
    const client = await knock(world, upgradeHead("/"));
    void world.gateway.stop();
    await world.settle();
    answer(ACCEPTED);
    await world.settle();
    assert.equal(client.status, 503);
    const told = world.upstream().abandonments.map(({ reason, code }) => [reason, code]);
    assert.deepEqual(told, [["gateway-stopping", 1012]]);
  });
});
