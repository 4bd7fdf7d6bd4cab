/**
 * CPU time from a /proc that a test made, and from the real one. How exact the kernel's own
 * figures are is not tested.
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { makeTemporaryFolder } from "../../test/support/temporary-folder.ts";
import { readCpuTime } from "./server-cpu.ts";

/** A name that holds what the fields around it do. */
function stat(userTicks: number, systemTicks: number): string {
  return `7 (a) R 1 (b) S ${"0 ".repeat(10)}${userTicks} ${systemTicks} 0 0\n`;
}

/** Of process 7, whose threads have run for so many nanoseconds. */
function procWith(userTicks: number, systemTicks: number, threads: number[]): string {
  const root = makeTemporaryFolder();
  mkdirSync(join(root, "7/task"), { recursive: true });
  writeFileSync(join(root, "7/stat"), stat(userTicks, systemTicks));
  for (const [index, nanoseconds] of threads.entries()) {
    const folder = join(root, `7/task/${7 + index}`);
    mkdirSync(folder);
    writeFileSync(join(folder, "schedstat"), `${nanoseconds} 123 45\n`);
  }
  return root;
}

function seconds(root: string, pids = [7]): number {
  const time = readCpuTime(pids, root);
  assert.ok(time !== undefined);
  return time.userSeconds + time.systemSeconds;
}

test("the sum is that of the threads in nanoseconds, and user time that of the ticks", () => {
  const root = procWith(3, 4, [50_123_456, 25_000_000]);
  assert.equal(readCpuTime([7], root)?.userSeconds, 0.03);
  assert.ok(Math.abs(seconds(root) - 0.075_123_456) < 1e-12);
  assert.ok(Math.abs(seconds(root, [7, 7]) - 2 * 0.075_123_456) < 1e-12);
});

test("what threads used that have ended is told in ticks, and not lost", () => {
  assert.equal(seconds(procWith(30, 40, [50_123_456])), 0.7);
});

test("a kernel without schedstat tells ticks", () => {
  assert.equal(seconds(procWith(30, 40, [])), 0.7);
});

test("a process that is not there has no time", () => {
  assert.equal(readCpuTime([7, 8], procWith(1, 1, [])), undefined);
});

test("a thread of this process that worked and ended is in its time", async () => {
  const before = readCpuTime([process.pid]);
  const worker = new Worker(
    "let x = 0; for (const end = Date.now() + 80; Date.now() < end; ) x += Math.sqrt(x);",
    { eval: true },
  );
  const own = process.cpuUsage();
  await new Promise((resolve) => worker.once("exit", resolve));
  const { user, system } = process.cpuUsage(own);
  const after = readCpuTime([process.pid]);
  assert.ok(before !== undefined && after !== undefined);
  const usedMs =
    1000 * (after.userSeconds - before.userSeconds + after.systemSeconds - before.systemSeconds);
  // Two ticks of each of user and system time, and what ran while it was read.
  assert.ok(usedMs > (user + system) / 1000 - 40, `${usedMs} of ${(user + system) / 1000}`);
});
