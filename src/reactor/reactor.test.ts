import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { READ } from "./binding.ts";
import { ReactorWorld } from "./reactor.test.helper.ts";
import { TICK_MS, ticksOf } from "./ticks.ts";

const ECONNRESET = 104;
const ETIMEDOUT = 110;

describe("a turn", () => {
  test("accepts, reads, and reports ends and breaks", () => {
    const world = new ReactorWorld();
    const socket = world.poller.connect();
    world.poller.wake();
    assert.deepEqual(world.takeLog(), ["accepted 1 0"]);
    socket.send("hello");
    world.poller.wake();
    assert.deepEqual(world.takeLog(), ["received 1 hello"]);
    socket.send("last words");
    socket.finish();
    world.poller.wake();
    world.poller.wake();
    assert.deepEqual(world.takeLog(), ["received 1 last words", "ended 1"]);
    socket.break();
    world.poller.wake();
    assert.deepEqual(world.takeLog(), [`broke 1 ${ECONNRESET}`]);
  });

  test("answers from the arena before the next one reads into it", () => {
    const world = new ReactorWorld(400);
    const clients = Array.from({ length: 300 }, () => world.open());
    world.on.received = (slot, offset, end) => {
      world.reactor.outbox.send(slot, offset, end - offset);
    };
    clients.forEach(({ socket }, index) => {
      socket.send(`message ${index}`);
    });
    // More are ready than one turn takes: it is followed by others in the same wake-up.
    world.poller.wake();
    clients.forEach(({ socket }, index) => {
      assert.equal(socket.received.toString(), `message ${index}`);
    });
  });

  test("owes nothing when it begins, also for what was sent outside of turns", () => {
    const world = new ReactorWorld();
    const [a, b] = [world.open(), world.open()];
    world.send(a.slot, "from a timer");
    b.socket.send("wakes the loop before the flush that was asked for");
    // The fake poller fails a turn that begins while bytes of the arena are owed.
    world.poller.wake();
    assert.equal(a.socket.received.toString(), "from a timer");
  });

  test("owes nothing when the next one begins, also to those who break meanwhile", () => {
    const world = new ReactorWorld();
    const [a, b] = [world.open(), world.open()];
    world.on.unwritable = () => world.send(b.slot, "sent because a broke");
    a.socket.break();
    world.send(a.slot, "lost");
    b.socket.send("wake");
    world.poller.wake();
    world.iterate();
    assert.equal(b.socket.received.toString(), "sent because a broke");
  });

  test("reports nothing more of a slot that was closed earlier in the same batch", () => {
    const world = new ReactorWorld();
    const [a, b, c] = [world.open(), world.open(), world.open()];
    world.on.received = (slot) => {
      if (slot === a.slot) for (const each of [b, c]) world.reactor.close(each.slot, false);
    };
    a.socket.send("close the others");
    b.socket.send("unheard");
    c.socket.break();
    world.poller.wake();
    assert.deepEqual(world.takeLog(), [`received ${a.slot} close the others`]);
    assert.equal(b.socket.closed, "closed");
  });

  test("reports nothing of a closed slot to the connection that uses it next", () => {
    const world = new ReactorWorld();
    const [a, b] = [world.open(), world.open()];
    const place = world.reactor.placeOf(b.slot);
    world.send(b.slot, "owed to the old one");
    world.reactor.close(b.slot, true);
    const next = world.open();
    assert.equal(next.slot, b.slot);
    assert.equal(next.socket.received.length, 0);
    assert.equal(b.socket.received.length, 0);
    assert.equal(world.reactor.isCurrent(place), false);
    assert.equal(world.reactor.isCurrent(world.reactor.placeOf(b.slot)), true);
    assert.equal(world.poller.slotOf(a.socket), a.slot);
  });

  test("follows another for as long as sockets are ready and the time budget is not spent", () => {
    const world = new ReactorWorld(400);
    const clients = Array.from({ length: 300 }, () => world.open());
    for (const { socket } of clients) socket.send("x");
    let received = 0;
    world.on.received = () => {
      received += 1;
      world.time.nowMs += 1;
    };
    world.poller.wake();
    assert.equal(received, 128);
    world.poller.wake();
    world.poller.wake();
    assert.equal(received, 300);
  });
});

