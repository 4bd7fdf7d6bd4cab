import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runAndListPackages } from "../../test/support/run-node.ts";

test("a worker loads no package before a hub's service needs one", async () => {
  const main = fileURLToPath(new URL("./main.js", import.meta.url));
  // Without a supervisor it has nothing to wait for, and ends when it is loaded.
  const { code, stderr, packages } = await runAndListPackages([main]);
  assert.deepEqual(packages, []);
  assert.equal(stderr, "");
  assert.equal(code, 0);
});
