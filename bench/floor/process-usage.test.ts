import assert from "node:assert/strict";
import { test } from "node:test";
import { availableBytes, cpuTime, freeBytes } from "./process-usage.ts";

test("CPU time is what the process itself is told, but for the last ticks", () => {
  const before = cpuTime([process.pid]);
  const own = process.cpuUsage();
  let work = 0;
  while (process.cpuUsage(own).user + process.cpuUsage(own).system < 150_000)
    work += Math.sqrt(work);
  const { user, system } = process.cpuUsage(own);
  const after = cpuTime([process.pid]);
  const userSeconds = after.userSeconds - before.userSeconds;
  const seconds = userSeconds + after.systemSeconds - before.systemSeconds;
  const differenceMs = Math.abs(seconds * 1e3 - (user + system) / 1e3);
  // What runs just now is told up to the kernel's last tick.
  assert.ok(differenceMs < 30, `${differenceMs} of ${work}`);
});

test("processes are added up, and one that is gone is no zero", () => {
  const once = cpuTime([process.pid]);
  const twice = cpuTime([process.pid, process.pid]);
  const sum = ({ userSeconds, systemSeconds }: typeof once) => userSeconds + systemSeconds;
  assert.ok(sum(twice) >= 2 * sum(once));
  assert.throws(() => cpuTime([2 ** 22 + 1]), /not all of the processes 4194305 run/);
});

test("free and available memory are told in bytes", () => {
  assert.ok(freeBytes() > 0);
  assert.ok(availableBytes() > 1e6);
});
