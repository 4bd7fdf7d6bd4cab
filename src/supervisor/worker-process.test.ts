import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { StartMessage } from "../bus/worker-messages.ts";
import { type WorkerEnd, WorkerProcess } from "./worker-process.ts";

test("a worker's process is one that can collect its garbage", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "headgate-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "worker.cjs");
  const script = `process.once("message", () => {
    process.send(typeof gc, () => process.disconnect());
  });`;
  writeFileSync(path, script);
  const messages: unknown[] = [];
  const end = await new Promise<WorkerEnd>((ended) => {
    const start = { type: "start", nonce: "nonce" } as StartMessage;
    const received = (message: unknown) => messages.push(message);
    new WorkerProcess({ path, descriptors: [], start, received, ended });
  });
  assert.deepEqual(end, { code: 0, signal: null, refused: undefined });
  assert.deepEqual(messages, ["function"]);
});
