/**
 * Runs all cases and writes the page about them to the file that it is given. It ends with 1
 * where a case failed, and the page then says which.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { seededRandom, testSeed } from "../support/seed.ts";
import type { Chapter } from "./case.ts";
import { deliveries } from "./delivery.ts";
import type { HandshakeGroup } from "./handshake-case.ts";
import { handshakeGroups } from "./handshake-cases.ts";
import { checkHandshake } from "./handshake-check.ts";
import { runGroup } from "./handshake-runner.ts";
import { Hubs } from "./hubs.ts";
import { casesOf, conformancePage } from "./page.ts";
import { runCase } from "./runner.ts";
import { chapters } from "./suite.ts";

/** At a time; those of group 9 have many megabytes each, which the others wait for. */
const CONCURRENCY = 4;

console.error(`HEADGATE_SEED=${testSeed()}`);
const random = seededRandom();
const hubs = new Hubs();
const failures = new Set<string>();

for (const chapter of chapters) await runChapter(chapter);
for (const group of handshakeGroups) await runHandshakeGroup(group);
await hubs.stop();
writeFileSync(process.argv[2] as string, conformancePage(chapters, failures));
process.exitCode = failures.size > 0 ? 1 : 0;

async function runChapter(chapter: Chapter): Promise<void> {
  const waiting = casesOf(chapter).values();
  const runNext = async () => {
    for (const each of waiting) {
      const port = await hubs.portFor(each);
      for (const delivery of deliveries) {
        await runCase(each, delivery, port, random).catch((error: Error) => {
          failures.add(each.id);
          console.error(`${each.id} ${delivery}: ${error.message}`);
        });
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, runNext));
  console.error(`${chapter.number} ${chapter.title}`);
}

async function runHandshakeGroup(group: HandshakeGroup): Promise<void> {
  for (const [cutting, outcomes] of await runGroup(group, random)) {
    for (const each of group.cases) {
      try {
        const outcome = outcomes.get(each.id);
        assert.ok(outcome);
        checkHandshake(each, outcome, cutting);
      } catch (error) {
        failures.add(each.id);
        console.error(`${each.id} ${cutting}: ${(error as Error).message}`);
      }
    }
  }
  console.error(`${group.letter} ${group.title}`);
}
