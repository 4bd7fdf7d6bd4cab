import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeTemporaryFolder } from "../../test/support/temporary-folder.ts";
import { createLogOn, openDescriptor } from "./log.ts";

function logged(write: (log: ReturnType<typeof createLogOn>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  write(createLogOn("info", { write: (line) => void lines.push(line) }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("a record is one line of JSON with its level by name and its time for people", () => {
  const [line] = logged((log) => log.warn({ worker: 1 }, "full"));
  assert.match(String(line?.time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  delete line?.time;
  assert.deepEqual(line, { level: "warn", worker: 1, msg: "full" });
});

test("what is below the level is not written", () => {
  const lines = logged((log) => {
    log.debug({}, "no");
    log.error({}, "yes");
  });
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ["yes"],
  );
});

test("an error is written with its message, its stack and its code", () => {
  const error = Object.assign(new Error("broken"), { code: "HG_BROKEN" });
  const [line] = logged((log) => log.error({ error }, "failed"));
  const { stack } = error;
  assert.deepEqual(line?.error, { type: "Error", message: "broken", stack, code: "HG_BROKEN" });
});

test("a line that cannot be written ends nothing, and is not in the way of the next", () => {
  const full = openSync("/dev/full", "w");
  const log = createLogOn("info", openDescriptor(full));
  log.info({}, "lost");
  // The same descriptor, as if somebody had made room.
  closeSync(full);
  const file = join(makeTemporaryFolder(), "log");
  assert.equal(openSync(file, "w"), full);
  log.info({}, "seen");
  closeSync(full);
  const { msg } = JSON.parse(readFileSync(file, "utf8")) as { msg: string };
  assert.equal(msg, "seen");
});
