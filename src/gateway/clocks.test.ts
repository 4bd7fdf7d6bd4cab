import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { upgradeHead } from "../../test/support/raw-client.ts";
import { BINARY, TEXT } from "../core/opcode.ts";
import { TICK_MS } from "../reactor/ticks.ts";
import { type FakeClient, GatewayWorld } from "./gateway.test.helper.ts";

const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** Pings and idleness out of the way. */
const QUIET = "pingIntervalMs: 0, pongTimeoutMs: 1, idleTimeoutMs: 0";

function hubOf(limits: string): string {
  const service = "service: 'http://service.example/', auth: { connect: false }";
  return `{ main: { paths: [/], ${service}, limits: { ${limits} } } }`;
}

/** Advances until `condition` holds; the milliseconds that it took, to the tick. */
async function msUntil(world: GatewayWorld, condition: () => boolean, ms: number) {
  const startMs = world.time.nowMs;
  while (!condition()) {
    assert.ok(world.time.nowMs - startMs <= ms, `not within ${ms} ms`);
    await world.advance(TICK_MS);
  }
  return world.time.nowMs - startMs;
}

function push(world: GatewayWorld, length: number) {
  const about = { hub: "main", target: { kind: "all" as const }, excluded: [], pushId: undefined };
  return world.execute({ verb: "send", ...about, opcode: BINARY, bytes: new Uint8Array(length) });
}

describe("pings", () => {
  test("come a little before the interval, each client's at a moment of its own", async () => {
    const world = new GatewayWorld({ limits: "{ pingIntervalMs: 20000, pongTimeoutMs: 8000 }" });
    const clients = await world.openMany(200);
    const startMs = world.time.nowMs;
    const pingedAfterMs = new Map<FakeClient, number>();
    while (pingedAfterMs.size < clients.length) {
      await world.advance(TICK_MS);
      for (const client of clients) {
        if (pingedAfterMs.has(client) || client.countOf(PING) === 0) continue;
        pingedAfterMs.set(client, world.time.nowMs - startMs);
      }
      assert.ok(world.time.nowMs - startMs <= 20_000 + 2 * TICK_MS);
    }
    const times = [...pingedAfterMs.values()];
    assert.ok(Math.min(...times) >= 18_000);
    // 10 % of the interval are eight ticks, and no tick has more than its share twice over.
    const ticks = new Set(times);
    assert.ok(ticks.size >= 8, `${ticks.size} moments`);
    for (const tick of ticks) assert.ok(times.filter((each) => each === tick).length <= 50);
  });

  test("go on coming to the client that answers, which is never idle", async () => {
    const world = new GatewayWorld({ limits: "{ pingIntervalMs: 5000, pongTimeoutMs: 2000 }" });
    const client = await world.open();
    for (let count = 1; count <= 40; count += 1) {
      await msUntil(world, () => client.countOf(PING) === count, 6000);
      client.send(PONG);
      await world.settle();
    }
    assert.equal(client.closeFrame, undefined);
  });

  test("are not sent to a client that is heard of anyway", async () => {
    const world = new GatewayWorld({ limits: "{ pingIntervalMs: 5000, pongTimeoutMs: 2000 }" });
    const client = await world.open();
    for (let count = 0; count < 30; count += 1) {
      await world.advance(4000);
      client.text("here");
      await world.settle();
    }
    assert.equal(client.countOf(PING), 0);
  });

  test("that are not answered end the connection with 1001", async () => {
    const world = new GatewayWorld({ limits: "{ pingIntervalMs: 5000, pongTimeoutMs: 2000 }" });
    const client = await world.open();
    await msUntil(world, () => client.countOf(PING) === 1, 6000);
    const tookMs = await msUntil(world, () => client.closeFrame !== undefined, 4000);
    assert.ok(tookMs >= 2000 && tookMs <= 2000 + 2 * TICK_MS, `${tookMs} ms`);
    assert.equal(client.closeFrame, "1001 no answer to a ping accepted=0");
    assert.equal(client.countOf(PING), 1);
    assert.equal(world.upstream().departures[0]?.reason, "ping-timeout");
  });

  test("are sent once, and the answer is due when it was, whatever else happens", async () => {
    const limits = "{ pingIntervalMs: 5000, pongTimeoutMs: 4000, writeStallTimeoutMs: 2000 }";
    const world = new GatewayWorld({ limits });
    const client = await world.open();
    await msUntil(world, () => client.countOf(PING) === 1, 6000);
    const startMs = world.time.nowMs;
    // A queue that comes and goes has a deadline of its own, in the middle of the wait.
    client.socket.room = 0;
    await push(world, 100);
    await world.advance(1000);
    client.socket.room = Number.POSITIVE_INFINITY;
    await msUntil(world, () => client.closeFrame !== undefined, 5000);
    assert.ok(world.time.nowMs - startMs <= 4000 + 2 * TICK_MS);
    assert.equal(client.countOf(PING), 1);
  });

  test("are answered by any byte, half a frame too", async () => {
    const world = new GatewayWorld({ limits: "{ pingIntervalMs: 5000, pongTimeoutMs: 2000 }" });
    const client = await world.open();
    await msUntil(world, () => client.countOf(PING) === 1, 6000);
    client.socket.send(Buffer.from([0x81]));
    await world.advance(4000);
    assert.equal(client.closeFrame, undefined);
  });

  test("do not stand behind a queue that the client does not take", async () => {
    const limits = "{ pingIntervalMs: 5000, pongTimeoutMs: 2000, writeStallTimeoutMs: 20000 }";
    const world = new GatewayWorld({ limits });
    const client = await world.open();
    client.socket.room = 0;
    await push(world, 1000);
    await world.advance(12_000);
    client.socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    assert.equal(client.countOf(PING), 0);
    assert.equal(client.closeFrame, undefined);
    await msUntil(world, () => client.countOf(PING) === 1, 6000);
  });
});

