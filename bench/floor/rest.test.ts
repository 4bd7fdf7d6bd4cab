import assert from "node:assert/strict";
import { test } from "node:test";
import { Rest } from "./rest.ts";

const MB = 1 << 20;

/** At which of the looks, one each 100 ms, it was at rest first. */
function restsAt(looks: { busyMs?: number; bytes?: number }[]): number {
  let cpuSeconds = 7;
  const rest = new Rest(300, { ms: 0, cpuSeconds, bytes: 50 * MB });
  return looks.findIndex(({ busyMs = 0, bytes = 50 * MB }, index) => {
    cpuSeconds += busyMs / 1000;
    return rest.look({ ms: (index + 1) * 100, cpuSeconds, bytes });
  });
}

test("a server in which nothing happens for long enough is at rest", () => {
  assert.equal(restsAt([{}, {}, {}]), 2);
  assert.equal(restsAt([{}, {}]), -1);
  assert.equal(restsAt([{ busyMs: 5 }, { busyMs: 5 }, { busyMs: 5 }]), 2);
});

test("one that works is waited for anew", () => {
  assert.equal(restsAt([{}, {}, { busyMs: 6 }, {}, {}, {}]), 5);
});

test("so is one whose memory moves, up or down, at once or bit by bit", () => {
  const still = { bytes: 51 * MB };
  assert.equal(restsAt([{}, {}, still, still, still, still]), 5);
  assert.equal(restsAt([{}, {}, { bytes: 49 * MB }, {}, {}, {}, {}]), 6);
  const looks = [0, 0.3, 0.6, 0.9, 1.2, 1.5].map((more) => ({ bytes: (50 + more) * MB }));
  assert.equal(restsAt(looks), -1);
});

test("what is littered by counting alone is no change", () => {
  assert.equal(restsAt([{ bytes: 50.1 * MB }, { bytes: 50.2 * MB }, { bytes: 50.3 * MB }]), 2);
});
