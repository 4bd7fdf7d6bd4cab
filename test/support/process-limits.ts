/**
 * What the kernel says of a running process: its descriptors, their limit, which is changed here
 * from outside, and the processor time it has had. Linux only, as the gateway is.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** In ascending order. */
export function descriptorsOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/fd`)
    .map(Number)
    .sort((a, b) => a - b);
}

/** The soft limit: a new descriptor has to be below it, and those that are open stay. */
export function limitDescriptors(pid: number, count: number): void {
  const args = ["--pid", String(pid), `--nofile=${count}:`];
  const { status, stderr, error } = spawnSync("prlimit", args, { encoding: "utf8" });
  assert.equal(status, 0, `prlimit (of util-linux) failed: ${error?.message ?? stderr}`);
}

/** Leaves so many descriptors free; what it had before comes back by `limitDescriptors`. */
export function leaveDescriptors(pid: number, free: number): void {
  const open = descriptorsOf(pid);
  let limit = 0;
  for (let left = free; left >= 0; limit += 1) if (!open.includes(limit)) left -= 1;
  limitDescriptors(pid, limit - 1);
}

/** In user and in system mode together. */
export function processorMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name, in parentheses, may hold anything; the first field behind it is the third.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const TICKS_PER_SECOND = 100;
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}
