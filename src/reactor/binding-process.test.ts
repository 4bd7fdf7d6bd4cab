/**
 * What becomes of a process or a thread whose wake-up throws, whose poller is stopped in odd
 * moments, or whose addon is not there.
 */
import assert from "node:assert/strict";
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runNode } from "../../test/support/run-node.ts";
import { makeTemporaryFolder } from "../../test/support/temporary-folder.ts";
import type { HeadgateError } from "../core/error.ts";
import type * as seam from "./binding.ts";

const bindingUrl = new URL("./binding.js", import.meta.url).href;

/** What the programs of child processes and threads begin with: a poller that has a client. */
const PRELUDE = `
  import { connect } from "node:net";
  import { parentPort, Worker } from "node:worker_threads";
  import { loadBinding } from ${JSON.stringify(bindingUrl)};
  const binding = loadBinding();
  function start(wake) {
    const slots = 4, int32 = (count) => new Int32Array(count);
    const poller = binding.create({ slots, arena: new Uint8Array(65536), inputStart: 0,
      inputEnd: 65536, eventsMax: 4, acceptsMax: 4, turnBytes: 4096, readBytesMin: 1024,
      readBytesMax: 4096, batch: int32(48), generations: new Uint32Array(slots),
      entries: int32(3), heads: int32(slots), flushing: int32(slots), short: int32(8),
      unmasking: int32(5) });
    const listener = binding.listen({ address: "127.0.0.1", port: 0, backlog: 4,
      userTimeoutMs: 0 });
    poller.adopt(listener);
    poller.start(wake);
    connect(binding.listenPort(listener), "127.0.0.1").on("error", () => {});
    return poller;
  }`;

function runProcess(body: string): Promise<{ code: number | null; stderr: string }> {
  return runNode(["--expose-gc", "--input-type=module", "-e", `${PRELUDE}\n${body}`]);
}

test("an exception in wake ends the process with its stack on stderr", async () => {
  const { code, stderr } = await runProcess(`
    start(function wakeWithABug() { throw new TypeError("a bug in a turn"); });`);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /TypeError: a bug in a turn\n {4}at wakeWithABug/);
});

test("a rejected promise that wake leaves behind ends the process as well", async () => {
  const { code, stderr } = await runProcess(`
    start(async () => { await null; throw new TypeError("a bug behind a turn"); });`);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /TypeError: a bug behind a turn/);
});

test("where uncaught exceptions are caught, wake is called again after one", async () => {
  const { code, stderr } = await runProcess(`
    let calls = 0;
    process.on("uncaughtException", () => {});
    start(() => { if (++calls === 3) process.exit(7); throw new Error(); });`);
  assert.equal(code, 7, stderr);
});

test("microtasks that wake leaves behind run before the next wake-up", async () => {
  const { code, stderr } = await runProcess(`
    let ran = true;
    let calls = 0;
    start(() => {
      if (!ran || ++calls === 3) process.exit(ran ? 7 : 1);
      ran = false;
      Promise.resolve().then(() => { ran = true; });
    });`);
  assert.equal(code, 7, stderr);
});

test("a poller may be stopped by its own wake, and be collected after that", async () => {
  const { code, stderr } = await runProcess(`
    for (let round = 0; round < 20; round++) {
      await new Promise((resolve) => {
        const poller = start(() => { poller.stop(); resolve(); });
      });
      gc();
      await new Promise(setImmediate);
    }
    process.exitCode = 7;`);
  assert.equal(code, 7, stderr);
});

test("a thread that ends takes its running poller with it", async () => {
  const { code, stderr } = await runProcess(`
    const source = ${JSON.stringify(`${PRELUDE}\nstart(() => parentPort.postMessage("awake"));`)};
    for (let round = 0; round < 3; round++) {
      const worker = new Worker(source, { eval: true });
      await new Promise((resolve) => worker.once("message", resolve));
      await worker.terminate();
    }
    process.exitCode = 7;`);
  assert.equal(code, 7, stderr);
});

test("an addon that is not there is a HeadgateError that says how to build it", async () => {
  const folder = makeTemporaryFolder({ "package.json": '{"type":"module"}' });
  const source = fileURLToPath(new URL("..", import.meta.url));
  const target = join(folder, "dist/src");
  for (const file of ["reactor/binding.js", "core/error.js"]) {
    await mkdir(join(target, file, ".."), { recursive: true });
    await cp(join(source, file), join(target, file));
  }
  const copy = (await import(join(target, "reactor/binding.js"))) as typeof seam;
  assert.throws(
    () => copy.loadBinding(),
    (error: HeadgateError) =>
      error.code === "HG_ADDON_MISSING" && /run build:addon/.test(error.message),
  );
});
