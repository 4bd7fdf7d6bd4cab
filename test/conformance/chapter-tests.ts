/**
 * Makes a test of each case of some chapters. They are in several files so that a machine's cores
 * share them; none is chosen here.
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { seededRandom } from "../support/seed.ts";
import type { Chapter } from "./case.ts";
import { deliveries } from "./delivery.ts";
import { Hubs } from "./hubs.ts";
import { runCase } from "./runner.ts";

/** `concurrency`: how many cases run at a time, each on a connection of its own. */
export function testChapters(chapters: readonly Chapter[], concurrency: number): void {
  const random = seededRandom();
  const hubs = new Hubs();
  after(() => hubs.stop());
  for (const { number, title, groups } of chapters) {
    describe(`${number} ${title}`, { concurrency }, () => {
      for (const each of groups.flatMap(({ cases }) => cases)) {
        test(`${each.id} ${each.sentence}: ${each.outcome}`, async () => {
          const port = await hubs.portFor(each);
          for (const delivery of deliveries) {
            const failure = await runCase(each, delivery, port, random).catch((error) => error);
            assert.equal(failure, undefined, `${delivery}: ${failure?.message}`);
          }
        });
      }
    });
  }
}
