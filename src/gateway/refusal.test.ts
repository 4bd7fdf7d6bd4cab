import assert from "node:assert/strict";
import { test } from "node:test";
import * as malformed from "../websocket/refusal.ts";
import * as ours from "./refusal.ts";

type Refusal = Parameters<typeof ours.refusalReason>[0];

function refusalsOf(module: object): Refusal[] {
  return Object.values(module).filter((each): each is Refusal => Object(each).status >= 400);
}

test("every refusal has a reason that is counted from the beginning", () => {
  const named = refusalsOf(ours);
  const byStatus = refusalsOf(malformed);
  assert.ok(named.length >= 8 && byStatus.length >= 20);
  const reasons = new Set([...named, ...byStatus].map(ours.refusalReason));
  const others = [ours.CLIENT_GONE, ours.SERVICE_REFUSED, ours.SERVICE_UNAVAILABLE];
  assert.deepEqual([...ours.refusalReasons].sort(), [...reasons, ...others].sort());
});

test("what the gateway refuses is told by a name, what is malformed by its status", () => {
  assert.equal(ours.refusalReason(ours.TOO_MANY_CONNECTIONS), "too-many-connections");
  assert.equal(ours.refusalReason(malformed.HEAD_TOO_BIG), "431");
});

test("no two of the gateway's refusals have the same name", () => {
  const names = refusalsOf(ours).map(ours.refusalReason);
  assert.equal(new Set(names).size, names.length);
});
