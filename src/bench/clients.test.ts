import assert from "node:assert/strict";
import { test } from "node:test";
import type { FakeSocket } from "../../test/support/fake-socket.ts";
import { acceptKey } from "../websocket/handshake.ts";
import { BenchWorld, serverFrame } from "./bench.test.helper.ts";

test("connections are dialled at the ramp's rate, and no more at once than allowed", () => {
  const world = new BenchWorld({ connections: 30, rampPerSecond: 1000, concurrency: 4 });
  world.response = "";
  world.advance(50);
  assert.equal(world.sockets.length, 4);
  world.response =
    "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Accept: ACCEPT\r\n\r\n";
  const slow = new BenchWorld({ connections: 30, rampPerSecond: 100 });
  slow.advance(100);
  assert.ok(slow.sockets.length >= 9 && slow.sockets.length <= 11, `${slow.sockets.length}`);
  assert.ok(!slow.isReady);
  slow.advance(300);
  assert.ok(slow.isReady);
  assert.equal(slow.sockets.length, 30);
});

test("source addresses are used in turn", () => {
  const world = new BenchWorld({ connections: 3, sources: ["127.1.0.1", "127.1.0.2"] });
  world.advance(50);
  const { dialled } = world.binding.poller;
  assert.deepEqual(
    dialled.map(({ address, port, sourceAddress }) => [address, port, sourceAddress]),
    [1, 2, 1].map((last) => ["127.0.0.1", 9000, `127.1.0.${last}`]),
  );
});

test("what a handshake comes to nothing for is counted by kind, and the rest goes on", () => {
  const world = new BenchWorld({ connections: 5, rampPerSecond: 100, timeoutMs: 500 });
  const responses = [
    "HTTP/1.1 503 x\r\n\r\n",
    "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "",
  ];
  world.advance(15);
  for (const response of responses) {
    world.response = response;
    world.advance(10);
  }
  world.sockets.at(-1)?.break(111);
  world.advance(1500);
  assert.ok(world.isReady);
  world.generator.finish(0);
  const { failed, opened, errors } = world.result;
  assert.equal(failed + opened, 5);
  assert.equal(errors["http 503"], 1);
  assert.equal(errors["wrong accept key"], 1);
  assert.ok((errors.timeout ?? 0) >= 1);
});

test("a dial that fails at once is counted by the name of its errno", () => {
  const world = new BenchWorld({ connections: 2 });
  world.binding.poller.dialErrno = 99;
  world.advance(20);
  assert.ok(world.isReady);
  world.generator.finish(0);
  assert.deepEqual(world.result.errors, { EADDRNOTAVAIL: 2 });
});

test("a response in pieces, with the first frame behind it, is read", () => {
  const world = new BenchWorld({ mode: "hold" });
  const response = world.response;
  world.response = response.slice(0, 40);
  world.advance(30);
  const [socket] = world.sockets as [FakeSocket];
  const key = /Key: (\S+)/.exec(socket.received.toString("latin1"))?.[1] as string;
  assert.ok(!world.isReady);
  const rest = response.slice(40).replace("ACCEPT", acceptKey(key));
  socket.send(Buffer.concat([Buffer.from(rest), serverFrame(9, "ping")]));
  world.advance(30);
  world.run();
  world.generator.finish(0);
  assert.equal(world.result.opened, 1);
  assert.equal(world.result.pings, 1);
});

test("connections are closed with 1000, and the generator ends when they are", async () => {
  const world = new BenchWorld({ mode: "hold", connections: 3, durationMs: 100 });
  const closes: number[] = [];
  world.onFrame = (socket, { opcode, payload }) => {
    if (opcode === 8) closes.push(payload.readUInt16BE(0));
    socket.send(serverFrame(opcode, payload));
    socket.finish();
  };
  world.run();
  world.advance(300);
  const closed = world.generator.close();
  world.advance(20);
  await closed;
  assert.deepEqual(closes, [1000, 1000, 1000]);
  assert.deepEqual(world.result.errors, {});
});

test("a server that does not let go is waited for until a deadline", async () => {
  const world = new BenchWorld({ mode: "hold", durationMs: 100 });
  world.onFrame = () => {};
  world.run();
  world.advance(300);
  const closed = world.generator.close();
  world.advance(3500);
  await closed;
  assert.equal(world.sockets[0]?.closed, "reset");
});

test("more connections than there are descriptors are refused with what to do", () => {
  assert.throws(() => new BenchWorld({ connections: 5000 }), {
    code: "HG_BENCH_DESCRIPTORS",
    message: /5000 connections.*--processes/s,
  });
});
