import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordingLog } from "../../../test/support/recording-log.ts";
import { nowMs } from "./agenda.ts";
import { Health } from "./health.ts";

function make() {
  const log = new RecordingLog();
  const changes: boolean[] = [];
  const health: Health = new Health(
    log,
    { hub: "chat" },
    () => 0.5,
    () => {
      changes.push(health.down);
    },
  );
  return { health, log, changes };
}

test("only a connection that does not come about makes the service down", () => {
  const { health, changes } = make();
  health.failed(false, true, "broken off");
  assert.equal(health.down, false);
  health.failed(false, false, "ECONNREFUSED");
  assert.equal(health.down, true);
  health.answered(false);
  assert.equal(health.down, false);
  assert.deepEqual(changes, [true, false]);
});

test("attempts beside the probe do not put the next probe off", () => {
  const { health, log, changes } = make();
  health.failed(false, false, "ECONNREFUSED");
  const { nextProbeMs } = health;
  health.failed(false, false, "ECONNREFUSED");
  health.failed(false, true, "broken off");
  assert.equal(health.nextProbeMs, nextProbeMs);
  assert.deepEqual(changes, [true]);
  assert.equal(log.lines.length, 1);
});

test("one probe at a time, and each that fails puts the next one off longer", () => {
  const { health } = make();
  health.failed(false, false, "ECONNREFUSED");
  const delays: number[] = [];
  for (let probe = 0; probe < 8; probe += 1) {
    health.beginProbe();
    assert.equal(health.nextProbeMs, undefined);
    const beforeMs = nowMs();
    // One that is reached and gives no answer is as good a reason to wait.
    health.failed(true, probe % 2 === 0, "no answer");
    const delayMs = (health.nextProbeMs ?? 0) - beforeMs;
    delays.push(Math.floor(delayMs / 10) * 10);
  }
  assert.deepEqual(delays, [150, 300, 600, 1200, 1500, 1500, 1500, 1500]);
});

test("a probe that fails after another request was answered leaves the service up", () => {
  const { health } = make();
  health.failed(false, false, "ECONNREFUSED");
  health.beginProbe();
  health.answered(false);
  health.failed(true, true, "broken off");
  assert.equal(health.down, false);
});