describe("while a connection is not read", () => {
  test("no clock of its silence runs, and all start anew when it is read again", async () => {
    const limits = "{ pingIntervalMs: 5000, pongTimeoutMs: 2000, idleTimeoutMs: 9000 }";
    const world = new GatewayWorld({ limits, hubs: hubOf("unacknowledgedMessagesMax: 1") });
    const client = await world.open();
    client.text("held");
    await world.settle();
    await world.advance(600_000);
    assert.deepEqual(client.frames, []);
    const [message] = world.upstream().messages;
    assert.ok(message);
    world.upstream().acknowledge(message);
    const tookMs = await msUntil(world, () => client.countOf(PING) === 1, 6000);
    assert.ok(tookMs >= 4500, `${tookMs} ms`);
  });

  test("an answer that lies unread is no missing answer", async () => {
    const limits = "{ pingIntervalMs: 5000, pongTimeoutMs: 2000 }";
    const world = new GatewayWorld({ limits, hubs: hubOf("unacknowledgedMessagesMax: 1") });
    const client = await world.open();
    await msUntil(world, () => client.countOf(PING) === 1, 6000);
    client.text("held");
    client.send(PONG);
    await world.settle();
    await world.advance(60_000);
    const [message] = world.upstream().messages;
    assert.ok(message);
    world.upstream().acknowledge(message);
    await world.settle();
    await world.advance(2000);
    assert.equal(client.closeFrame, undefined);
  });

  test("the message that it has begun may take as long as it likes", async () => {
    const limits = `{ ${QUIET}, fragmentedMessageTimeoutMs: 3000, writeStallTimeoutMs: 20000,
      writeQueueSoftBytes: 500 }`;
    const world = new GatewayWorld({ limits });
    const client = await world.open();
    client.socket.room = 0;
    await push(world, 1000);
    client.send(TEXT, "begun", false);
    client.send(PING);
    await world.advance(9000);
    assert.equal(world.upstream().departures.length, 0);
    client.socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    const departed = () => world.upstream().departures.length === 1;
    const tookMs = await msUntil(world, departed, 5000);
    assert.ok(tookMs >= 3000, `${tookMs} ms`);
    assert.equal(client.closeFrame, "1008 message not finished in time accepted=0");
  });

  test("its lifetime goes on", async () => {
    const limits = "unacknowledgedMessagesMax: 1, lifetimeMs: 10000";
    const world = new GatewayWorld({
      limits: `{ ${QUIET}, closeTimeoutMs: 2000 }`,
      hubs: hubOf(limits),
    });
    const client = await world.open();
    client.text("held");
    await world.settle();
    await world.advance(13_000);
    assert.equal(client.closeFrame, "1012 time to reconnect accepted=0");
  });
});

