/** How many sockets a turn reads, told by what the one before it brought; nothing is read here. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENTS_MAX, READ_BYTES_MAX, READ_BYTES_MIN, TURN_BYTES, TurnSize } from "./turn-size.ts";

function after(sockets: number, bytes: number, size = new TurnSize()): number {
  for (let socket = 0; socket < sockets; socket += 1) size.add(bytes);
  size.adapt(sockets);
  return size.events;
}

test("a turn reads as many sockets as there may be while each has little to say", () => {
  assert.equal(new TurnSize().events, EVENTS_MAX);
  assert.equal(after(EVENTS_MAX, 20), EVENTS_MAX);
  assert.equal(after(EVENTS_MAX, 2048), EVENTS_MAX);
});

test("it reads fewer when they have much to say, so that all of it is 512 KiB", () => {
  assert.equal(after(EVENTS_MAX, 4096), EVENTS_MAX);
  assert.equal(after(EVENTS_MAX, 8192), 64);
  assert.equal(after(EVENTS_MAX, 16_384), 32);
});

test("two sockets are read however much they have to say", () => {
  assert.equal(after(20, 512 << 10), 2);
  assert.equal(after(1, 512 << 10), 2);
});

test("those whose reads are full are read in larger pieces from turn to turn", () => {
  const size = new TurnSize();
  const pieces = [];
  for (let turn = 0; turn < 4; turn += 1) {
    const piece = Math.min(READ_BYTES_MAX, Math.max(READ_BYTES_MIN, TURN_BYTES / size.events));
    pieces.push(piece >> 10);
    after(size.events, piece, size);
  }
  assert.deepEqual(pieces, [64, 128, 256, 512]);
});

test("it depends on the last turn alone, and not on one that found nothing", () => {
  const size = new TurnSize();
  assert.equal(after(16, 16_384, size), 32);
  assert.equal(after(0, 0, size), 32);
  assert.equal(after(16, 20, size), EVENTS_MAX);
});

test("a turn that only wrote, or only accepted, is followed by a large one", () => {
  const size = new TurnSize();
  after(16, 16_384, size);
  size.adapt(5);
  assert.equal(size.events, EVENTS_MAX);
});