describe("a place", () => {
  test("is current from accept to close, and never again", () => {
    const world = new ReactorWorld();
    const places = new Set<number>();
    for (let use = 0; use < 50; use += 1) {
      const { slot } = world.open();
      const place = world.reactor.placeOf(slot);
      assert.equal(places.has(place), false);
      places.add(place);
      for (const each of places) assert.equal(world.reactor.isCurrent(each), each === place);
      world.reactor.close(slot, false);
      assert.equal(world.reactor.isCurrent(place), false);
      // The next one's place is nobody's before it is accepted.
      assert.equal(world.reactor.isCurrent(world.reactor.placeOf(slot)), false);
    }
  });

  test("of a slot that was never used is not current", () => {
    const world = new ReactorWorld();
    assert.equal(world.reactor.isCurrent(world.reactor.placeOf(7)), false);
  });
});

test("a break that the same batch tells of is told before a write finds another one", () => {
  const world = new ReactorWorld();
  const { socket, slot } = world.open();
  socket.room = 0;
  world.send(slot, "queued");
  world.iterate();
  world.takeLog();
  socket.break(ETIMEDOUT);
  world.poller.wake();
  assert.deepEqual(world.takeLog(), [`broke ${slot} ${ETIMEDOUT}`]);
  assert.equal(world.reactor.outbox.queuedBytes(slot), 6);
});

test("a break of an earlier batch is not taken for one of the slot's next connection", () => {
  const world = new ReactorWorld();
  const [a, b] = [world.open(), world.open()];
  world.on.broke = (slot) => world.reactor.close(slot, true);
  a.socket.send("the batch's first record");
  b.socket.break();
  world.poller.wake();
  // What follows are batches of one record, in front of the old one of the break.
  const next = world.open();
  assert.equal(next.slot, b.slot);
  next.socket.room = 0;
  world.send(next.slot, "queued");
  world.iterate();
  next.socket.room = 100;
  world.iterate();
  assert.equal(next.socket.received.toString(), "queued");
});

describe("closing a slot", () => {
  test("releases its queue and its parked input, and clears its deadline", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    socket.room = 0;
    world.send(slot, "queued");
    world.iterate();
    world.reactor.pause(slot);
    world.on.received = () => assert.fail("a paused slot is not read");
    world.reactor.parked.put(slot, Buffer.from("parked"));
    world.reactor.setDeadline(slot, world.reactor.tick + 1);
    assert.ok(world.budget.bytes > 0);
    world.reactor.close(slot, true);
    assert.equal(world.budget.bytes, 0);
    assert.equal(world.reactor.parked.has(slot), false);
    world.takeLog();
    world.advance(10 * TICK_MS);
    assert.deepEqual(world.takeLog(), []);
    assert.equal(socket.closed, "reset");
  });

  test("twice is closing it once", () => {
    const world = new ReactorWorld();
    const { slot } = world.open();
    world.reactor.close(slot, false);
    const generation = world.reactor.slots.generations[slot];
    world.reactor.close(slot, true);
    assert.equal(world.reactor.slots.generations[slot], generation);
  });

  test("takes out what it still owes to it from the flush, and not what it owes to others", () => {
    const world = new ReactorWorld();
    const [a, b] = [world.open(), world.open()];
    world.send(a.slot, "gone");
    world.send(b.slot, "kept");
    world.reactor.close(a.slot, false);
    world.iterate();
    assert.equal(a.socket.received.length, 0);
    assert.equal(b.socket.received.toString(), "kept");
  });
});

