/** What is done once for all events of a turn, and leaves with its flush. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ReactorWorld } from "./reactor.test.helper.ts";

/** Two clients whose bytes one turn brings, and one that is sent to at its end. */
function turnOfTwo() {
  const world = new ReactorWorld();
  const [first, second, third] = [world.open(), world.open(), world.open()];
  const bring = () => {
    first.socket.send("a");
    second.socket.send("b");
    world.poller.wake();
  };
  return { world, third, bring };
}

test("work for the end of a turn comes behind all its events and leaves with it", () => {
  const { world, third, bring } = turnOfTwo();
  const texts: string[] = [];
  world.on.received = (slot) => {
    texts.push(String(slot));
    if (texts.length > 1) return;
    world.reactor.outbox.atTurnEnd(() => world.send(third.slot, `after ${texts.length}`));
  };
  bring();
  assert.equal(third.socket.received.toString("latin1"), "after 2");
});

test("what that leads to comes in the same turn, and nothing of it in the next", () => {
  const { world, third, bring } = turnOfTwo();
  const { outbox } = world.reactor;
  world.on.received = () => {
    world.on = {};
    outbox.atTurnEnd(() => outbox.atTurnEnd(() => world.send(third.slot, "once")));
  };
  bring();
  assert.equal(third.socket.received.toString("latin1"), "once");
  bring();
  assert.equal(third.socket.received.toString("latin1"), "once");
});
