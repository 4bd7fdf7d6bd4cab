/**
 * The engine where it is thin: sockets that break or fill in the middle of a turn, clients that
 * end while something is owed to them, and what is held for all clients together.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Target } from "../src/bus/command.ts";
import { parseConfiguration } from "../src/config/load.ts";
import { formatConnectionId, makeNonce, SLOTS_MAX } from "../src/core/connection-id.ts";
import { silentLog } from "../src/core/log.ts";
import { BINARY, TEXT } from "../src/core/opcode.ts";
import { Gateway } from "../src/gateway/gateway.ts";
import { type Binding, loadBinding, WRITE } from "../src/reactor/binding.ts";
import { Outbox } from "../src/reactor/outbox.ts";
import { EchoUpstream } from "../src/upstreams/echo.ts";
import { GatewayProcess } from "./support/gateway-process.ts";
import { HeldUpstream } from "./support/held-upstream.ts";
import { type InProcessGateway, startInProcess } from "./support/in-process-gateway.ts";
import { clientFrame, RawClient, upgradeHead } from "./support/raw-client.ts";

const CLOSE = 8;
const PING = 9;

interface Held {
  gateway: InProcessGateway;
  upstream: HeldUpstream;
}

async function startHeld(
  hub: string,
  limits = "{}",
  binding: Binding = loadBinding(),
): Promise<Held> {
  let upstream: HeldUpstream | undefined;
  const gateway = await startInProcess({
    hub: `paths: [/]\nservice: 'http://127.0.0.1:1/'\nauth: { connect: false }\n${hub}`,
    ...{ limits, binding },
    openUpstream: (sink) => {
      upstream = new HeldUpstream(sink);
      return upstream;
    },
  });
  return { gateway, upstream: upstream as HeldUpstream };
}

/** Runs as far as it can before it returns: several of them fall into one flush. */
function send({ gateway }: InProcessGateway, target: Target, bytes: Uint8Array) {
  const push = { hub: "main", opcode: BINARY, pushId: undefined } as const;
  return gateway.execute({ ...push, verb: "send", target, bytes, excluded: [] });
}

const ALL: Target = { kind: "all" };

