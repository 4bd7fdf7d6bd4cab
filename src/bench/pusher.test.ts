import assert from "node:assert/strict";
import { test } from "node:test";
import { HeadgateError } from "../core/error.ts";
import { decodePush, monotonicOffsetMs } from "./push-payload.ts";
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

test("a push that is refused is the end, with the reason", async () => {
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
