import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ReactorWorld } from "./reactor.test.helper.ts";
import { TICK_MS } from "./ticks.ts";

const ENOMEM = 12;
const ENFILE = 23;
const EMFILE = 24;
const ENOBUFS = 105;

describe("accepting", () => {
  for (const [name, errno] of Object.entries({ EMFILE, ENFILE, ENOBUFS, ENOMEM })) {
    test(`stops for ${name}, is tried once a sweep, and goes on when it can`, () => {
      const world = new ReactorWorld();
      const client = world.poller.connect();
      world.poller.acceptErrno = errno;
      world.poller.wake();
      assert.deepEqual(world.takeLog(), [`acceptFailed ${errno}`]);
      // Nothing spins: the listener is not watched until the next sweep.
      assert.equal(world.poller.isReady, false);
      for (let sweep = 0; sweep < 5; sweep += 1) {
        world.advance(TICK_MS);
        assert.deepEqual(world.takeLog(), [`acceptFailed ${errno}`]);
        assert.equal(world.poller.isReady, false);
      }
      world.poller.acceptErrno = 0;
      world.advance(TICK_MS);
      assert.notEqual(world.poller.slotOf(client), undefined);
      assert.deepEqual(world.takeLog(), ["accepted 1 0"]);
    });
  }

  test("that fails leaves those who are in as they were", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    const waiting = world.poller.connect();
    world.poller.acceptErrno = EMFILE;
    world.iterate();
    socket.send("hello");
    world.iterate();
    assert.deepEqual(world.takeLog(), [`acceptFailed ${EMFILE}`, `received ${slot} hello`]);
    assert.equal(waiting.closed, undefined);
  });

  test("that fails for two listening sockets at once is one pause, and both go on", () => {
    const world = new ReactorWorld();
    world.reactor.adopt(4);
    const waiting = world.poller.connect();
    world.poller.acceptErrno = EMFILE;
    world.iterate();
    assert.deepEqual(world.takeLog(), [`acceptFailed ${EMFILE}`]);
    assert.equal(world.poller.isReady, false);
    world.poller.acceptErrno = 0;
    world.advance(TICK_MS);
    assert.notEqual(world.poller.slotOf(waiting), undefined);
  });

  test("stops when no slot is free, and goes on when one is", () => {
    const world = new ReactorWorld(3);
    const [a] = [world.open(), world.open()];
    const waiting = world.poller.connect();
    world.iterate();
    assert.deepEqual(world.takeLog(), [`acceptFailed ${ENOBUFS}`]);
    world.advance(TICK_MS);
    world.reactor.close(a.slot, false);
    world.advance(2 * TICK_MS);
    assert.equal(world.poller.slotOf(waiting), a.slot);
  });

  test("does not go on by itself once it was stopped for good", () => {
    const world = new ReactorWorld();
    world.poller.connect();
    world.poller.acceptErrno = EMFILE;
    world.iterate();
    world.reactor.stopAccepting();
    world.poller.acceptErrno = 0;
    world.advance(4 * TICK_MS);
    assert.equal(world.poller.openSlots, 0);
    assert.equal(world.poller.isReady, false);
  });

  test("of a listener that is adopted after the stop does not begin", () => {
    const world = new ReactorWorld();
    world.reactor.stopAccepting();
    world.reactor.adopt(4);
    world.poller.connect();
    assert.equal(world.poller.isReady, false);
  });
});
