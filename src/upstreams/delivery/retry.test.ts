import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs, readRetryAfterMs, spreadMs } from "./retry.ts";

test("a spread delay doubles with each attempt up to its cap, and may be anything below", () => {
  const longest = [0, 1, 2, 3, 10, 1e9].map((attempt) => spreadMs(attempt, 100, 5000, 1));
  assert.deepEqual(longest, [100, 200, 400, 800, 5000, 5000]);
  assert.equal(spreadMs(3, 100, 5000, 0), 0);
});

test("a probe's delay is never less than half of what it may be", () => {
  assert.equal(backoffMs(0, 100, 2000, 0), 50);
  assert.equal(backoffMs(0, 100, 2000, 1), 100);
  assert.equal(backoffMs(20, 100, 2000, 1), 2000);
});

test("Retry-After is read as seconds or as a date", () => {
  const now = Date.parse("Wed, 21 Oct 2015 07:28:00 GMT");
  assert.equal(readRetryAfterMs("120", now), 120_000);
  assert.equal(readRetryAfterMs(" 0 ", now), 0);
  assert.equal(readRetryAfterMs("9999999999", now), 9_999_999_999_000);
  assert.equal(readRetryAfterMs("9".repeat(400), now), Number.POSITIVE_INFINITY);
  assert.equal(readRetryAfterMs("Wed, 21 Oct 2015 07:28:30 GMT", now), 30_000);
  assert.equal(readRetryAfterMs("Wed, 21 Oct 2015 07:27:30 GMT", now), 0);
});

test("Retry-After is read in each form of a date, in whatever zone the gateway is", (context) => {
  const zone = process.env.TZ;
  context.after(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });
  process.env.TZ = "America/New_York";
  const now = Date.UTC(1994, 10, 6, 8, 49, 35);
  for (const date of ["Sun, 06 Nov 1994", "Sunday, 06-Nov-94"]) {
    assert.equal(readRetryAfterMs(`${date} 08:49:37 GMT`, now), 2000);
  }
  assert.equal(readRetryAfterMs("Sun Nov  6 08:49:37 1994", now), 2000);
});

test("a Retry-After that is neither is left aside", () => {
  for (const header of [undefined, "", "-1", "1.5", "soon", "5 seconds", ["1", "2"]]) {
    assert.equal(readRetryAfterMs(header, 0), undefined);
  }
});
