/** How the reactor gives back what was parked. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ReactorWorld } from "./reactor.test.helper.ts";

describe("parked input", () => {
  /** Parks what comes while `held` has the slot, as the gateway does. */
  function park(world: ReactorWorld): Set<number> {
    const held = new Set<number>();
    world.on.received = (slot, offset, end) => {
      if (!held.has(slot)) return;
      world.reactor.pause(slot);
      world.reactor.park(slot, offset, end);
      world.takeLog();
    };
    return held;
  }

  test("comes back as received and then as taken up, in the order that it was asked for", () => {
    const world = new ReactorWorld();
    const clients = [world.open(), world.open(), world.open()];
    const held = park(world);
    for (const { socket, slot } of clients) {
      held.add(slot);
      socket.send(`parked ${slot}`);
    }
    world.poller.wake();
    assert.equal(world.budget.held("parked"), 3 * "parked 1".length);
    held.clear();
    for (const { slot } of clients.toReversed()) world.reactor.takeUp(slot);
    assert.deepEqual(world.takeLog(), []);
    world.time.runImmediates();
    const expected = clients
      .toReversed()
      .flatMap(({ slot }) => [`received ${slot} parked ${slot}`, `tookUp ${slot}`]);
    assert.deepEqual(world.takeLog(), expected);
    assert.equal(world.budget.held("parked"), 0);
  });

  test("comes before what the socket received later", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    const held = park(world);
    held.add(slot);
    socket.send("first");
    world.poller.wake();
    socket.send("second");
    held.clear();
    world.on.tookUp = () => world.reactor.resume(slot);
    world.reactor.takeUp(slot);
    world.iterate();
    world.iterate();
    assert.deepEqual(world.takeLog(), [
      `received ${slot} first`,
      `tookUp ${slot}`,
      `received ${slot} second`,
    ]);
  });

  test("can be answered in place, with room for a header before it", () => {
    const world = new ReactorWorld();
    const clients = Array.from({ length: 10 }, () => world.open());
    const held = park(world);
    for (const { socket, slot } of clients) {
      held.add(slot);
      socket.send(`parked ${slot}`);
    }
    world.poller.wake();
    held.clear();
    world.on.received = (slot, offset, end) => {
      world.reactor.arena.set(Buffer.from("0123456789"), offset - 10);
      world.reactor.outbox.send(slot, offset - 10, end - offset + 10);
    };
    for (const { slot } of clients) world.reactor.takeUp(slot);
    world.time.runImmediates();
    for (const { socket, slot } of clients) {
      assert.equal(socket.received.toString(), `0123456789parked ${slot}`);
    }
  });

  test("that is more than the arena holds is answered whole all the same", () => {
    const world = new ReactorWorld(40);
    const bytes = 512 << 10;
    const clients = Array.from({ length: 30 }, () => world.open());
    world.on.received = (slot, offset, end) => {
      world.reactor.outbox.send(slot, offset, end - offset);
    };
    clients.forEach(({ slot }, index) => {
      world.reactor.pause(slot);
      world.reactor.parked.put(slot, new Uint8Array(bytes).fill(index));
      world.reactor.takeUp(slot);
    });
    while (world.time.hasImmediates) world.time.runImmediates();
    clients.forEach(({ socket }, index) => {
      assert.ok(socket.received.equals(Buffer.alloc(bytes, index)), `client ${index}`);
    });
  });

  test("gives way to the rest of the process when it takes too long, and then goes on", () => {
    const world = new ReactorWorld();
    const clients = Array.from({ length: 8 }, () => world.open());
    for (const { slot } of clients) {
      world.reactor.parked.put(slot, Buffer.from(`parked ${slot}`));
      world.reactor.takeUp(slot);
    }
    world.on.received = () => {
      world.time.nowMs += 2;
    };
    let iterations = 0;
    while (world.time.hasImmediates) {
      world.time.runImmediates();
      iterations += 1;
    }
    assert.ok(iterations > 1 && iterations < 8, `${iterations} iterations`);
    const slots = world.takeLog().filter((line) => line.startsWith("received"));
    assert.deepEqual(
      slots,
      clients.map(({ slot }) => `received ${slot} parked ${slot}`),
    );
  });

  test("of a slot that is closed before its turn comes is never reported", () => {
    const world = new ReactorWorld();
    const [a, b] = [world.open(), world.open()];
    for (const { slot } of [a, b]) {
      world.reactor.parked.put(slot, Buffer.from("parked"));
      world.reactor.takeUp(slot);
    }
    world.on.received = () => world.reactor.close(b.slot, false);
    world.time.runImmediates();
    assert.deepEqual(world.takeLog(), [`received ${a.slot} parked`, `tookUp ${a.slot}`]);
    assert.equal(world.budget.held("parked"), 0);
  });

  test("of a slot that is closed while it is read is not reported as taken up", () => {
    const world = new ReactorWorld();
    const { slot } = world.open();
    world.reactor.parked.put(slot, Buffer.from("parked"));
    world.reactor.takeUp(slot);
    world.on.received = () => world.reactor.close(slot, false);
    world.time.runImmediates();
    assert.deepEqual(world.takeLog(), [`received ${slot} parked`]);
  });

  test("of a slot's next connection is not taken up because the last one's was asked for", () => {
    const world = new ReactorWorld();
    const { slot } = world.open();
    world.reactor.parked.put(slot, Buffer.from("old"));
    world.reactor.takeUp(slot);
    world.reactor.close(slot, false);
    assert.equal(world.open().slot, slot);
    world.reactor.parked.put(slot, Buffer.from("new"));
    world.time.runImmediates();
    assert.deepEqual(world.takeLog(), []);
    assert.equal(world.reactor.parked.bytes(slot), 3);
  });

  test("that is asked for twice is given once", () => {
    const world = new ReactorWorld();
    const { slot } = world.open();
    world.reactor.parked.put(slot, Buffer.from("parked"));
    world.reactor.takeUp(slot);
    world.reactor.takeUp(slot);
    world.time.runImmediates();
    const received = world.takeLog().filter((line) => line.startsWith("received"));
    assert.deepEqual(received, [`received ${slot} parked`]);
  });
});
