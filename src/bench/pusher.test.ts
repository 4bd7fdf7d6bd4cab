import assert from "node:assert/strict";
import { test } from "node:test";
import { HeadgateError } from "../core/error.ts";
import { decodePush, monotonicOffsetMs, pushesMax } from "./push-payload.ts";
import { Pusher, type PusherOptions } from "./pusher.ts";

const sharedNowMs = () => performance.now() + monotonicOffsetMs;

function pusherWith(options: Partial<PusherOptions>): Pusher {
  return new Pusher({
    ...{ payloadBytes: 32, timeoutMs: 5000, ratePerSecond: undefined, processes: 1 },
    ...{ rest: undefined, send: () => {} },
    ...options,
  });
}

test("one push follows the other as soon as all processes have delivered it", async () => {
  const numbers: number[] = [];
  const pusher = pusherWith({
    processes: 2,
    send: (number, sentAtMs) => {
      assert.equal(sentAtMs, undefined);
      numbers.push(number);
      const sent = sharedNowMs();
      const delivered = { number, sentAtMs: sent };
      pusher.delivered({ ...delivered, lastAtMs: sent + 40 });
      setImmediate(() => {
        assert.equal(numbers.at(-1), number, "the next waits for the last process");
        pusher.delivered({ ...delivered, lastAtMs: sent + 7 });
        if (number === 20) pusher.stop();
      });
    },
  });
  await pusher.run(performance.now(), performance.now() + 10_000);
  assert.deepEqual(
    numbers,
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
  const { count, p50Ms } = pusher.spans.summary();
  assert.equal(count, 20);
  assert.ok(Math.abs(p50Ms - 40) < 0.1, "the last of all processes counts");
  assert.equal(pusher.late, 0);
});

test("over REST a payload says when it was pushed, and none overtakes another", async () => {
  const numbers: number[] = [];
  let underWay = 0;
  const pusher = pusherWith({
    ratePerSecond: 2000,
    rest: async (payload) => {
      underWay += 1;
      assert.equal(underWay, 1);
      const stamp = decodePush(payload, 32);
      assert.ok(stamp !== undefined && stamp.sentAtMs <= sharedNowMs());
      numbers.push(stamp.number);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      pusher.delivered({ ...stamp, lastAtMs: sharedNowMs() });
    },
  });
  const startMs = performance.now();
  await pusher.run(startMs, startMs + 25);
  assert.deepEqual(
    numbers,
    Array.from({ length: 50 }, (_, index) => index + 1),
  );
  assert.equal(pusher.pushes, 50);
});

test("a push that nobody delivers in time is late, and the next goes on", async () => {
  const pusher = pusherWith({
    timeoutMs: 5,
    send: (number) => {
      if (number === 3) pusher.stop();
    },
  });
  await pusher.run(performance.now(), performance.now() + 10_000);
  assert.equal(pusher.pushes, 3);
  assert.equal(pusher.late, 2);
});

test("a push that is refused behind others ends the run, and those before it count", async () => {
  for (const ratePerSecond of [undefined, 1000]) {
    const pusher = pusherWith({
      ratePerSecond,
      rest: async (payload) => {
        const stamp = decodePush(payload, 32);
        assert.ok(stamp !== undefined);
        if (stamp.number === 4) throw new HeadgateError("HG_ADMIN_REFUSED", "too many");
        pusher.delivered({ ...stamp, lastAtMs: sharedNowMs() });
      },
    });
    await pusher.run(performance.now(), performance.now() + 10_000);
    assert.equal(pusher.refusal?.message, "too many");
    assert.deepEqual([pusher.pushes, pusher.late, pusher.spans.summary().count], [3, 0, 3]);
  }
});

test("a first push that is refused is the end, with the reason", async () => {
  for (const ratePerSecond of [undefined, 1000]) {
    const pusher = pusherWith({
      ratePerSecond,
      rest: async () => {
        throw new HeadgateError("HG_ADMIN_REFUSED", "no such hub");
      },
    });
    const run = pusher.run(performance.now(), performance.now() + 10_000);
    await assert.rejects(run, { code: "HG_ADMIN_REFUSED" });
  }
});

test("at a rate a bounded number is under way, and the rest is told as never made", async () => {
  const payloadBytes = 8 << 20;
  const max = pushesMax(payloadBytes);
  let calls = 0;
  const pusher = pusherWith({
    ...{ payloadBytes, ratePerSecond: 1_000_000, timeoutMs: 60 },
    send: () => {
      calls += 1;
    },
  });
  const startMs = performance.now();
  await pusher.run(startMs, startMs + 30);
  assert.ok(max > 1 && max < 100);
  // Those that are given up make room once, in the time that the last ones are waited for.
  assert.ok(calls === pusher.pushes && calls >= max && calls <= 2 * max, `${calls} of ${max}`);
  assert.equal(pusher.late, calls);
  assert.equal(pusher.pushes + pusher.unsent, 30_000);
});

test("at a rate a push that waits for room keeps the time that it was due", async () => {
  const sentAtMs: number[] = [];
  const pusher = pusherWith({
    ...{ payloadBytes: 64 << 20, ratePerSecond: 500 },
    send: (number, atMs = 0) => {
      sentAtMs.push(atMs);
      setImmediate(() => pusher.delivered({ number, sentAtMs: atMs, lastAtMs: sharedNowMs() }));
    },
  });
  const startMs = performance.now();
  await pusher.run(startMs, startMs + 20);
  const dueMs = sentAtMs.map((atMs) => Math.round(atMs - monotonicOffsetMs - startMs) + 0);
  assert.deepEqual(dueMs, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
  assert.equal(pushesMax(64 << 20), 1);
  assert.deepEqual([pusher.pushes, pusher.late, pusher.unsent], [10, 0, 0]);
});

test("small pushes have a bound of their own, and large ones room for one", () => {
  assert.equal(pushesMax(32), 1000);
  assert.equal(pushesMax(1 << 30), 1);
});

test("at a rate a push that is still under way at the end of all patience is late", async () => {
  const startMs = performance.now();
  const pusher = pusherWith({
    // One at a time; the second leaves when the first is delivered, and has no timeout left.
    ...{ payloadBytes: 64 << 20, ratePerSecond: 200, timeoutMs: 500 },
    send: (number, sentAtMs = 0) => {
      const delivered = { number, sentAtMs, lastAtMs: sharedNowMs() };
      if (number === 1) setTimeout(() => pusher.delivered(delivered), 20);
    },
  });
  await pusher.run(startMs, startMs + 10);
  assert.deepEqual([pusher.pushes, pusher.late, pusher.unsent], [2, 1, 0]);
});
