import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../core/log.ts";
import { ConnectionLog } from "./connection-log.ts";

test("a debug line is written for each hundred connections more or fewer", (t) => {
  const lines: object[] = [];
  let total = 0;
  const log = { ...silentLog, debug: (fields: object) => void lines.push(fields) };
  const connectionLog = new ConnectionLog(log, 60_000, () => total);
  t.after(() => connectionLog.stop());
  const say = (connections: number): void => {
    total = connections;
    connectionLog.changed();
  };
  for (const connections of [1, 99, 100, 150, 99, 101, 199, 230, 700, 650, 601, 600, 0]) {
    say(connections);
  }
  assert.deepEqual(
    lines,
    [100, 230, 700, 600, 0].map((connections) => ({ connections })),
  );
});

test("the total is written at info level at every interval, also when nothing changed", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const sentences: string[] = [];
  const log = {
    ...silentLog,
    info: (_: object, sentence: string) => void sentences.push(sentence),
  };
  const connectionLog = new ConnectionLog(log, 60_000, () => 7);
  t.mock.timers.tick(59_999);
  assert.deepEqual(sentences, []);
  t.mock.timers.tick(60_001);
  assert.deepEqual(sentences, ["7 connections", "7 connections"]);
  connectionLog.stop();
  t.mock.timers.tick(60_000);
  assert.equal(sentences.length, 2);
});
