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

test("the wait for the last answers lengthens no latency and lowers no rate", () => {
  const world = new BenchWorld({ ratePerSecond: 100, pipeline: 4, durationMs: 1000 });
  const last: (() => void)[] = [];
  let received = 0;
  world.onFrame = (socket, { opcode, payload }) => {
    received += 1;
    const answer = () => socket.send(serverFrame(opcode, payload));
    if (received > 98) last.push(answer);
    else answer();
  };
  world.run();
  world.advance(2000);
  for (const answer of last) answer();
  world.advance(100);
  const { messages, messagesPerSecond, seconds } = world.result;
  assert.equal(messages, 100);
  assert.ok(seconds > 1.9, `${seconds}`);
  assert.ok(messagesPerSecond > 97 && messagesPerSecond < 99, `${messagesPerSecond}`);
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

test("what is due on connections that were lost is told as never sent", () => {
  const world = new BenchWorld({ connections: 2, ratePerSecond: 100, durationMs: 1000 });
  world.run();
  world.advance(500);
  world.sockets[0]?.break();
  world.advance(1000);
  const { messages, unsent, lost } = world.result;
  assert.equal(lost, 1);
  assert.equal(messages + unsent, 99, "one was under way when its connection broke");
  assert.ok(unsent >= 24 && unsent <= 26, `${unsent}`);
});
