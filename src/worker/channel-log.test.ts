import assert from "node:assert/strict";
import { test } from "node:test";
import { createChannelLog } from "./channel-log.ts";

interface Record {
  level: string;
  fields: object;
  sentence: string;
}

function recording(): { records: Record[]; written: (() => void)[]; send: never } {
  const records: Record[] = [];
  const written: (() => void)[] = [];
  const send = (record: Record, whenWritten: () => void): void => {
    records.push(record);
    written.push(whenWritten);
  };
  return { records, written, send: send as never };
}

test("records below the level never reach the channel", () => {
  const { records, send } = recording();
  const log = createChannelLog("warn", send);
  log.debug({}, "debug");
  log.info({}, "info");
  log.warn({ hub: "chat" }, "warn");
  log.error({}, "error");
  assert.deepEqual(
    records.map(({ level, sentence }) => [level, sentence]),
    [
      ["warn", "warn"],
      ["error", "error"],
    ],
  );
});

test("an error among the fields keeps its code, its stack and its cause", () => {
  const { records, send } = recording();
  const cause = new RangeError("deeper");
  const error = Object.assign(new Error("broken", { cause }), { code: "ECONNRESET" });
  createChannelLog("info", send).error({ hub: "chat", error }, "failed");
  assert.deepEqual(structuredClone(records[0]?.fields), {
    hub: "chat",
    error: {
      type: "Error",
      code: "ECONNRESET",
      message: "broken",
      stack: error.stack,
      cause: { type: "RangeError", message: "deeper", stack: cause.stack },
    },
  });
});

test("records that the channel does not take are dropped, and their number is logged", () => {
  const { records, written, send } = recording();
  const log = createChannelLog("info", send);
  for (let number = 0; number < 1500; number++) log.info({ number }, "flood");
  assert.equal(records.length, 1000);
  for (const whenWritten of written.splice(0)) whenWritten();
  assert.equal(records.length, 1001);
  assert.deepEqual(records[1000]?.fields, { recordsDropped: 500 });
  log.info({}, "goes again");
  assert.equal(records[1001]?.sentence, "goes again");
});
