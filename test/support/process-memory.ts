/** Resident memory of another process as the kernel counts it, page by page. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const INTERVAL_MS = 100;
const TIMEOUT_MS = 6000;
/** Quiet for so many looks in a row. */
const LOOKS = 5;

/** All that is in memory, shared libraries too; unlike statm, it is exact at any moment. */
export function residentBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const match = /^Rss:\s+(\d+) kB$/m.exec(text);
  if (match === null) throw new Error(`no Rss in /proc/${pid}/smaps_rollup`);
  return Number(match[1]) * 1024;
}

/** What it is once it has not moved by `noiseBytes` for so many looks, or after 6 s. */
export async function settledResidentBytes(
  pid: number,
  noiseBytes = 64 << 10,
  looks = LOOKS,
): Promise<number> {
  const deadlineMs = performance.now() + TIMEOUT_MS;
  let last = residentBytes(pid);
  for (let quiet = 0; quiet < looks && performance.now() < deadlineMs; ) {
    await delay(INTERVAL_MS);
    const now = residentBytes(pid);
    if (Math.abs(now - last) <= noiseBytes) quiet += 1;
    else {
      quiet = 0;
      last = now;
    }
  }
  return residentBytes(pid);
}
