/**
 * A whole gateway on the fake poller against a model of it, after every step of runs that a seed
 * makes. What a run is stands in gateway-model-run.test.helper.ts; longer ones are fuzzing's.
 */
import { test } from "node:test";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import { runModel } from "./gateway-model-run.test.helper.ts";

test("the gateway does as its model after every step, and leaves nothing of anybody", async () => {
  const runs = propertyRuns(40, 3000);
  for (let run = 0; run < runs; run += 1) {
    const seed = (testSeed() + run) % 2 ** 31;
    try {
      await runModel(seed);
    } catch (error) {
      throw new Error(`HEADGATE_SEED=${seed} shows it in its first run`, { cause: error });
    }
  }
});
