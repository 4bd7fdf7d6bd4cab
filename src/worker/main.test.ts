import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** A module hook that names every package from which something is imported. */
const hooks = `export async function resolve(name, context, next) {
  const result = await next(name, context);
  const [, file] = /node_modules\\/(.*)$/.exec(result.url) ?? [];
  if (file !== undefined) process._rawDebug("loads " + file.split("/")[0]);
  return result;
}`;
const register = `import { register } from "node:module";
register("data:text/javascript,${encodeURIComponent(hooks)}");`;

test("a worker loads no package before a hub's service needs one", async () => {
  const main = fileURLToPath(new URL("./main.js", import.meta.url));
  const hooked = `data:text/javascript,${encodeURIComponent(register)}`;
  // Without a supervisor it has nothing to wait for, and ends when it is loaded.
  const child = spawn(process.execPath, ["--import", hooked, main]);
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, "close")]);
  assert.equal(stderr, "");
  assert.equal(code, 0);
});
