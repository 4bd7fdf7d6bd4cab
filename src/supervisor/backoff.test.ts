import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "./backoff.ts";

const options = { restartDelayMs: 100, restartDelayMsMax: 10_000, steadyAfterMs: 60_000 };

test("each restart waits twice as long as the one before, up to the maximum", () => {
  const backoff = new Backoff(options);
  const delays = Array.from({ length: 10 }, () => backoff.next(5));
  assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
});

test("a worker that lived for a minute restarts as quickly as the first time", () => {
  const backoff = new Backoff(options);
  backoff.next(0);
  backoff.next(0);
  assert.equal(backoff.next(59_999), 400);
  assert.equal(backoff.next(60_000), 100);
  assert.equal(backoff.next(0), 200);
});
