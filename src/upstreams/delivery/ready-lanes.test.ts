import assert from "node:assert/strict";
import { test } from "node:test";
import { Lane } from "./lane.ts";
import { ReadyLanes } from "./ready-lanes.ts";

const facts = {
  connectionId: "a.b",
  userId: undefined,
  subprotocol: undefined,
  connectionState: undefined,
};

function laneOf(place: number, isHeld: boolean): Lane {
  const lane = new Lane(place, () => facts);
  if (isHeld) lane.heldSinceMs = 1;
  return lane;
}

function placesOf(lanes: Iterable<Lane>): number[] {
  return [...lanes].map(({ place }) => place);
}

test("held lanes and others go first in turns, each in the order in which they came", () => {
  const ready = new ReadyLanes();
  for (const place of [1, 2, 3, 4]) ready.add(laneOf(place, place % 2 === 0));
  assert.equal(ready.size, 4);
  const orders = [0, 1, 2].map(() => placesOf(ready.next(true)));
  assert.deepEqual(orders, [
    [2, 4, 1, 3],
    [1, 3, 2, 4],
    [2, 4, 1, 3],
  ]);
});

test("as long as there are only some of one kind it is nobody's turn", () => {
  const ready = new ReadyLanes();
  assert.deepEqual(placesOf(ready.next(true)), []);
  const [held, other] = [laneOf(1, true), laneOf(2, false)];
  ready.add(other);
  assert.deepEqual(placesOf(ready.next(true)), [2]);
  ready.delete(other);
  ready.add(held);
  assert.deepEqual(placesOf(ready.next(true)), [1]);
  ready.add(other);
  assert.deepEqual(placesOf(ready.next(true)), [1, 2]);
  assert.deepEqual(placesOf(ready.all()), [1, 2]);
});

test("a lane that came to be held while it was ready is found and taken out all the same", () => {
  const ready = new ReadyLanes();
  const [first, second] = [laneOf(1, false), laneOf(2, true)];
  ready.add(first);
  ready.add(second);
  first.heldSinceMs = 2;
  second.heldSinceMs = undefined;
  ready.delete(first);
  assert.deepEqual(placesOf(ready.all()), [2]);
  ready.delete(second);
  assert.equal(ready.size, 0);
  ready.add(first);
  ready.clear();
  assert.equal(ready.size, 0);
});