/** For what more than one client may bring about. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Resolves when nothing that the socket was given moves any more; the bytes that are left. */
async function settled(client: RawClient): Promise<number> {
  let last = -1;
  while (client.socket.writableLength !== last) {
    last = client.socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return last;
}

/** The addon, and the slots whose sockets are waited for because something is queued. */
function watchWrites() {
  const binding = loadBinding();
  const waiting = new Set<number>();
  const create: Binding["create"] = (options) => {
    const poller = binding.create(options);
    const watch = (slot: number, interest: number) => {
      if ((interest & WRITE) !== 0) waiting.add(slot);
      else waiting.delete(slot);
      poller.watch(slot, interest);
    };
    return { ...poller, watch };
  };
  return { binding: { ...binding, create }, waiting };
}

describe("a client that resets its connection", () => {
  test("between a short and a long push takes nobody with it", async () => {
    const held = await startHeld("");
    const leaving = await RawClient.open(held.gateway.port);
    const staying = await RawClient.open(held.gateway.port);
    await held.upstream.until(() => held.upstream.connectedPlaces.length === 2, "both");
    leaving.socket.resetAndDestroy();
    const answers = [Buffer.from("short"), Buffer.alloc(600_000)].map((bytes) =>
      send(held.gateway, ALL, bytes),
    );
    await Promise.all(answers);
    await staying.until(() => staying.frames.length === 2, "both messages");
    assert.deepEqual(
      held.upstream.departures.map(({ reason }) => reason),
      ["client-gone"],
    );
    staying.destroy();
    await held.gateway.stop();
  });

  test("is found gone in the middle of being closed, while it is not read", async () => {
    const held = await startHeld("limits: { unacknowledgedMessagesMax: 1 }");
    const leaving = await RawClient.open(held.gateway.port);
    const staying = await RawClient.open(held.gateway.port);
    const { upstream, gateway } = held;
    await upstream.until(() => upstream.connectedPlaces.length === 2, "both");
    leaving.sendFrame(TEXT, "fills the window");
    await upstream.until(() => upstream.messages.length === 1, "a full window");
    leaving.socket.resetAndDestroy();
    const connectionId = formatConnectionId(gateway.nonce, upstream.connectedPlaces[1] as number);
    void send(gateway, ALL, Buffer.from("x"));
    // All but a few bytes of the outbox' arena: the next close frame makes it send them.
    const rest = Outbox.BYTES - 3 - 4 * 500_010;
    for (const length of [500_000, 500_000, 500_000, 500_000, rest - 18]) {
      void send(gateway, { kind: "connection", connectionId }, Buffer.alloc(length));
    }
    await gateway.gateway.execute({
      ...{ verb: "close", hub: "main", target: ALL, excluded: [], reason: "" },
    });
    assert.equal((await staying.closeFrame()).code, 1000);
    staying.destroy();
    await gateway.stop();
    assert.equal(gateway.gateway.counts().connections, 0);
  });
});

test("a refusal of the service that fits in no arena arrives whole", async () => {
  let upstream: HeldUpstream | undefined;
  const gateway = await startInProcess({
    hub: "paths: [/]\nservice: 'http://127.0.0.1:1/'",
    openUpstream: (sink) => {
      upstream = new HeldUpstream(sink);
      const body = Buffer.alloc(5_000_000, "r");
      const refusal = { accepted: false, status: 403, contentType: undefined, body } as const;
      upstream.answer = Promise.resolve(refusal);
      return upstream;
    },
  });
  const client = await RawClient.open(gateway.port);
  assert.equal(client.status, 403);
  await client.until(() => client.ended, "a FIN");
  assert.equal(client.rest.length, 5_000_000);
  client.destroy();
  await gateway.stop();
});

test("a machine without a limit of descriptors gets as many slots as ids can name", async () => {
  const binding = { ...loadBinding(), raiseDescriptorLimit: () => 2 ** 30 };
  let connectionsMax = 0;
  const info = (fields: object) => {
    if ("connectionsMax" in fields) connectionsMax = Number(fields.connectionsMax);
  };
  const configuration = parseConfiguration("hubs: { main: { service: 'echo:' } }", "t.yaml", {});
  const gateway = new Gateway({
    ...{ configuration, binding, nonce: makeNonce() },
    log: { ...silentLog, info },
    openUpstream: (_name, _hub, sink) => new EchoUpstream(sink),
    reportFull() {},
    reportCounts() {},
  });
  gateway.start();
  await gateway.stop();
  assert.ok(connectionsMax > SLOTS_MAX / 2 && connectionsMax < SLOTS_MAX, `${connectionsMax}`);
});

describe("a client that ends its side", () => {
  test("right behind its messages still gets every answer, and then a FIN", async () => {
    const gateway = await startInProcess();
    const client = await RawClient.open(gateway.port);
    client.socket.pause();
    const message = clientFrame(BINARY, Buffer.alloc(50_000, 7));
    for (let count = 0; count < 400; count += 1) client.send(message);
    client.socket.end();
    await settled(client);
    client.socket.resume();
    await client.until(() => client.ended || client.closed, "the end");
    assert.equal(client.error, undefined);
    assert.equal(client.frames.length, 400);
    assert.equal(gateway.gateway.counts().closedTotal["client-hung-up"], 1);
    client.destroy();
    await gateway.stop();
  });

  test("behind its request alone gets the refusal, then a FIN, and no reset", async () => {
    const gateway = await startInProcess();
    const client = await RawClient.connect(gateway.port);
    client.send(upgradeHead("/nowhere"));
    client.socket.end();
    await client.until(() => client.ended || client.closed, "the end");
    assert.equal(client.status, 404);
    assert.equal(client.error, undefined);
    await gateway.stop();
  });
});

describe("a client with a long queue", () => {
  test("is read again once half of the soft mark is free, before nothing waits", async () => {
    const softBytes = 32 << 20;
    const limits = `{ writeQueueSoftBytes: ${softBytes}, writeQueueHardBytes: ${4 * softBytes} }`;
    const watched = watchWrites();
    const held = await startHeld("slowConsumer: drop-newest", limits, watched.binding);
    const { gateway, upstream } = held;
    const client = await RawClient.open(gateway.port);
    await upstream.until(() => upstream.connectedPlaces.length === 1, "the client");
    client.socket.pause();
    while ((await send(gateway, ALL, Buffer.alloc(1 << 20))).dropped === 0);
    client.send(Buffer.concat([clientFrame(TEXT, "one"), clientFrame(TEXT, "two")]));
    await upstream.until(() => upstream.messages.length === 1, "the first message");
    assert.equal(watched.waiting.size, 1);
    client.socket.resume();
    // Asked at the moment of the message, before the queue can have become any shorter.
    let waiting = -1;
    await upstream.until(() => {
      if (upstream.messages.length === 2 && waiting < 0) waiting = watched.waiting.size;
      return waiting >= 0;
    }, "the second message");
    assert.equal(waiting, 1, "its queue had to be empty first");
    client.destroy();
    await gateway.stop();
  });

  test("of pongs has no more of them than the soft mark and one read's", async () => {
    const limits = "{ controlFramesPerSecond: 1000000, controlFramesBurst: 1000000 }";
    const gateway = await startInProcess({ limits });
    const client = await RawClient.open(gateway.port);
    client.socket.pause();
    const pings = Buffer.concat(Array(10_000).fill(clientFrame(PING, Buffer.alloc(125))));
    for (let count = 0; count < 20; count += 1) client.send(pings);
    // Later pongs stand for earlier ones, or the client is not read any more: it depends on how
    // many came at once.
    await settled(client);
    const { queued = 0 } = gateway.gateway.counts().memory;
    assert.ok(queued > 0 && queued <= 3 * 262_144, `${queued} bytes wait`);
    client.destroy();
    await gateway.stop();
  });
});

test("buffers full of unfinished messages let the largest go, and nobody else", async () => {
  const gateway = await startInProcess({ limits: "{ bufferBudgetBytes: 1000000 }" });
  const idle = await RawClient.open(gateway.port);
  const clients: RawClient[] = [];
  const message = clientFrame(BINARY, Buffer.alloc(120_000));
  for (let count = 0; count < 12; count += 1) {
    const client = await RawClient.open(gateway.port);
    clients.push(client);
    client.send(message.subarray(0, 110_000));
    if (client.status !== 101) break;
  }
  await until(() => clients.some((client) => client.frames.length > 0));
  const [frame] = clients.flatMap((client) => client.frames);
  assert.equal(frame?.payload.readUInt16BE(), 1013);
  const closed = gateway.gateway.counts().closedTotal["buffers-full"] as number;
  assert.ok(closed >= 1 && closed <= 6, `${closed} were closed`);
  idle.sendFrame(TEXT, "still here");
  assert.equal((await idle.nextFrame()).payload.toString(), "still here");
  for (const client of [idle, ...clients]) client.destroy();
  await gateway.stop();
});

test("buffers full of what came before the service's word let the largest go", async () => {
  const gateway = await startInProcess({
    hub: "paths: [/]\nservice: 'http://127.0.0.1:1/'",
    limits: "{ bufferBudgetBytes: 100000 }",
    openUpstream: (sink) =>
      Object.assign(new HeldUpstream(sink), { answer: new Promise(() => {}) }),
  });
  const small = await RawClient.connect(gateway.port);
  small.send(upgradeHead("/"));
  const early = Buffer.concat([Buffer.from(upgradeHead("/")), Buffer.alloc(100_000)]);
  const large: RawClient[] = [];
  for (let count = 0; count < 8; count += 1) {
    const client = await RawClient.connect(gateway.port);
    large.push(client);
    client.send(early);
  }
  await until(() => large.some((client) => client.status === 503));
  assert.equal(small.head, undefined);
  for (const client of [small, ...large]) client.destroy();
  await gateway.stop();
});

test("a slow client whose oldest messages are dropped stays, however they grow", async () => {
  const held = await startHeld("slowConsumer: drop-oldest");
  const client = await RawClient.open(held.gateway.port);
  await held.upstream.until(() => held.upstream.connectedPlaces.length === 1, "the client");
  client.socket.pause();
  const push = (bytes: number) => send(held.gateway, ALL, Buffer.alloc(bytes));
  for (let count = 0; count < 1500; count += 1) await push(10_000);
  for (let count = 0; count < 20; count += 1) await push(200_000);
  assert.deepEqual(held.upstream.departures, []);
  client.destroy();
  await held.gateway.stop();
});

test("a worker that is stopping by itself is sent no more clients", async () => {
  const gateway = await GatewayProcess.start(
    "main: { paths: [/], service: 'echo:' }",
    "workers: 2",
  );
  // They do not answer the close frame: each of the two workers takes its time over one.
  const held = await Promise.all(Array.from({ length: 16 }, () => RawClient.open(gateway.port)));
  const { workers } = await gateway.statusUntil((status) => status.connections === 16);
  assert.ok(
    workers.every(({ connections }) => connections > 0),
    "each worker has clients",
  );
  process.kill(workers[0]?.pid as number, "SIGTERM");
  await until(() => held.some((client) => client.frames.some(({ opcode }) => opcode === CLOSE)));
  // The worker said so before it closed anybody; whoever answers this has heard of it.
  await gateway.status();
  for (let count = 0; count < 20; count += 1) {
    const client = await RawClient.connect(gateway.port);
    client.send(upgradeHead("/"));
    await client.until(() => client.head !== undefined, "an answer without delay", 2000);
    client.destroy();
  }
  for (const client of held) client.destroy();
  await gateway.stop();
});

test("a gateway out of slots says so once, and once more when it accepts again", async () => {
  const sentences: string[] = [];
  const say = (_fields: object, sentence: string) => void sentences.push(sentence);
  const gateway = await startInProcess({
    limits:
      "{ connectionsMax: 1, closeTimeoutMs: 1200, " +
      "handshakeTimeoutMs: 1100, connectTimeoutMs: 1000 }",
    log: { ...silentLog, info: say, warn: say },
  });
  const clients = await Promise.all(
    Array.from({ length: 80 }, () => RawClient.connect(gateway.port)),
  );
  // Each of them is refused in the end, though they hold on to their sockets.
  for (const client of clients.slice(0, -1)) {
    await client.until(() => client.head !== undefined || client.closed, "an answer");
  }
  const told = sentences.filter((sentence) => /out of|again/.test(sentence));
  assert.ok(told.length >= 1 && told.length <= 4, told.join("\n"));
  for (const client of clients) client.destroy();
  await gateway.stop();
});
