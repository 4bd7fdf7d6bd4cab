/**
 * Target: a whole gateway on the fake poller, beside its model: after every step the one is as
 * the other says, and when everybody has left nothing of anybody is left. A case is its seed.
 */
import { runModel } from "../../src/gateway/gateway-model-run.test.helper.ts";
import { count, type Target } from "./target.ts";

const tally = new Map<string, number>();

export const gateway: Target<number> = {
  tally,
  shortRuns: 3,
  generate: (random) => random.below(2 ** 31),

  async check(seed) {
    await runModel(seed);
    count(tally, "runs");
  },
};
