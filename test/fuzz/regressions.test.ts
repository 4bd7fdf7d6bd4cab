/**
 * Every target over the cases that are kept, and a short run of each with a seed of its own; long
 * runs are `npm run fuzz`. The whole gateway is left to its model's own test, which fakes time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { targetNames } from "../../scripts/fuzz/target-names.ts";
import { propertyRuns, testSeed } from "../support/seed.ts";
import { runCampaign, runRegressions } from "./campaign.ts";
import { regressionsOf } from "./regressions.ts";
import { loadTarget } from "./targets.ts";

const names = targetNames.filter((name) => name !== "gateway");
const unmarked = () => {};

for (const name of names) {
  test(`${name}: what once failed holds, and so does what a seed makes`, async () => {
    const target = await loadTarget(name);
    assert.ok(regressionsOf(name, target).length > 0, "there are cases that are kept");
    assert.equal(await runRegressions(name, target, unmarked), undefined);
    const runs = propertyRuns(target.shortRuns, 20 * target.shortRuns);
    const bounds = { first: 0, stride: 1, runs, timeMs: Infinity };
    const report = await runCampaign(target, { seed: testSeed(), ...bounds, mark: unmarked });
    assert.equal(report.failure, undefined, JSON.stringify(report.failure));
    assert.equal(report.cases, runs);
  });
}
