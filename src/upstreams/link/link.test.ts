/** When a link is given up: over a reactor that is made of nothing, second by second. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FrameWriter } from "../../link/body.ts";
import { writeFrame } from "../../link/encode.ts";
import { PONG, RESULT_DONE, type ServiceFrame, WELCOME } from "../../link/frame.ts";
import type { SocketEvents } from "../../reactor/reactor.ts";
import { TICK_MS } from "../../reactor/ticks.ts";
import { Link } from "./link.ts";
import type { LinkReactor } from "./socket.ts";

const SLOT = 5;

function linked() {
  const lost: string[] = [];
  const arena = new Uint8Array(1 << 16);
  let owner: SocketEvents | undefined;
  let queuedBytes = 0;
  let progressTick = 0;
  const outbox = {
    reserve: () => 0,
    send: () => {},
    queuedBytes: () => queuedBytes,
    progressTick: () => progressTick,
  };
  const reactor = {
    ...{ arena, outbox, tick: 1, slots: {} },
    dial: (_host: string, _port: number, _source: string, events: SocketEvents) => {
      owner = events;
      return SLOT;
    },
    ...{ setDeadline: () => {}, close: () => {}, pause: () => {}, resume: () => {} },
  };
  const nothing = () => undefined;
  const greeting = { gateway: "g", hub: "h", nonce: "n", signingKeys: [], frameBytesMax: 1000 };
  const address = { host: "192.0.2.1", port: 7 };
  const options = { id: 1, seed: 1, address, connectTimeoutMs: 1000, greeting };
  const events = { welcomed: nothing, frame: nothing, leaving: nothing, second: nothing };
  const link = new Link(
    { ...options, reactor: reactor as unknown as LinkReactor },
    { ...events, read: nothing, lost: (_link, cause) => lost.push(cause) },
  );
  const send = (frame: ServiceFrame) => {
    const writer = new FrameWriter();
    writeFrame(writer, frame);
    const bytes = writer.take();
    arena.set(bytes);
    owner?.received(SLOT, 0, bytes.length);
  };
  const seconds = (count: number, between = nothing as () => void) => {
    for (let second = 0; second < count; second += 1) {
      reactor.tick += 1000 / TICK_MS;
      between();
      owner?.expired(SLOT);
    }
  };
  owner?.connected?.(SLOT);
  send({ type: WELCOME, version: 1, eventsMax: 1, bytesMax: 1, frameBytesMax: 1000 });
  return {
    ...{ link, lost, send, seconds },
    pong: () => send({ type: PONG, token: 1 }),
    queue(bytes: number) {
      queuedBytes = bytes;
      progressTick = reactor.tick;
    },
  };
}

test("a link that was just welcomed has not stood still since the beginning of time", () => {
  const beforeMs = performance.now();
  const { link } = linked();
  assert.ok(link.progressMs >= beforeMs);
});

describe("a link is given up", () => {
  test("when nothing came for 10 s", () => {
    const { lost, seconds } = linked();
    seconds(10);
    assert.deepEqual(lost, []);
    seconds(1);
    assert.deepEqual(lost, ["nothing came for 10 s"]);
  });

  test("but not for silence while it is not read", () => {
    const { link, lost, seconds } = linked();
    link.socket.pause();
    seconds(60);
    link.socket.resume();
    seconds(10);
    assert.deepEqual(lost, []);
    seconds(1);
    assert.equal(lost.length, 1);
  });

  test("when what waits for it was not taken for 10 s, whatever comes of it", () => {
    const { lost, pong, queue, seconds } = linked();
    queue(100);
    seconds(8, pong);
    queue(50);
    seconds(10, pong);
    assert.deepEqual(lost, []);
    seconds(1, pong);
    assert.deepEqual(lost, ["it took nothing for 10 s"]);
  });

  test("when 16 MiB of results wait for it, and not for events that do", () => {
    const { link, lost, queue } = linked();
    const error = "x".repeat(1 << 15);
    const results = (count: number) => {
      const result = { request: 1, status: RESULT_DONE, matched: 1, dropped: 0, error };
      for (let sent = 0; sent < count; sent += 1) link.sendResult(result);
    };
    queue(1 << 30);
    results(500);
    queue(0);
    results(600);
    queue(1 << 20);
    results(600);
    assert.deepEqual(lost, []);
    queue(17 << 20);
    results(1);
    assert.deepEqual(lost, [`it does not read: ${17 << 20} bytes wait for it`]);
  });
});
