import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { until } from "../../test/support/until.ts";
import { loadBinding } from "./binding.ts";

const MIB = 1 << 20;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Leaves behind what nobody refers to any more. */
function litter(blocks: number, bytes: number): void {
  const filled = Array.from({ length: blocks }, () => new Uint8Array(bytes).fill(1));
  assert.equal(filled.length, blocks);
}

// By default one large block that was freed has glibc keep twice its size for ever.
test("a trim gives freed memory back to the system, however large blocks once were", async () => {
  const binding = loadBinding();
  binding.trimMemory();
  const first = process.memoryUsage.rss();
  litter(2, 24 * MIB);
  await until(() => {
    collect();
    binding.trimMemory();
    return process.memoryUsage.rss() < first + 8 * MIB;
  });
  const before = process.memoryUsage.rss();
  litter(60, MIB / 4);
  assert.ok(process.memoryUsage.rss() > before + 8 * MIB, "it was in memory");
  await until(() => {
    collect();
    binding.trimMemory();
    return process.memoryUsage.rss() < before + 4 * MIB;
  }, "it is in memory no more");
});