describe("a client that takes nothing", () => {
  test("is closed with 1013 when it stalls, and reset if it takes no close frame", async () => {
    const limits = `{ ${QUIET}, writeStallTimeoutMs: 6000, closeTimeoutMs: 2000 }`;
    const world = new GatewayWorld({ limits });
    const client = await world.open();
    client.socket.room = 5;
    await push(world, 1000);
    const departed = () => world.upstream().departures.length === 1;
    const tookMs = await msUntil(world, departed, 7000);
    assert.ok(tookMs >= 6000, `${tookMs} ms`);
    assert.equal(world.upstream().departures[0]?.reason, "slow-consumer");
    await msUntil(world, () => client.socket.closed !== undefined, 3000);
    assert.equal(client.socket.closed, "reset");
    world.assertEmpty();
  });

  test("stays for as long as it takes a byte now and then", async () => {
    const world = new GatewayWorld({ limits: `{ ${QUIET}, writeStallTimeoutMs: 6000 }` });
    const client = await world.open();
    client.socket.room = 0;
    await push(world, 1000);
    for (let count = 0; count < 20; count += 1) {
      await world.advance(5000);
      client.socket.room = 1;
      await world.settle();
    }
    assert.equal(world.upstream().departures.length, 0);
    client.socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    assert.equal(client.texts[0]?.length, 1000);
  });
});

describe("a lifetime", () => {
  test("ends with 1012, at a moment of each one's own", async () => {
    const limits = `{ ${QUIET} }`;
    const world = new GatewayWorld({ limits, hubs: hubOf("lifetimeMs: 40000") });
    const clients = await world.openMany(60);
    const startMs = world.time.nowMs;
    const moments = new Set<number>();
    for (let left = clients.length; left > 0; ) {
      await world.advance(TICK_MS);
      const leftNow = clients.filter(({ closeFrame }) => closeFrame === undefined).length;
      if (leftNow < left) moments.add(world.time.nowMs - startMs);
      left = leftNow;
      assert.ok(world.time.nowMs - startMs <= 40_000 + 2 * TICK_MS);
    }
    assert.ok(Math.min(...moments) >= 36_000);
    assert.ok(moments.size >= 10, `${moments.size} moments`);
    assert.ok(clients.every(({ closeFrame }) => closeFrame?.startsWith("1012 ")));
  });
});

describe("a message that is not finished", () => {
  test("ends the connection with 1008, whatever control frames come meanwhile", async () => {
    const world = new GatewayWorld({ limits: `{ ${QUIET}, fragmentedMessageTimeoutMs: 5000 }` });
    const client = await world.open();
    client.send(TEXT, "begun", false);
    await world.settle();
    for (let count = 0; count < 4; count += 1) {
      await world.advance(1000);
      client.send(PONG);
      client.send(0, "more", false);
      await world.settle();
      assert.equal(client.closeFrame, undefined);
    }
    await world.advance(1000 + 2 * TICK_MS);
    assert.equal(client.closeFrame, "1008 message not finished in time accepted=0");
  });

  test("has its time from its own first byte, not from the one before", async () => {
    const world = new GatewayWorld({ limits: `{ ${QUIET}, fragmentedMessageTimeoutMs: 5000 }` });
    const client = await world.open();
    for (let count = 0; count < 5; count += 1) {
      client.send(TEXT, "begun, ", false);
      await world.settle();
      await world.advance(4000);
      client.send(0, "ended");
      await world.settle();
    }
    assert.equal(client.closeFrame, undefined);
    assert.equal(world.upstream().messages.length, 5);
  });
});

