import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../../test/support/seed.ts";
import type { Appointment } from "./agenda.ts";
import { Agenda, nowMs } from "./agenda.ts";

test("appointments are kept in the order in which they are due, cancelled ones never", async () => {
  const property = fc.asyncProperty(
    fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.boolean()), { maxLength: 40 }),
    async (plan) => {
      const agenda = new Agenda();
      const base = nowMs();
      const kept: number[] = [];
      const appointments = plan.map(([delayMs]): Appointment => {
        return agenda.at(base + delayMs, () => kept.push(delayMs));
      });
      plan.forEach(([, isCancelled], index) => {
        if (isCancelled) agenda.cancel(appointments[index]);
      });
      const expected = plan.filter(([, isCancelled]) => !isCancelled).map(([delayMs]) => delayMs);
      assert.equal(agenda.size, expected.length);
      await new Promise<void>((resolve) => agenda.at(base + 5, resolve));
      assert.deepEqual(
        kept,
        expected.sort((a, b) => a - b),
      );
      assert.equal(agenda.size, 0);
    },
  );
  await fc.assert(property, { seed: testSeed(), numRuns: propertyRuns(30, 30_000) });
});

test("an appointment may make another, cancel one, and cancel itself", async () => {
  const agenda = new Agenda();
  const kept: string[] = [];
  const done = new Promise<void>((resolve) => {
    const never = agenda.at(nowMs() + 2, () => kept.push("never"));
    const first = agenda.at(nowMs() + 1, () => {
      kept.push("first");
      agenda.cancel(first);
      agenda.cancel(never);
      agenda.at(nowMs() + 1, () => {
        kept.push("second");
        resolve();
      });
    });
  });
  await done;
  assert.deepEqual(kept, ["first", "second"]);
});

test("a cleared agenda keeps nothing and may be used again", async () => {
  const agenda = new Agenda();
  const lost = agenda.at(nowMs(), () => assert.fail("it was cleared"));
  agenda.clear();
  agenda.cancel(lost);
  await new Promise<void>((resolve) => agenda.at(nowMs() + 2, resolve));
  assert.equal(agenda.size, 0);
});
