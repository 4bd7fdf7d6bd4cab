import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { FakeTime } from "../../test/support/fake-time.ts";
import { Pacer } from "./pacer.ts";

const time = new FakeTime();
beforeEach(() => {
  time.nowMs = 0;
  time.install();
});
afterEach(() => time.restore());

/** The event loop, which takes a tenth of a millisecond for each iteration. */
function advance(ms: number): void {
  const untilMs = time.nowMs + ms;
  while (time.nowMs < untilMs) {
    time.advanceToTimer(Math.min(untilMs, time.nowMs + 0.1));
    time.runImmediates();
  }
}

interface Paced {
  pacer: Pacer;
  calls: [index: number, intendedMs: number, nowMs: number][];
  ends: () => number;
}

function pace(stepMs: number, untilMs: number, startMs = 0): Paced {
  const calls: Paced["calls"] = [];
  let ends = 0;
  const pacer = new Pacer(
    startMs,
    stepMs,
    untilMs,
    (...call) => calls.push(call),
    () => {
      ends += 1;
    },
  );
  return { pacer, calls, ends: () => ends };
}

test("calls come when they are due, to a fraction of a millisecond", () => {
  for (const stepMs of [0.5, 3, 40]) {
    time.nowMs = 0;
    const { calls, ends } = pace(stepMs, 200);
    advance(210);
    assert.equal(calls.length, 200 / stepMs === 66.66666666666667 ? 67 : 200 / stepMs);
    for (const [index, intendedMs, nowMs] of calls) {
      assert.equal(intendedMs, index * stepMs);
      assert.ok(nowMs >= intendedMs && nowMs - intendedMs < 0.25, `${intendedMs} ${nowMs}`);
    }
    assert.equal(ends(), 1);
  }
});

test("who was held up catches up, and each call keeps its time", () => {
  const { calls } = pace(10, 1000);
  advance(50);
  time.nowMs += 300;
  advance(20);
  const atOnce = calls.filter(([, , nowMs]) => nowMs >= 350 && nowMs < 350.2);
  assert.ok(atOnce.length >= 30, `${atOnce.length}`);
  assert.deepEqual(
    calls.map(([, intendedMs]) => intendedMs),
    calls.map((_, index) => index * 10),
  );
});

test("it sleeps while nothing is due, and spins only just before", () => {
  pace(100, 1000, 100);
  assert.ok(!time.hasImmediates);
  advance(98);
  assert.ok(!time.hasImmediates);
  advance(1.5);
  assert.ok(time.hasImmediates);
});

test("a pacer that is stopped calls nobody any more, from within a call too", () => {
  const { pacer, calls, ends } = pace(1, 100);
  advance(5);
  const before = calls.length;
  pacer.stop();
  advance(50);
  assert.equal(calls.length, before);
  assert.equal(ends(), 0);
});

test("with no time there is no call, and its end is told", () => {
  const { calls, ends } = pace(1, 0);
  advance(2);
  assert.equal(calls.length, 0);
  assert.equal(ends(), 1);
});

test("what rounding adds to the time makes no call more", () => {
  // 0.1 + 0.2 is a little more than 0.3 in binary, and the time a little more than one step.
  const { calls } = pace(0.2, 0.1 + 0.2, 0.1);
  advance(3);
  assert.equal(calls.length, 1);
});