describe("a handshake", () => {
  test("that is not finished in time is answered with 408", async () => {
    const world = new GatewayWorld({ limits: "{ handshakeTimeoutMs: 9000 }" });
    const [silent, half] = [await world.connect(), await world.connect()];
    half.socket.send(upgradeHead("/").slice(0, 40));
    await world.settle();
    await world.advance(8500);
    half.socket.send("x");
    await world.settle();
    assert.equal(silent.head, undefined);
    await world.advance(1000);
    assert.deepEqual([silent.status, half.status], [408, 408]);
    assert.deepEqual([silent.socket.ended, half.socket.ended], [true, true]);
  });

  test("that is too late and stays is reset a tick later, whatever a close may take", async () => {
    const limits = "{ handshakeTimeoutMs: 9000, closeTimeoutMs: 60000 }";
    const world = new GatewayWorld({ limits });
    const clients = [await world.connect(), await world.connect()];
    clients[1]?.socket.send(upgradeHead("/").slice(0, 40));
    await world.settle();
    await msUntil(world, () => clients.every(({ status }) => status === 408), 9500);
    assert.deepEqual(
      clients.map(({ socket }) => socket.closed),
      [undefined, undefined],
    );
    await world.advance(TICK_MS);
    assert.deepEqual(
      clients.map(({ socket }) => socket.closed),
      ["reset", "reset"],
    );
    world.assertEmpty();
  });
});

describe("a close", () => {
  test("that the client does not answer is a reset after the close timeout", async () => {
    const world = new GatewayWorld({ limits: `{ ${QUIET}, closeTimeoutMs: 3000 }` });
    const client = await world.open();
    world.upstream().sink.fail(client.place, "service-error");
    await world.settle();
    await world.advance(2500);
    assert.equal(client.socket.closed, undefined);
    await world.advance(1000);
    assert.equal(client.socket.closed, "reset");
    world.assertEmpty();
  });

  test("that the client answers without a FIN of its own is one too", async () => {
    const world = new GatewayWorld({ limits: `{ ${QUIET}, closeTimeoutMs: 3000 }` });
    const client = await world.open();
    client.send(CLOSE, Buffer.from([3, 232]));
    await world.settle();
    assert.deepEqual([client.closeFrame, client.socket.ended], ["1000 ", true]);
    await world.advance(4000);
    assert.equal(client.socket.closed, "reset");
    world.assertEmpty();
  });
});

describe("of several clocks that are over at once", () => {
  /** Everything begins, then an hour passes at once; the name under which the connection ends. */
  async function endOf(off: ("stall" | "lifetime" | "message" | "ping")[]): Promise<string> {
    const pings = off.includes("ping") ? 0 : 1000;
    const limits = `{ pingIntervalMs: ${pings}, pongTimeoutMs: 1000, idleTimeoutMs: 9000 }`;
    const lifetimeMs = off.includes("lifetime") ? 0 : 100_000;
    const world = new GatewayWorld({ limits, hubs: hubOf(`lifetimeMs: ${lifetimeMs}`) });
    const client = await world.open();
    if (!off.includes("message")) client.send(TEXT, "begun", false);
    await world.settle();
    if (pings > 0) await msUntil(world, () => client.countOf(PING) === 1, 2000);
    client.socket.room = off.includes("stall") ? client.socket.room : 0;
    await push(world, 100);
    world.time.nowMs += 3_600_000;
    await world.advance(TICK_MS);
    return world.upstream().departures[0]?.reason ?? "still here";
  }

  test("the one that says most about why is named", async () => {
    assert.equal(await endOf([]), "slow-consumer");
    assert.equal(await endOf(["stall"]), "lifetime-over");
    assert.equal(await endOf(["stall", "lifetime"]), "message-timeout");
    assert.equal(await endOf(["stall", "lifetime", "message"]), "ping-timeout");
    assert.equal(await endOf(["stall", "lifetime", "message", "ping"]), "idle-timeout");
  });
});
