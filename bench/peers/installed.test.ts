/** How peers are named in reports; that they run is found out by each run itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeTemporaryFolder } from "../../test/support/temporary-folder.ts";
import { describeUWebSockets } from "./installed.ts";

test("uWebSockets.js is named by its package and by the commit of the project", () => {
  const folder = makeTemporaryFolder({
    "package.json": '{ "version": "3.0.6" }',
    source_commit: "0123456789abcdef0123456789abcdef01234567\n",
  });
  const named = "(npm `uwebsockets` 3.0.6: the project's binaries of commit 0123456789ab)";
  assert.equal(describeUWebSockets(folder), named);
});
