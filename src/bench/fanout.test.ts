import assert from "node:assert/strict";
import { test } from "node:test";
import type { FakeSocket } from "../../test/support/fake-socket.ts";
import { BenchWorld, serverFrame } from "./bench.test.helper.ts";
import { decodePush, encodePush, monotonicOffsetMs, pushesMax } from "./push-payload.ts";

const LENGTH = 40;
const push = (number: number, sentAtMs = 0) =>
  serverFrame(1, encodePush({ number, sentAtMs }, LENGTH));

function fanout(connections: number, sendsItself = false): BenchWorld {
  const world = new BenchWorld({ mode: "fanout", connections, payloadBytes: LENGTH, sendsItself });
  world.run();
  return world;
}

function delivered(world: BenchWorld) {
  return world.messages.flatMap((each) => (each.type === "delivered" ? [each.delivered] : []));
}

test("a push is told to the parent when the last receiver has it, with both times", () => {
  const world = fanout(3);
  const sentAtMs = world.time.nowMs + monotonicOffsetMs;
  const [last, ...others] = world.sockets as [FakeSocket, FakeSocket, FakeSocket];
  for (const socket of others) socket.send(push(1, sentAtMs));
  world.advance(5);
  assert.deepEqual(delivered(world), []);
  last.send(push(1, sentAtMs));
  world.advance(1);
  const [told] = delivered(world);
  assert.equal(told?.number, 1);
  assert.ok(Math.abs((told?.sentAtMs ?? 0) - sentAtMs) < 0.001);
  const spanMs = (told?.lastAtMs ?? 0) - sentAtMs;
  assert.ok(spanMs >= 5 && spanMs <= 7, `${spanMs}`);
  world.generator.finish(1);
  assert.equal(world.result.messages, 3);
  assert.deepEqual(world.result.errors, {});
});

test("pushes in one read, and in pieces, are read one by one", () => {
  const world = fanout(2);
  world.onFrame = () => {};
  const [whole, cut] = world.sockets as [FakeSocket, FakeSocket];
  const stream = Buffer.concat([push(1), push(2), serverFrame(9, ""), push(3)]);
  whole.send(stream);
  for (const byte of stream) {
    cut.send(Uint8Array.of(byte));
    world.iterate();
  }
  assert.deepEqual(
    delivered(world).map(({ number }) => number),
    [1, 2, 3],
  );
  world.generator.finish(3);
  assert.equal(world.result.messages, 6);
  assert.deepEqual(world.result.errors, {});
});

test("a push that a receiver does not get is lost, in between and at the end", () => {
  const world = fanout(2);
  const [first, second] = world.sockets as [FakeSocket, FakeSocket];
  first.send(Buffer.concat([push(1), push(3)]));
  second.send(push(1));
  world.advance(2);
  world.generator.finish(3);
  assert.deepEqual(world.result.errors, { "lost push": 3 });
});

const wrongs: [name: string, frames: Buffer][] = [
  ["comes twice", Buffer.concat([push(1), push(1)])],
  ["comes out of order", Buffer.concat([push(2), push(1)])],
  [
    "has another byte",
    serverFrame(1, encodePush({ number: 1, sentAtMs: 0 }, LENGTH).fill("!", 39)),
  ],
  ["is longer", serverFrame(1, encodePush({ number: 1, sentAtMs: 0 }, LENGTH + 1))],
  ["is something else", serverFrame(1, "x".repeat(LENGTH))],
];

for (const [name, frames] of wrongs) {
  test(`a push that ${name} ends its connection as wrong`, () => {
    const world = fanout(2);
    world.sockets[0]?.send(frames);
    world.advance(2);
    world.generator.finish(0);
    assert.equal(world.result.errors["wrong push"], 1);
    assert.equal(world.result.lost, 1);
  });
}

test("a push that comes again in a read of its own is wrong as well", () => {
  const world = fanout(2);
  for (const number of [1, 1]) {
    world.sockets[0]?.send(push(number));
    world.advance(2);
  }
  world.generator.finish(0);
  assert.equal(world.result.errors["wrong push"], 1);
});

test("a receiver that is lost is not waited for", () => {
  const world = fanout(2);
  const [first, second] = world.sockets as [FakeSocket, FakeSocket];
  first.send(push(1));
  world.advance(2);
  second.break();
  world.advance(2);
  assert.equal(delivered(world).length, 1);
});

test("pushes that one receiver never gets are not kept for ever", () => {
  const world = fanout(2);
  const [first, second] = world.sockets as [FakeSocket, FakeSocket];
  const max = pushesMax(LENGTH);
  for (let number = 1; number <= max + 1; number += 1) first.send(push(number));
  world.advance(2);
  // The first of them is known no more; what is known is waited for by its number alone.
  second.send(Buffer.concat([push(1), push(2)]));
  world.advance(2);
  assert.deepEqual(
    delivered(world).map(({ number }) => number),
    [2],
  );
  assert.equal(world.messages.filter(({ type }) => type === "result").length, 0);
});

test("the first connection sends when it is told to, and is no receiver", () => {
  const world = fanout(3, true);
  world.onFrame = (_socket, { opcode, payload }) => {
    for (const socket of world.sockets) socket.send(serverFrame(opcode, payload));
  };
  world.generator.push(1, undefined);
  world.advance(3);
  world.generator.push(2, undefined);
  world.advance(3);
  assert.deepEqual(
    delivered(world).map(({ number }) => number),
    [1, 2],
  );
  world.generator.finish(2);
  assert.equal(world.result.messages, 4);
  assert.deepEqual(world.result.errors, {});
});

test("a server that does not read what is pushed is sent a bounded amount", () => {
  const payloadBytes = 16 << 20;
  const world = new BenchWorld({ mode: "fanout", connections: 2, payloadBytes, sendsItself: true });
  world.run();
  const [sender] = world.sockets as [FakeSocket];
  sender.room = 0;
  for (let number = 1; number <= 6; number += 1) {
    world.generator.push(number, undefined);
    world.advance(1);
  }
  world.generator.finish(6);
  const { unsent, sentBytes } = world.result;
  // One of four is within the bound, and one more goes beyond it.
  assert.equal(unsent, 2);
  assert.ok(sentBytes < 4.1 * payloadBytes, `${sentBytes}`);
});

test("a payload of a push says its number and time, at every length it may have", () => {
  for (const length of [32, 33, 59, 1000]) {
    const payload = encodePush({ number: 7, sentAtMs: 123_456.789 }, length);
    assert.equal(payload.length, length);
    assert.match(payload.toString("latin1"), /^[\x20-\x7e]+$/);
    assert.deepEqual(decodePush(payload, length), { number: 7, sentAtMs: 123_456.789 });
    assert.equal(decodePush(payload, length + 1), undefined);
  }
});