describe("a deadline", () => {
  test("is judged only when all that has come was read, as after a standstill", () => {
    const world = new ReactorWorld();
    const { slot, socket } = world.open();
    world.on.received = () => world.reactor.setDeadline(slot, 0);
    world.reactor.setDeadline(slot, world.reactor.tick + 2);
    socket.send("alive");
    // The timer that judges deadlines is the first thing that runs.
    world.time.nowMs += 20 * TICK_MS;
    assert.ok(world.time.advanceToTimer(world.time.nowMs));
    assert.deepEqual(world.takeLog(), [`received ${slot} alive`]);
  });

  test("waits ten seconds for a worker that does not get to read all that has come", () => {
    const world = new ReactorWorld(400);
    const { slot } = world.open();
    const clients = Array.from({ length: 300 }, () => world.open());
    const sockets = new Map(clients.map((client) => [client.slot, client.socket]));
    world.on.received = (from) => sockets.get(from)?.send("more");
    for (const socket of sockets.values()) socket.send("more");
    world.reactor.setDeadline(slot, world.reactor.tick + 2);
    // One turn takes longer than turns may follow each other.
    world.time.stepMs = 5;
    const startedAtMs = world.time.nowMs;
    while (!world.takeLog().includes(`expired ${slot}`)) {
      world.time.advanceToTimer(world.time.nowMs + 10 * TICK_MS);
      assert.ok(world.time.nowMs < startedAtMs + 20_000);
    }
    assert.ok(world.time.nowMs >= startedAtMs + 10_000);
  });

  test("waits for nobody because a few clients have much to say", () => {
    const world = new ReactorWorld();
    const { slot } = world.open();
    const talkers = [world.open(), world.open(), world.open()];
    const sockets = new Map(talkers.map((client) => [client.slot, client.socket]));
    const send = (slot: number) => sockets.get(slot)?.send("x".repeat(600_000));
    world.on.received = send;
    for (const talker of sockets.keys()) send(talker);
    world.reactor.setDeadline(slot, world.reactor.tick + 2);
    world.time.stepMs = 5;
    const untilMs = world.time.nowMs + 3000;
    while (world.time.nowMs < untilMs) world.time.advanceToTimer(world.time.nowMs + 10 * TICK_MS);
    assert.ok(world.takeLog().includes(`expired ${slot}`));
  });

  test("expires once, with the sweep in or after its tick, and is gone then", () => {
    const world = new ReactorWorld();
    const { slot } = world.open();
    world.reactor.setDeadline(slot, world.reactor.tick + 3);
    world.advance(2 * TICK_MS);
    assert.deepEqual(world.takeLog(), []);
    world.advance(TICK_MS);
    assert.deepEqual(world.takeLog(), [`expired ${slot}`]);
    assert.equal(world.reactor.slots.deadlines[slot], 0);
    world.advance(10 * TICK_MS);
    assert.deepEqual(world.takeLog(), []);
  });

  test("is replaced by the next one", () => {
    const world = new ReactorWorld();
    const { slot } = world.open();
    world.reactor.setDeadline(slot, world.reactor.tick + 1);
    world.reactor.setDeadline(slot, world.reactor.tick + 4);
    world.advance(3 * TICK_MS);
    assert.deepEqual(world.takeLog(), []);
    world.advance(TICK_MS);
    assert.deepEqual(world.takeLog(), [`expired ${slot}`]);
  });

  test("may set the next one, and close this slot and others, while it expires", () => {
    const world = new ReactorWorld();
    const [a, b, c] = [world.open(), world.open(), world.open()];
    for (const { slot } of [a, b, c]) world.reactor.setDeadline(slot, world.reactor.tick + 1);
    world.on.expired = (slot) => {
      if (slot !== a.slot) return;
      world.reactor.close(b.slot, false);
      world.reactor.setDeadline(a.slot, world.reactor.tick + 1);
    };
    world.advance(TICK_MS);
    assert.deepEqual(world.takeLog(), [`expired ${a.slot}`, `expired ${c.slot}`]);
    world.advance(TICK_MS);
    assert.deepEqual(world.takeLog(), [`expired ${a.slot}`]);
  });

  test("expires at the beginning of its tick, however late the sweep before it came", () => {
    const world = new ReactorWorld();
    const { slot } = world.open();
    world.reactor.setDeadline(slot, world.reactor.tick + 3);
    world.time.nowMs += TICK_MS + 100;
    world.advance(2 * TICK_MS - 101);
    assert.deepEqual(world.takeLog(), []);
    world.advance(1);
    assert.deepEqual(world.takeLog(), [`expired ${slot}`]);
  });

  test("is looked at once in a tick, also when timers come a little early", () => {
    const { setTimeout } = globalThis;
    const early = (run: () => void, ms: number) => setTimeout(run, ms - 1);
    Object.assign(globalThis, { setTimeout: early });
    const world = new ReactorWorld();
    let sweeps = 0;
    world.on.swept = () => (sweeps += 1);
    world.advance(10 * TICK_MS);
    assert.equal(sweeps, 10);
  });

  test("in so many ticks is never earlier than the milliseconds asked for", () => {
    for (const ms of [0, 1, 249, 250, 251, 10_000]) {
      assert.ok((ticksOf(ms) - 1) * TICK_MS >= ms, `${ms} ms`);
      assert.ok((ticksOf(ms) - 2) * TICK_MS < Math.max(1, ms), `${ms} ms`);
    }
  });

  test("is looked at after a pause of the whole process, however long it was", () => {
    const world = new ReactorWorld();
    const { slot } = world.open();
    world.reactor.setDeadline(slot, world.reactor.tick + 2);
    world.time.nowMs += 3_600_000;
    world.advance(TICK_MS);
    assert.deepEqual(world.takeLog(), [`expired ${slot}`]);
    assert.ok(world.reactor.tick > 14_000);
  });
});

