/** The rate that latencies are measured at; the measuring itself is not tested. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { rateFor } from "./latency.ts";

const saturationOf = (perSecond: number) => ({ perSecond, generatorShare: 0.5 });

test("all have half of the least, but for ws, which has half of its own", () => {
  const [headgate, bun, ws] = [100_001, 80_000, 20_000].map(saturationOf) as [
    ReturnType<typeof saturationOf>,
    ReturnType<typeof saturationOf>,
    ReturnType<typeof saturationOf>,
  ];
  const all = new Map(Object.entries({ Headgate: headgate, Bun: bun, ws }));
  assert.equal(rateFor(headgate, all), 40_000);
  assert.equal(rateFor(bun, all), 40_000);
  assert.equal(rateFor(ws, all), 10_000);
  assert.equal(rateFor(headgate, new Map(Object.entries({ Headgate: headgate, ws }))), 50_001);
});
