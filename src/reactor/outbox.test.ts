import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import { READ, WRITE } from "./binding.ts";
import { Outbox } from "./outbox.ts";
import { ReactorWorld } from "./reactor.test.helper.ts";
import { QUEUED } from "./slot-table.ts";

/** A frame as the outbox sees one: the first byte says whether it may be dropped. */
const MESSAGE = "\x82";
const CONTROL = "\x88";

describe("what is sent in a turn", () => {
  test("leaves in order in one flush, however sends to several sockets are interleaved", () => {
    const world = new ReactorWorld();
    const clients = [world.open(), world.open(), world.open()];
    const order = [0, 1, 0, 2, 2, 1, 0, 0, 2, 1, 1, 0];
    const flushes = world.poller.calls.flush;
    const expected = ["", "", ""];
    order.forEach((client, index) => {
      world.send((clients[client] as { slot: number }).slot, `${index};`);
      expected[client] += `${index};`;
    });
    world.iterate();
    assert.deepEqual(
      clients.map(({ socket }) => socket.received.toString()),
      expected,
    );
    assert.equal(world.poller.calls.flush, flushes + 1);
    assert.equal(world.poller.calls.write, 0);
  });

  test("outside of turns leaves in the same iteration of the event loop", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    world.send(slot, "one;");
    world.send(slot, "two;");
    assert.equal(socket.received.length, 0);
    world.time.runImmediates();
    assert.equal(socket.received.toString(), "one;two;");
    assert.equal(world.time.hasImmediates, false);
  });

  test("within a turn asks for no other flush", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    world.on.received = (slot) => world.send(slot, "answer");
    socket.send("question");
    world.poller.wake();
    assert.equal(socket.received.toString(), "answer");
    assert.equal(world.time.hasImmediates, false);
    assert.equal(slot, world.poller.slotOf(socket));
  });

  test("keeps its order behind more entries than one flush has", () => {
    const world = new ReactorWorld();
    const [a, b] = [world.open(), world.open()];
    const offset = world.reactor.outbox.reserve(256);
    for (let value = 0; value < 256; value += 1) world.reactor.arena[offset + value] = value;
    a.socket.room = 1000;
    const count = Outbox.ENTRIES_MAX + 1000;
    for (let index = 0; index < count; index += 1) {
      world.reactor.outbox.send(a.slot, offset + (index & 255), 1);
      if (index === Outbox.ENTRIES_MAX) a.socket.room = Number.POSITIVE_INFINITY;
    }
    world.reactor.outbox.send(b.slot, offset + 7, 1);
    for (let turn = 0; turn < 3; turn += 1) world.iterate();
    assert.equal(a.socket.received.length, count);
    const wrong = a.socket.received.findIndex((value, index) => value !== (index & 255));
    assert.equal(wrong, -1);
    assert.deepEqual([...b.socket.received], [7]);
    assert.equal(world.budget.bytes, 0);
  });

  test("is flushed to make room, when the outbox' part of the arena is full", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    const piece = "x".repeat(Outbox.BYTES / 4);
    for (let count = 0; count < 9; count += 1) {
      const { outbox, arena } = world.reactor;
      const offset = outbox.reserve(piece.length);
      assert.ok(offset + piece.length <= arena.length);
      arena.fill(count, offset, offset + piece.length);
      outbox.send(slot, offset, piece.length);
    }
    world.iterate();
    assert.equal(socket.received.length, 9 * piece.length);
    for (let count = 0; count < 9; count += 1) {
      const part = socket.received.subarray(count * piece.length, (count + 1) * piece.length);
      assert.ok(part.equals(Buffer.alloc(piece.length, count)), `piece ${count} is whole`);
    }
  });
});