describe("a paused slot", () => {
  test("is not read, and its end is no news, until it is resumed", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    world.reactor.pause(slot);
    socket.send("later");
    socket.finish();
    assert.equal(world.poller.isReady, false);
    world.reactor.resume(slot);
    world.poller.wake();
    world.poller.wake();
    assert.deepEqual(world.takeLog(), [`received ${slot} later`, `ended ${slot}`]);
  });

  test("that hangs up is told of once, and what it sent before is read when it is resumed", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    world.reactor.pause(slot);
    socket.send("sent before");
    socket.break();
    world.poller.wake();
    assert.deepEqual(world.takeLog(), [`hungUp ${slot}`]);
    assert.equal(world.poller.isReady, false);
    world.reactor.resume(slot);
    world.poller.wake();
    world.poller.wake();
    assert.deepEqual(world.takeLog(), [
      `received ${slot} sent before`,
      `broke ${slot} ${ECONNRESET}`,
    ]);
  });

  test("still takes what waits for it", () => {
    const world = new ReactorWorld();
    const { socket, slot } = world.open();
    socket.room = 0;
    world.reactor.pause(slot);
    world.send(slot, "queued");
    world.iterate();
    socket.room = 100;
    world.iterate();
    assert.equal(socket.received.toString(), "queued");
    assert.deepEqual(world.takeLog(), [`queued ${slot}`, `drained ${slot}`]);
  });
});

describe("stopping", () => {
  test("closes every socket, and what was scheduled before comes to nothing", () => {
    const world = new ReactorWorld();
    const [a, b] = [world.open(), world.open()];
    world.send(a.slot, "never sent");
    world.reactor.parked.put(b.slot, Buffer.from("never read"));
    world.reactor.takeUp(b.slot);
    world.reactor.stop();
    world.iterate();
    world.advance(10 * TICK_MS);
    assert.deepEqual(world.takeLog(), []);
    assert.deepEqual([a.socket.closed, b.socket.closed], ["closed", "closed"]);
  });
});

test("a reactor begins with its listeners watched for READ alone", () => {
  const world = new ReactorWorld();
  assert.equal(world.reactor.slots.interest[0], READ);
  assert.equal(world.poller.calls.turn, 0);
});
