import assert from "node:assert/strict";
import { test } from "node:test";
import { editDistance, nearest } from "./nearest.ts";

test("an edit is a letter put in, left out, replaced, or swapped with its neighbour", () => {
  assert.equal(editDistance("service", "service"), 0);
  assert.equal(editDistance("servce", "service"), 1);
  assert.equal(editDistance("serrvice", "service"), 1);
  assert.equal(editDistance("servize", "service"), 1);
  assert.equal(editDistance("sevrice", "service"), 1);
  assert.equal(editDistance("", "abc"), 3);
  assert.equal(editDistance("abc", ""), 3);
  assert.equal(editDistance("kitten", "sitting"), 3);
});

test("the nearest word is found, and the first of two that are as near", () => {
  assert.equal(nearest("servce", ["paths", "service", "serve"]), "service");
  assert.equal(nearest("serv", ["serve", "servo"]), "serve");
});

test("case, hyphens and underscores are no edits", () => {
  assert.equal(nearest("IDLE-TIMEOUT_MS", ["holdTimeoutMs", "idleTimeoutMs"]), "idleTimeoutMs");
});

test("a word that is another word has no nearest", () => {
  assert.equal(nearest("database", ["service", "paths", "batch"]), undefined);
  assert.equal(nearest("x", ["yz"]), undefined);
  assert.equal(nearest("", ["service"]), undefined);
  assert.equal(nearest("service", []), undefined);
});
