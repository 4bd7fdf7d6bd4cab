import assert from "node:assert/strict";
import { test } from "node:test";
import { TryLater } from "./fault.ts";

test("TryLater asks for whole milliseconds, and for no more than a timer can wait", () => {
  const told = [0, 1.2, -1, Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 31 - 1];
  const asked = told.map((retryAfterMs) => new TryLater(retryAfterMs).retryAfterMs);
  assert.deepEqual(asked, [0, 2, 0, 2_147_483_647, 2_147_483_647, 2_147_483_647]);
});
