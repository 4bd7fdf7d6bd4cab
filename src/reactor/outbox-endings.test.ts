/** What the outbox does for sockets that break, are given up, or are to end. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { READ } from "./binding.ts";
import { ReactorWorld } from "./reactor.test.helper.ts";

const EPIPE = 32;
const ECONNRESET = 104;

describe("a broken socket", () => {
  test("is reported after the flush, once, and takes nothing more", () => {
    const world = new ReactorWorld();
    const [broken, well] = [world.open(), world.open()];
    broken.socket.break();
    world.send(broken.slot, "lost");
    world.send(well.slot, "kept");
    world.time.runImmediates();
    assert.deepEqual(world.takeLog(), [`unwritable ${broken.slot} ${ECONNRESET}`]);
    assert.equal(well.socket.received.toString(), "kept");
    const flushes = world.poller.calls.flush;
    world.send(broken.slot, "dropped");
    world.reactor.outbox.finish(broken.slot);
    world.reactor.outbox.sendBlock(broken.slot, {
      bytes: Buffer.from("dropped"),
      references: 0,
      droppable: true,
    });
    world.time.runImmediates();
    assert.equal(world.poller.calls.flush, flushes);
    assert.equal(world.budget.bytes, 0);
  });

  test("in the middle of its queue is reported, and its close releases the queue", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    world.reactor.pause(slot);
    socket.room = 1;
    world.send(slot, "12345");
    world.iterate();
    world.takeLog();
    socket.break(EPIPE);
    world.on.unwritable = (slot) => world.reactor.close(slot, true);
    world.iterate();
    assert.deepEqual(world.takeLog(), [`unwritable ${slot} ${EPIPE}`]);
    assert.equal(world.budget.held("queued"), 0);
    assert.equal(world.poller.openSlots, 0);
  });

  test("that is closed while others are reported is not reported itself", () => {
    const world = new ReactorWorld();
    const clients = [world.open(), world.open(), world.open()];
    for (const { socket, slot } of clients) {
      socket.break();
      world.send(slot, "lost");
    }
    world.on.unwritable = () => {
      for (const { slot } of clients) world.reactor.close(slot, true);
    };
    world.time.runImmediates();
    assert.equal(world.takeLog().length, 1);
  });

  test("found while a block is sent is reported and takes nothing more", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    socket.break();
    const block = { bytes: Buffer.from("lost"), references: 0, droppable: true };
    world.reactor.outbox.sendBlock(slot, block);
    world.time.runImmediates();
    assert.deepEqual(world.takeLog(), [`unwritable ${slot} ${ECONNRESET}`]);
    assert.equal(block.references, 0);
  });
});

describe("an abandoned socket", () => {
  test("holds nothing more, is not asked to take more, and takes nothing", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    const { outbox, slots } = world.reactor;
    socket.room = 1;
    world.send(slot, "12345");
    world.iterate();
    outbox.abandon(slot);
    world.send(slot, "dropped");
    assert.equal(world.budget.held("queued"), 0);
    assert.deepEqual([outbox.queuedBytes(slot), outbox.progressTick(slot)], [0, 0]);
    assert.deepEqual([outbox.owes(slot), outbox.isBroken(slot)], [false, true]);
    assert.equal(slots.interest[slot], READ);
    socket.room = 100;
    world.iterate();
    assert.equal(socket.received.toString(), "1");
  });

  test("is what a paused one becomes whose peer hangs up", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    world.reactor.pause(slot);
    socket.room = 0;
    world.send(slot, "12345");
    world.iterate();
    socket.break();
    world.poller.wake();
    assert.equal(world.reactor.outbox.isBroken(slot), true);
    assert.equal(world.budget.held("queued"), 0);
  });
});

describe("a FIN", () => {
  test("goes out at once where nothing is owed", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    world.reactor.outbox.finish(slot);
    assert.equal(socket.ended, true);
  });

  test("goes out behind what this turn owes, and nothing goes out behind it", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    world.send(slot, "last words");
    world.reactor.outbox.finish(slot);
    world.send(slot, "too late");
    world.reactor.outbox.finish(slot);
    assert.equal(socket.ended, false);
    world.iterate();
    assert.equal(socket.ended, true);
    assert.equal(socket.received.toString(), "last words");
  });

  test("goes out with a chain's last bytes, in no call of its own", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    world.poller.shutdown = () => assert.fail("a FIN by itself is a packet by itself");
    world.send(slot, "last ");
    world.send(slot, "words");
    world.reactor.outbox.finish(slot);
    const { flush } = world.poller.calls;
    world.iterate();
    assert.equal(world.poller.calls.flush, flush + 1);
    assert.equal(socket.ended, true);
    assert.equal(socket.received.toString(), "last words");
  });

  test("goes out behind the queue", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    socket.room = 3;
    world.send(slot, "queued already;");
    world.iterate();
    world.send(slot, "last words");
    world.reactor.outbox.finish(slot);
    world.send(slot, "too late");
    world.iterate();
    assert.equal(socket.ended, false);
    socket.room = 20;
    world.iterate();
    assert.equal(socket.ended, false);
    socket.room = Number.POSITIVE_INFINITY;
    world.iterate();
    assert.equal(socket.received.toString(), "queued already;last words");
    assert.equal(socket.ended, true);
  });

  test("goes out behind what this turn owed and the socket did not take", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    socket.room = 4;
    world.send(slot, "last words");
    world.reactor.outbox.finish(slot);
    world.iterate();
    assert.equal(socket.ended, false);
    socket.room = Number.POSITIVE_INFINITY;
    world.iterate();
    assert.equal(socket.received.toString(), "last words");
    assert.equal(socket.ended, true);
  });

  test("is not sent for a slot that was closed meanwhile", () => {
    const world = new ReactorWorld();
    const { slot } = world.open();
    world.send(slot, "last words");
    world.reactor.outbox.finish(slot);
    world.reactor.close(slot, false);
    world.iterate();
    assert.equal(world.poller.openSlots, 0);
  });
});
