import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordingLog } from "../../../test/support/recording-log.ts";
import { Agenda } from "./agenda.ts";
import { QuietLog } from "./quiet-log.ts";

test("the first of a kind is logged at once, the rest of its second as one line", () => {
  const log = new RecordingLog();
  const agenda = new Agenda();
  const quiet = new QuietLog(log, agenda);
  for (let index = 1; index <= 5; index += 1) quiet.say("warn", { index }, "it happened");
  quiet.say("error", {}, "something else");
  assert.deepEqual(log.lines, [
    { level: "warn", fields: { index: 1, count: 1 }, sentence: "it happened" },
    { level: "error", fields: { count: 1 }, sentence: "something else" },
  ]);
  quiet.flush();
  assert.deepEqual(log.lines.slice(2), [
    { level: "warn", fields: { index: 5, count: 4 }, sentence: "it happened" },
  ]);
  agenda.clear();
});
