import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberState } from "./member.ts";
import { openMembers } from "./open-members.ts";

const member = (state: MemberState, full = false): { state: MemberState; full: boolean } => {
  return { state, full };
};

test("new connections go to the workers that are ready", () => {
  const members = [member("ready"), member("starting"), member("waiting"), member("ready")];
  assert.deepEqual(openMembers(members), [0, 3]);
});

test("a full worker is left out while another has room", () => {
  assert.deepEqual(openMembers([member("ready", true), member("ready")]), [1]);
});

test("when all that are ready are full, they refuse for themselves", () => {
  const members = [member("ready", true), member("waiting"), member("ready", true)];
  assert.deepEqual(openMembers(members), [0, 2]);
});

test("when no worker is ready, clients wait in every queue", () => {
  assert.deepEqual(openMembers([member("starting"), member("waiting")]), [0, 1]);
});
