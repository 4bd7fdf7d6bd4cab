import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FakeSocket } from "../../test/support/fake-socket.ts";
import { BenchWorld, serverFrame, summary } from "./bench.test.helper.ts";

/** An echo that takes so long, and more frames around it. */
function delayEcho(world: BenchWorld, ms: () => number): void {
  world.onFrame = (socket, { opcode, payload }) => {
    setTimeout(() => socket.send(serverFrame(opcode, payload)), ms());
  };
}

describe("echo in a closed loop", () => {
  test("flights follow each other, each message counted with its latency", () => {
    const world = new BenchWorld({ connections: 2, pipeline: 3, durationMs: 1000 });
    delayEcho(world, () => 100);
    world.run();
    world.advance(1500);
    const { messages, errors, latency, seconds } = world.result;
    assert.ok(messages >= 54 && messages <= 66, `${messages}`);
    assert.equal(messages % 6, 0);
    assert.deepEqual(errors, {});
    assert.ok(Math.abs(summary(latency).p50Ms - 101) < 3, `${summary(latency).p50Ms}`);
    assert.ok(seconds > 0.99 && seconds < 1.2);
  });

  test("answers that come byte by byte, with pings between them, are answers", () => {
    const world = new BenchWorld({ pipeline: 2, durationMs: 200 });
    world.onFrame = (socket, { opcode, payload }) => {
      if (opcode === 10) return;
      socket.send(serverFrame(9, "p"));
      for (const byte of serverFrame(opcode, payload))
        setTimeout(() => socket.send(Uint8Array.of(byte)), 1);
    };
    world.run();
    world.advance(400);
    assert.deepEqual(world.result.errors, {});
    assert.ok(world.result.messages > 10);
    assert.ok(world.result.pings > 10);
  });

  test("a ping behind the second half of an answer does not spoil it", () => {
    const world = new BenchWorld({ pipeline: 2, durationMs: 200 });
    let isFirst = true;
    world.onFrame = (socket, { opcode, payload }) => {
      if (opcode === 10) return;
      const frame = serverFrame(opcode, payload);
      if (isFirst) {
        const rest = Buffer.concat([frame.subarray(4), serverFrame(9, "")]);
        socket.send(frame.subarray(0, 4));
        setTimeout(() => socket.send(rest), 3);
      } else setTimeout(() => socket.send(frame), 5);
      isFirst = false;
    };
    world.run();
    world.advance(400);
    assert.deepEqual(world.result.errors, {});
    assert.ok(world.result.messages > 10);
    assert.equal(world.result.pings, 1);
  });

  test("fragments are put together", () => {
    const world = new BenchWorld({ durationMs: 100 });
    world.onFrame = (socket, { opcode, payload }) => {
      socket.send(serverFrame(opcode, payload.subarray(0, 2), false));
      socket.send(serverFrame(0, payload.subarray(2)));
    };
    world.run();
    world.advance(200);
    assert.deepEqual(world.result.errors, {});
    assert.ok(world.result.messages > 10);
  });

  test("the warm-up is not part of the measurement", () => {
    const world = new BenchWorld({ warmupMs: 500, durationMs: 500 });
    let ms = 50;
    delayEcho(world, () => ms);
    world.run();
    world.advance(400);
    ms = 10;
    world.advance(1000);
    const { messages, latency } = world.result;
    assert.ok(messages >= 40 && messages <= 55, `${messages}`);
    assert.ok(summary(latency).maxMs < 15);
  });

  const wrongs: [name: string, answer: (payload: Buffer) => Buffer, kind: string][] = [
    ["another byte", (payload) => serverFrame(1, payload.fill(0x20, 4)), "wrong answer"],
    ["a shorter one", (payload) => serverFrame(1, payload.subarray(1)), "wrong answer"],
    ["a longer one", (payload) => serverFrame(1, `${payload}!`), "a message that is too long"],
    ["another opcode", (payload) => serverFrame(2, payload), "wrong answer"],
    [
      "twice",
      (payload) => Buffer.concat([serverFrame(1, payload), serverFrame(1, payload)]),
      "wrong answer",
    ],
    [
      "a masked frame",
      () => Buffer.from([0x81, 0x85, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      "a masked frame",
    ],
    ["a close", () => serverFrame(8, Uint8Array.of(0x03, 0xf0)), "closed 1008"],
  ];
  for (const [name, answer, kind] of wrongs) {
    test(`${name} as an answer ends the connection as "${kind}"`, () => {
      const world = new BenchWorld({ connections: 2, durationMs: 300 });
      const [first] = world.sockets;
      world.onFrame = (socket, { opcode, payload }) => {
        if (socket === (first ?? world.sockets[0]) && opcode < 8) socket.send(answer(payload));
        else if (opcode < 8) socket.send(serverFrame(opcode, payload));
      };
      world.run();
      world.advance(500);
      const { errors, lost, messages } = world.result;
      assert.deepEqual(errors, { [kind]: 1 });
      assert.equal(lost, 1);
      assert.ok(messages > 20, "the other connection goes on");
    });
  }

  test("answers of a flight that are mixed up are wrong", () => {
    const world = new BenchWorld({ pipeline: 2, durationMs: 300 });
    const held: Buffer[] = [];
    world.onFrame = (socket, { opcode, payload }) => {
      held.unshift(serverFrame(opcode, payload));
      if (held.length === 2) socket.send(Buffer.concat(held.splice(0)));
    };
    world.run();
    world.advance(500);
    assert.deepEqual(world.result.errors, { "wrong answer": 1 });
  });

  test("an answer that never comes is a timeout, and a reset is a reset", () => {
    const world = new BenchWorld({ connections: 3, durationMs: 300, timeoutMs: 1000 });
    world.onFrame = (socket, { opcode, payload }) => {
      if (socket === world.sockets[0]) return;
      if (socket === world.sockets[1]) socket.break();
      else socket.send(serverFrame(opcode, payload));
    };
    world.run();
    world.advance(3000);
    assert.deepEqual(world.result.errors, { timeout: 1, reset: 1 });
    assert.equal(world.result.lost, 2);
  });

  test("told to finish it gives an account of what it saw so far", () => {
    const world = new BenchWorld({ durationMs: 10_000 });
    delayEcho(world, () => 20);
    world.run();
    world.advance(205);
    world.generator.finish(0);
    assert.ok(world.result.messages >= 9);
  });
});

describe("connections that are held", () => {
  test("pings are answered with what they carried, and losses counted", () => {
    const world = new BenchWorld({ mode: "hold", connections: 4, durationMs: 1000 });
    const pongs: string[] = [];
    world.onFrame = (_socket, { opcode, payload }) => pongs.push(`${opcode} ${payload}`);
    world.run();
    world.advance(50);
    const [first, second, third] = world.sockets as [FakeSocket, FakeSocket, FakeSocket];
    for (const socket of [first, second, third, third]) {
      socket.send(serverFrame(9, "still there"));
      world.advance(50);
    }
    assert.deepEqual(pongs, Array(4).fill("10 still there"));
    first.break();
    second.finish();
    third.send(serverFrame(8, Uint8Array.of(0x03, 0xf4)));
    world.advance(1000);
    const { errors, lost, pings, pinged } = world.result;
    assert.deepEqual(errors, { reset: 1, ended: 1, "closed 1012": 1 });
    assert.equal(lost, 3);
    assert.equal(pings, 4);
    assert.equal(pinged, 3);
  });
});

describe("handshakes", () => {
  test("without a rate as many are under way as are allowed, and each is closed properly", () => {
    const world = new BenchWorld({ mode: "connect", concurrency: 3, durationMs: 500 });
    assert.ok(world.isReady);
    world.run();
    world.advance(1000);
    const { opened, messages, errors } = world.result;
    assert.ok(opened > 50, `${opened}`);
    assert.equal(messages, opened);
    assert.deepEqual(errors, {});
    assert.equal(world.sockets.length, opened);
    assert.ok(world.sockets.every(({ closed }) => closed !== undefined));
  });

  test("at a rate there are as many as are due, and a slow server is charged for the wait", () => {
    const world = new BenchWorld({
      ...{ mode: "connect", concurrency: 1, durationMs: 1000, ratePerSecond: 100 },
    });
    world.run();
    world.advance(200);
    const response = world.response;
    world.response = "";
    world.advance(300);
    for (const socket of world.sockets.slice(-1)) socket.break();
    world.response = response;
    world.advance(1500);
    const { opened, failed, latency } = world.result;
    assert.equal(opened + failed, 100);
    assert.equal(failed, 1);
    assert.ok(summary(latency).maxMs > 200, `${summary(latency).maxMs}`);
  });

  test("a server that takes none is told of as such, and nothing is kept for what was due", () => {
    const world = new BenchWorld({
      ...{ mode: "connect", concurrency: 10, durationMs: 1000, ratePerSecond: 1000 },
      timeoutMs: 700,
    });
    world.run();
    world.advance(100);
    world.response = "";
    world.advance(2500);
    const { opened, failed, unsent, errors, lateness } = world.result;
    assert.ok(opened >= 90 && opened <= 110, `${opened}`);
    assert.ok(unsent > 800, `${unsent}`);
    const due = opened + failed + unsent + 10;
    assert.ok(Math.abs(due - 1000) <= 1, `${due}, of which ten were under way at the end`);
    assert.deepEqual(errors, { timeout: failed + 10 });
    assert.ok(summary(lateness).maxMs > 500, `${summary(lateness).maxMs}`);
  });

  test("a server that does not close is no server that can be measured so", () => {
    const world = new BenchWorld({
      ...{ mode: "connect", concurrency: 3, durationMs: 500, timeoutMs: 4000 },
    });
    world.onFrame = () => {};
    world.run();
    world.advance(4000);
    const { opened, failed, errors } = world.result;
    assert.deepEqual([opened, failed], [3, 0]);
    assert.deepEqual(errors, { "not closed": 3 });
    const impatient = new BenchWorld({
      ...{ mode: "connect", concurrency: 3, durationMs: 500, timeoutMs: 500 },
    });
    impatient.onFrame = () => {};
    impatient.run();
    impatient.advance(2000);
    assert.deepEqual(impatient.result.errors, { "not closed": 3 });
  });
});
