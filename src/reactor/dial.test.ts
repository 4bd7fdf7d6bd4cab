import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import * as seam from "./binding.ts";
import { ReactorWorld } from "./reactor.test.helper.ts";
import type { SocketEvents } from "./reactor.ts";

const ECONNREFUSED = 111;

function dialOne(world: ReactorWorld) {
  const slot = world.reactor.dial("127.0.0.1", 9000, "127.1.0.1");
  const dialled = world.poller.dialled.at(-1);
  assert(dialled !== undefined);
  return { slot, dialled };
}

test("a dialled connection is told once it is connected, and then sends and reads", () => {
  const world = new ReactorWorld();
  const { slot, dialled } = dialOne(world);
  const { socket, ...to } = dialled;
  assert.deepEqual(to, { address: "127.0.0.1", port: 9000, sourceAddress: "127.1.0.1" });
  assert.deepEqual(world.takeLog(), []);
  world.iterate();
  assert.deepEqual(world.takeLog(), [`connected ${slot}`]);
  world.send(slot, "hello");
  socket.send("world");
  world.iterate();
  assert.equal(socket.received.toString(), "hello");
  assert.deepEqual(world.takeLog(), [`received ${slot} world`]);
  world.iterate();
  assert.ok(!world.poller.isReady, "WRITE is not wanted any more");
});

test("what is sent when it is connected leaves with the same turn", () => {
  const world = new ReactorWorld();
  world.on.connected = (slot) => world.send(slot, "request");
  const { dialled } = dialOne(world);
  world.poller.wake();
  assert.equal(dialled.socket.received.toString(), "request");
});

test("what a dialled socket does not take at once waits, and goes when it does", () => {
  const world = new ReactorWorld();
  const { slot, dialled } = dialOne(world);
  world.iterate();
  dialled.socket.room = 3;
  world.send(slot, "request");
  world.iterate();
  assert.equal(dialled.socket.received.toString(), "req");
  dialled.socket.room = 100;
  world.iterate();
  assert.equal(dialled.socket.received.toString(), "request");
});

test("a connection that is refused is broken with its errno, and its slot is used again", () => {
  const world = new ReactorWorld();
  const { slot, dialled } = dialOne(world);
  dialled.socket.break(ECONNREFUSED);
  world.iterate();
  assert.deepEqual(world.takeLog(), [`broke ${slot} ${ECONNREFUSED}`]);
  world.reactor.close(slot, true);
  world.open();
  assert.equal(dialOne(world).slot !== slot, true);
});

test("a deadline that is set while it is dialled outlives the connect", () => {
  const world = new ReactorWorld();
  const { slot } = dialOne(world);
  world.reactor.setDeadline(slot, world.reactor.tick + 2);
  world.iterate();
  world.advance(1000);
  assert.deepEqual(world.takeLog(), [`connected ${slot}`, `expired ${slot}`]);
});

test("what happens to a socket that was dialled for somebody is told to nobody else", () => {
  const world = new ReactorWorld();
  const told: string[] = [];
  const tell =
    (name: string) =>
    (...values: number[]) =>
      void told.push([name, ...values].join(" "));
  const owner: SocketEvents = {
    connected: tell("connected"),
    received: (slot, offset, end) => {
      const text = Buffer.from(world.reactor.arena.subarray(offset, end)).toString();
      told.push(`received ${slot} ${text}`);
    },
    ended: tell("ended"),
    broke: tell("broke"),
    unwritable: tell("unwritable"),
    hungUp: tell("hungUp"),
    queued: tell("queued"),
    drained: tell("drained"),
    expired: tell("expired"),
    tookUp: tell("tookUp"),
  };
  const slot = world.reactor.dial("127.0.0.1", 9000, "", owner);
  const socket = (world.poller.dialled.at(-1) as (typeof world.poller.dialled)[number]).socket;
  world.iterate();
  world.reactor.setDeadline(slot, world.reactor.tick + 1);
  world.advance(1000);
  socket.send("hello");
  socket.room = 2;
  world.send(slot, "long");
  world.iterate();
  socket.room = 100;
  world.iterate();
  socket.finish();
  world.iterate();
  const expected = ["connected", "expired", "queued", "received", "drained", "ended"];
  assert.deepEqual(
    told.map((line) => line.split(" ")[0]),
    expected,
  );
  assert.ok(told.includes(`received ${slot} hello`));
  assert.deepEqual(world.takeLog(), []);
  world.reactor.close(slot, false);
  const next = world.open();
  assert.equal(next.slot, slot, "whoever has the slot next is nobody's own");
  next.socket.send("again");
  world.iterate();
  assert.deepEqual(world.takeLog(), [`received ${slot} again`]);
});

test("what cannot be dialled is -errno and takes no slot", () => {
  const world = new ReactorWorld();
  world.poller.dialErrno = 99;
  assert.equal(world.reactor.dial("127.0.0.1", 9000, ""), -99);
  assert.equal(world.reactor.slots.used, 1);
});

test("through the addon a server sees the source address, and a dead port fails", async (t) => {
  const binding = seam.loadBinding();
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const options = pollerOptions();
  const poller = binding.create(options);
  t.after(() => poller.stop());
  const wakes: [slot: number, kind: number, length: number][] = [];
  const recorded = new Promise<void>((resolve) => {
    poller.start(() => {
      const count = poller.turn(options.eventsMax);
      for (let at = 0; at < count * seam.BATCH_STRIDE; at += seam.BATCH_STRIDE) {
        const [slot = 0, kind = 0, , length = 0] = options.batch.subarray(at);
        if (kind === seam.WRITABLE) poller.watch(slot, seam.READ);
        wakes.push([slot, kind, length]);
      }
      if (wakes.length >= 2) resolve();
    });
  });
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const slot = poller.dial("127.0.0.1", port, "127.9.8.7");
  const [peer] = await accepted;
  t.after(() => void peer.destroy());
  assert.equal(peer.remoteAddress, "127.9.8.7");
  const dead = createServer().listen(0, "127.0.0.1");
  await once(dead, "listening");
  const { port: deadPort } = dead.address() as AddressInfo;
  await new Promise((resolve) => dead.close(resolve));
  const refused = poller.dial("127.0.0.1", deadPort, "");
  await recorded;
  assert.deepEqual(wakes, [
    [slot, seam.WRITABLE, 0],
    [refused, seam.FAILED, ECONNREFUSED],
  ]);
  assert.equal(poller.write(slot, Buffer.from("hello"), 0, 5), 5);
  const [bytes] = (await once(peer, "data")) as [Buffer];
  assert.equal(bytes.toString(), "hello");
  assert.equal(poller.dial("localhost", port, ""), -22);
  assert.throws(() => poller.dial(1 as never, port, ""), TypeError);
});

function pollerOptions(): seam.PollerOptions {
  const [slots, eventsMax, acceptsMax] = [16, 8, 4];
  return {
    ...{ slots, eventsMax, acceptsMax, turnBytes: 262_144 },
    ...{ inputStart: 64, inputEnd: 1 << 20, readBytesMin: 16_384, readBytesMax: 65_536 },
    arena: new Uint8Array(1 << 20),
    batch: new Int32Array((2 * eventsMax + acceptsMax) * seam.BATCH_STRIDE),
    generations: new Uint32Array(slots),
    entries: new Int32Array(64 * seam.ENTRY_STRIDE),
    heads: new Int32Array(slots).fill(-1),
    flushing: new Int32Array(slots),
    short: new Int32Array(2 * slots),
    unmasking: new Int32Array(5),
  };
}
