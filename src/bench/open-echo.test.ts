import assert from "node:assert/strict";
import { test } from "node:test";
import type { FakeSocket } from "../../test/support/fake-socket.ts";
import { BenchWorld, serverFrame, summary } from "./bench.test.helper.ts";

test("messages are sent at the rate, in turn over the connections", () => {
  const world = new BenchWorld({ connections: 4, ratePerSecond: 200, durationMs: 1000 });
  const seen = new Map<FakeSocket, number>();
  world.onFrame = (socket, { opcode, payload }) => {
    seen.set(socket, (seen.get(socket) ?? 0) + 1);
    socket.send(serverFrame(opcode, payload));
  };
  world.run();
  world.advance(1200);
  assert.equal(world.result.messages, 200);
  assert.deepEqual([...seen.values()], [50, 50, 50, 50]);
  assert.deepEqual(world.result.errors, {});
});

test("a server that stalls is charged for every message that had to wait", () => {
  const world = new BenchWorld({ ratePerSecond: 100, durationMs: 2000, timeoutMs: 5000 });
  let isStalled = true;
  const stalled: (() => void)[] = [];
  world.onFrame = (socket, { opcode, payload }) => {
    const answer = () => socket.send(serverFrame(opcode, payload));
    if (isStalled) stalled.push(answer);
    else answer();
  };
  world.run();
  world.advance(1000);
  isStalled = false;
  for (const answer of stalled) answer();
  world.advance(1500);
  const { messages, latency, lateness, unsent } = world.result;
  assert.equal(messages, 200);
  assert.equal(unsent, 0);
  // The hundred that were due in the stall waited for half a second on average.
  const { p50Ms, p99Ms, maxMs, meanMs } = summary(latency);
  assert.ok(maxMs > 950 && maxMs < 1100, `${maxMs}`);
  assert.ok(meanMs > 230 && meanMs < 320, `${meanMs}`);
  assert.ok(p99Ms > 900 && p50Ms < 100, `${p99Ms} ${p50Ms}`);
  assert.ok(summary(lateness).maxMs > 900);
});

test("answers that come together are each charged for their own wait", () => {
  const world = new BenchWorld({ ratePerSecond: 100, pipeline: 50, durationMs: 500 });
  const held: Buffer[] = [];
  world.onFrame = (socket, { opcode, payload }) => {
    held.push(serverFrame(opcode, payload));
    if (held.length === 50) socket.send(Buffer.concat(held));
  };
  world.run();
  world.advance(700);
  assert.equal(world.result.messages, 50);
  const { meanMs, maxMs } = summary(world.result.latency);
  assert.ok(maxMs > 480 && maxMs < 510, `${maxMs}`);
  assert.ok(meanMs > 235 && meanMs < 265, `${meanMs}`);
});

test("no more are in flight on a connection than --pipeline says", () => {
  const world = new BenchWorld({
    ratePerSecond: 100,
    pipeline: 3,
    durationMs: 500,
    timeoutMs: 600,
  });
  let received = 0;
  world.onFrame = () => {
    received += 1;
  };
  world.run();
  world.advance(2500);
  assert.equal(received, 3);
  const { messages, unsent, errors } = world.result;
  assert.equal(messages, 0);
  assert.equal(unsent, 47);
  assert.deepEqual(errors, { timeout: 1 });
});