describe("a socket that does not take all", () => {
  const frames = [`${MESSAGE}first`, `${CONTROL}2`, `${MESSAGE}third one`, `${MESSAGE}4`];
  const whole = frames.join("");

  for (let room = 0; room <= whole.length; room += 1) {
    test(`gets the rest in order when it took ${room} of ${whole.length} bytes`, () => {
      const world = new ReactorWorld();
      const { socket, slot } = world.open();
      const { outbox } = world.reactor;
      socket.room = room;
      for (const frame of frames) world.send(slot, frame);
      world.iterate();
      assert.equal(socket.received.toString("latin1"), whole.slice(0, room));
      assert.equal(outbox.queuedBytes(slot), whole.length - room);
      assert.deepEqual(world.takeLog(), room < whole.length ? [`queued ${slot}`] : []);
      world.send(slot, `${MESSAGE}behind`);
      while (socket.received.length < whole.length + 7) {
        socket.room = 1;
        world.iterate();
      }
      assert.equal(socket.received.toString("latin1"), `${whole}${MESSAGE}behind`);
      assert.equal(outbox.queuedBytes(slot), 0);
      assert.equal(world.budget.held("queued"), 0);
      assert.equal(world.reactor.slots.interest[slot], READ);
    });
  }

  test("is asked to take more only while it has a queue", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    const { slots } = world.reactor;
    assert.equal(slots.interest[slot], READ);
    socket.room = 2;
    world.send(slot, "12345");
    world.iterate();
    assert.equal(slots.interest[slot], READ | WRITE);
    assert.equal(slots.flags[slot], QUEUED);
    socket.room = 10;
    world.iterate();
    assert.equal(slots.interest[slot], READ);
    assert.equal(slots.flags[slot], 0);
    assert.deepEqual(world.takeLog(), [`queued ${slot}`, `drained ${slot}`]);
  });

  test("made progress at the tick at which it last took something", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    const { outbox } = world.reactor;
    assert.equal(outbox.progressTick(slot), 0);
    socket.room = 0;
    world.send(slot, "12345");
    world.iterate();
    const began = world.reactor.tick;
    assert.equal(outbox.progressTick(slot), began);
    world.advance(1000);
    assert.equal(outbox.progressTick(slot), began);
    socket.room = 1;
    world.iterate();
    assert.equal(outbox.progressTick(slot), began + 4);
    socket.room = 10;
    world.iterate();
    assert.equal(outbox.progressTick(slot), 0);
  });

  test("gets many small frames in few writes", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    socket.room = 0;
    for (let count = 0; count < 500; count += 1) world.send(slot, `${MESSAGE}${count};`);
    world.iterate();
    const before = world.poller.calls.write;
    socket.room = Number.POSITIVE_INFINITY;
    world.iterate();
    assert.equal(world.poller.calls.write, before + 1);
    assert.ok(socket.received.toString("latin1").endsWith(`${MESSAGE}499;`));
  });
});

describe("one frame to many", () => {
  test("is one block for all that did not take it, charged to the budget once", () => {
    const world = new ReactorWorld();
    const clients = Array.from({ length: 5 }, () => world.open());
    const { outbox, arena } = world.reactor;
    const frame = `${MESSAGE}${"x".repeat(99)}`;
    const offset = outbox.reserve(frame.length);
    arena.set(Buffer.from(frame, "latin1"), offset);
    clients.forEach(({ socket, slot }, index) => {
      socket.room = index * 10;
      outbox.send(slot, offset, frame.length);
    });
    world.iterate();
    assert.equal(world.budget.held("queued"), frame.length);
    for (const [index, { socket, slot }] of clients.entries()) {
      assert.equal(outbox.queuedBytes(slot), frame.length - index * 10);
      socket.room = Number.POSITIVE_INFINITY;
      assert.equal(world.budget.held("queued"), frame.length);
      world.iterate();
      assert.equal(socket.received.toString("latin1"), frame);
    }
    assert.equal(world.budget.held("queued"), 0);
  });

  test("is one block also behind queues that were there before", () => {
    const world = new ReactorWorld();
    const [a, b] = [world.open(), world.open()];
    const { outbox } = world.reactor;
    for (const { socket, slot } of [a, b]) {
      socket.room = 0;
      world.send(slot, `${MESSAGE}own`);
    }
    world.iterate();
    const held = world.budget.held("queued");
    const offset = outbox.reserve(80);
    world.reactor.arena.set(Buffer.from(MESSAGE.padEnd(80, "s"), "latin1"), offset);
    for (const { slot } of [a, b]) outbox.send(slot, offset, 80);
    assert.equal(world.budget.held("queued"), held + 80);
    world.reactor.close(a.slot, true);
    assert.equal(world.budget.held("queued"), held + 80 - 4);
    b.socket.room = Number.POSITIVE_INFINITY;
    world.iterate();
    assert.equal(world.budget.held("queued"), 0);
    assert.ok(b.socket.received.toString().endsWith("s"));
  });

  test("stays what it was, whatever is written to its place in the arena later", () => {
    const world = new ReactorWorld();
    const [a, b] = [world.open(), world.open()];
    for (const { socket } of [a, b]) socket.room = 0;
    world.send(a.slot, `${MESSAGE}one`);
    world.iterate();
    world.send(b.slot, `${MESSAGE}two`);
    world.iterate();
    world.send(a.slot, `${MESSAGE}three`);
    world.iterate();
    for (const { socket } of [a, b]) socket.room = Number.POSITIVE_INFINITY;
    world.iterate();
    assert.equal(a.socket.received.toString("latin1"), `${MESSAGE}one${MESSAGE}three`);
    assert.equal(b.socket.received.toString("latin1"), `${MESSAGE}two`);
  });

  test("as a block of its own is written at once, and shared by the slow", () => {
    const world = new ReactorWorld();
    const [quick, slow, slower] = [world.open(), world.open(), world.open()];
    slow.socket.room = 10;
    slower.socket.room = 0;
    const bytes = new Uint8Array(1000).fill(3);
    const block = { bytes, references: 0, droppable: true };
    for (const { slot } of [quick, slow, slower]) world.reactor.outbox.sendBlock(slot, block);
    assert.equal(quick.socket.received.length, 1000);
    assert.equal(block.references, 2);
    assert.equal(world.budget.held("queued"), 1000);
    assert.equal(world.reactor.outbox.queuedBytes(slow.slot), 990);
    slow.socket.room = Number.POSITIVE_INFINITY;
    slower.socket.room = Number.POSITIVE_INFINITY;
    world.iterate();
    assert.equal(world.budget.held("queued"), 0);
    assert.ok(slower.socket.received.equals(Buffer.from(bytes)));
  });

  test("as a block of its own keeps its place behind what this turn owes already", () => {
    for (const room of [0, 2, Number.POSITIVE_INFINITY]) {
      const world = new ReactorWorld();
      const { socket, slot } = world.open();
      socket.room = room;
      world.send(slot, "before;");
      const block = { bytes: Buffer.from("block;"), references: 0, droppable: true };
      world.reactor.outbox.sendBlock(slot, block);
      world.send(slot, "behind;");
      socket.room = Number.POSITIVE_INFINITY;
      world.iterate();
      assert.equal(socket.received.toString(), "before;block;behind;");
    }
  });
});

