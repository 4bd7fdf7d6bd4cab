import assert from "node:assert/strict";
import { constants } from "node:os";
import { describe, test } from "node:test";
import { RecordingLog } from "../../test/support/recording-log.ts";
import { TICK_MS } from "../reactor/ticks.ts";
import { AcceptPauses, QUIET_MS } from "./accept-pauses.ts";

const { EMFILE, ENFILE, ENOBUFS } = constants.errno;
const QUIET_TICKS = QUIET_MS / TICK_MS;

function start(): { log: RecordingLog; pauses: AcceptPauses } {
  const log = new RecordingLog();
  return { log, pauses: new AcceptPauses(log) };
}

describe("a pause of accepting", () => {
  for (const [code, errno] of Object.entries({ EMFILE, ENFILE, ENOBUFS })) {
    test(`for ${code} is a warning that names it`, () => {
      const { log, pauses } = start();
      pauses.failed(errno, 1);
      assert.deepEqual(log.lines, [
        {
          level: "warn",
          fields: { errno, code },
          sentence: "out of descriptors or slots: clients wait until some are free",
        },
      ]);
    });
  }

  test("is told once, and its end once, however often it was tried meanwhile", () => {
    const { log, pauses } = start();
    for (let tick = 10; tick < 110; tick += 1) {
      pauses.failed(EMFILE, tick);
      pauses.swept(tick);
      assert.equal(log.lines.length, 1);
      assert.equal(pauses.isPaused, true);
    }
    for (let tick = 110; tick < 400; tick += 1) pauses.swept(tick);
    assert.equal(pauses.isPaused, false);
    assert.deepEqual(log.lines.slice(1), [
      {
        level: "info",
        fields: { pauses: 100, pausedForMs: 25_000 },
        sentence: "accepting clients again",
      },
    ]);
    assert.equal(pauses.total, 100);
  });

  test("that goes and comes within a few seconds is still the same", () => {
    const { log, pauses } = start();
    for (let tick = 1; tick < 1000; tick += 1) {
      if (tick % (QUIET_TICKS - 1) === 0) pauses.failed(EMFILE, tick);
      pauses.swept(tick);
    }
    assert.equal(log.lines.length, 1);
  });

  test("is over only when nothing failed for as long as is said", () => {
    const { log, pauses } = start();
    pauses.failed(EMFILE, 7);
    for (let tick = 7; tick < 7 + QUIET_TICKS; tick += 1) pauses.swept(tick);
    assert.equal(log.lines.length, 1);
    pauses.swept(7 + QUIET_TICKS);
    assert.equal(log.lines.length, 2);
  });

  test("that comes again later is told again, with its own figures", () => {
    const { log, pauses } = start();
    pauses.failed(EMFILE, 1);
    pauses.failed(EMFILE, 2);
    pauses.swept(100);
    pauses.failed(ENFILE, 101);
    pauses.swept(200);
    const fields = log.lines.map((line) => line.fields);
    assert.deepEqual(fields.slice(1), [
      { pauses: 2, pausedForMs: 2 * TICK_MS },
      { errno: ENFILE, code: "ENFILE" },
      { pauses: 1, pausedForMs: TICK_MS },
    ]);
    assert.equal(pauses.total, 3);
  });
});
