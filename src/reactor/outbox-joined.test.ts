/** Frames that stand side by side and are sent as one, and what becomes of them one by one. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Outbox } from "./outbox.ts";
import { ReactorWorld } from "./reactor.test.helper.ts";

const MESSAGE = "\x82";
const frames = ["one", "second", "3", "the fourth"].map((text) => `${MESSAGE}${text}`);
const whole = frames.join("");

/** Reserves each by itself, as encoding does; where they begin. */
function join(world: ReactorWorld, joined = frames): number {
  const { outbox, arena } = world.reactor;
  const offsets = joined.map((frame) => {
    const offset = outbox.reserve(frame.length);
    arena.set(Buffer.from(frame, "latin1"), offset);
    return offset;
  });
  const start = offsets[0] as number;
  outbox.joinFrames(
    start,
    joined.map(({ length }) => length),
  );
  return start;
}

describe("frames that are sent as one", () => {
  test("leave in one piece for whoever takes them", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    world.reactor.outbox.send(slot, join(world), whole.length);
    world.iterate();
    assert.equal(socket.received.toString("latin1"), whole);
    assert.equal(socket.takes, 1);
    assert.equal(world.budget.held("queued"), 0);
  });

  for (let room = 0; room < whole.length; room += 1) {
    test(`wait one by one for a socket that took ${room} of ${whole.length} bytes`, () => {
      const world = new ReactorWorld();
      const { socket, slot } = world.open();
      const { outbox } = world.reactor;
      socket.room = room;
      outbox.send(slot, join(world), whole.length);
      world.iterate();
      assert.equal(outbox.queuedBytes(slot), whole.length - room);
      // The oldest of which nothing is out yet goes, and no other.
      let end = 0;
      const begun = frames.filter((frame) => {
        end += frame.length;
        return end - frame.length < room;
      });
      const isDropped = outbox.dropOldest(slot);
      assert.equal(isDropped, begun.length < frames.length);
      socket.room = Number.POSITIVE_INFINITY;
      world.iterate();
      const left = [...begun, ...frames.slice(begun.length + 1)];
      assert.equal(socket.received.toString("latin1"), left.join(""));
      assert.equal(world.budget.held("queued"), 0);
    });
  }

  test("are blocks that all receivers share, charged to the budget once", () => {
    const world = new ReactorWorld();
    const clients = Array.from({ length: 3 }, () => world.open());
    const long = frames.map((frame) => frame.padEnd(100));
    const start = join(world, long);
    for (const [index, { socket, slot }] of clients.entries()) {
      socket.room = index;
      world.reactor.outbox.send(slot, start, 400);
    }
    world.iterate();
    assert.equal(world.budget.held("queued"), 400);
  });

  test("wait one by one as well where they find the list of entries full", () => {
    const world = new ReactorWorld();
    const { outbox } = world.reactor;
    const [full, slow] = [world.open(), world.open()];
    for (const { socket } of [full, slow]) socket.room = 0;
    const long = frames.map((frame) => frame.padEnd(100));
    world.send(slow.slot, "before;");
    world.iterate();
    const start = join(world, long);
    for (let entry = 0; entry < Outbox.ENTRIES_MAX; entry += 1) outbox.send(full.slot, 0, 1);
    outbox.send(full.slot, start, 400);
    long.forEach((frame, index) => {
      outbox.send(slow.slot, start + index * 100, frame.length);
    });
    assert.equal(outbox.queuedBytes(slow.slot), "before;".length + 400);
    for (const { socket } of [full, slow]) socket.room = Number.POSITIVE_INFINITY;
    world.iterate();
    assert.equal(slow.socket.received.toString("latin1"), `before;${long.join("")}`);
    assert.ok(full.socket.received.toString("latin1").endsWith(long.join("")));
    assert.equal(world.budget.held("queued"), 0);
  });

  test("are forgotten with the flush: what stands there next is its own", () => {
    const world = new ReactorWorld();
    const { slot } = world.open();
    const { outbox } = world.reactor;
    const start = join(world);
    outbox.send(slot, start, whole.length);
    world.iterate();
    const next = world.open();
    next.socket.room = 1;
    const text = `${MESSAGE}${"x".repeat(50)}`;
    assert.equal(outbox.reserve(0), start);
    world.send(next.slot, text);
    world.iterate();
    assert.ok(outbox.queuedBytes(next.slot) > 0);
    next.socket.room = Number.POSITIVE_INFINITY;
    world.iterate();
    assert.equal(next.socket.received.toString("latin1"), text);
  });
});