describe("dropping the oldest", () => {
  test("takes out a message that has not begun, and is false where there is none", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    const { outbox } = world.reactor;
    assert.equal(outbox.dropOldest(slot), false);
    socket.room = 2;
    for (const text of ["begun", "dropped", "kept"]) world.send(slot, `${MESSAGE}${text}`);
    world.send(slot, `${CONTROL}ping`);
    world.iterate();
    assert.equal(outbox.dropOldest(slot), true);
    assert.equal(outbox.dropOldest(slot), true);
    assert.equal(outbox.dropOldest(slot), false);
    socket.room = Number.POSITIVE_INFINITY;
    world.iterate();
    assert.equal(socket.received.toString("latin1"), `${MESSAGE}begun${CONTROL}ping`);
    assert.equal(world.budget.held("queued"), 0);
  });
});

interface Step {
  client: number;
  verb: "send" | "block" | "iterate" | "room" | "close";
  length: number;
}

const steps = fc.array(
  fc.record({
    client: fc.nat(3),
    verb: fc.constantFrom<Step["verb"][]>("send", "send", "send", "block", "iterate", "room"),
    // Below and above the bound up to which frames are packed.
    length: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 60, max: 70 })),
  }),
  { maxLength: 60 },
);

test("every socket gets exactly what was sent to it, in order, however it takes it", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const world = new ReactorWorld();
      const clients = Array.from({ length: 4 }, () => ({ ...world.open(), sent: "" }));
      let counter = 0;
      for (const { client, verb, length } of all) {
        const it = clients[client] as (typeof clients)[number];
        counter += 1;
        const text = `${MESSAGE}${counter}`.padEnd(length, ".");
        if (verb === "room") it.socket.room = length;
        else if (verb === "iterate") world.iterate();
        else {
          it.sent += text;
          const block = { bytes: Buffer.from(text, "latin1"), references: 0, droppable: true };
          if (verb === "send") world.send(it.slot, text);
          else world.reactor.outbox.sendBlock(it.slot, block);
        }
        for (const { socket, sent } of clients) {
          assert.ok(sent.startsWith(socket.received.toString("latin1")));
        }
      }
      for (const { socket } of clients) socket.room = Number.POSITIVE_INFINITY;
      for (let turn = 0; turn < 3; turn += 1) world.iterate();
      for (const { socket, sent } of clients) {
        assert.equal(socket.received.toString("latin1"), sent);
      }
      assert.equal(world.budget.bytes, 0);
    }),
    { seed: testSeed(), numRuns: propertyRuns(30, 3000) },
  );
});
