import assert from "node:assert/strict";
import { test } from "node:test";
import type { Figure } from "./comparison.ts";
import { relate } from "./idle.ts";

function figure(contender: string, ...costs: number[]): Figure {
  const samples = costs.map((cost) => ({ cost }));
  return { scenario: "anonymous", contender, samples, ratios: [] };
}

test("every round is in relation to the base's median, however many rounds each has", () => {
  const figures = [figure("Headgate", 50, 150, 0), figure("uWebSockets.js", 400, 600, 500)];
  relate(figures);
  assert.deepEqual(
    figures.map(({ ratios }) => ratios),
    [
      [0.1, 0.3, 0],
      [0.8, 1.2, 1],
    ],
  );
});

test("there is no relation to a base that is not there, or that could not be measured", () => {
  for (const figures of [[figure("ws", 1)], [figure("ws", 1), figure("uWebSockets.js", 0)]]) {
    relate(figures);
    assert.ok(figures.every(({ ratios }) => ratios.length === 0));
  }
});
