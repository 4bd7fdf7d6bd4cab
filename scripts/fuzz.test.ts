import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runNode } from "../test/support/run-node.ts";

const command = fileURLToPath(new URL("./fuzz.js", import.meta.url));

test("a run says its seed and what it has done, and ends with 0 when all is well", async () => {
  const options = [
    "--target",
    "paths",
    "--target",
    "deflate-offers",
    "--runs",
    "20",
    "--seed",
    "3",
  ];
  const { code, stdout, stderr } = await runNode([command, ...options]);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  assert.match(stdout, /^seed 3: 2 targets/);
  assert.match(stdout, /^paths: 20 cases in /m);
  assert.match(stdout, /^deflate-offers: 20 cases in /m);
  assert.match(stdout, /nothing was found\n$/);
});

test("a target that there is not and a number that is none are told", async () => {
  for (const options of [
    ["--target", "nothing"],
    ["--seed", "x"],
    ["--runs", "-1"],
  ]) {
    const { code, stderr } = await runNode([command, ...options]);
    assert.notEqual(code, 0);
    assert.notEqual(stderr, "");
  }
});
