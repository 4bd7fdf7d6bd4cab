import assert from "node:assert/strict";
import { test } from "node:test";
import type { Side } from "../workloads/workload.ts";
import { formatResults, formatTargets } from "./markdown.ts";
import { results, workload } from "./report.test.helper.ts";

const report = formatResults(results, (name) => `(plot of ${name})`);

test("a row has the median ratio with its range, and medians of the rest", () => {
  assert.match(
    report,
    /\| 20 B \| Headgate \| \*\*1\.10\*\* \(1\.00 to 2\.00\) \| 12\.00 \| 83,333 \|/,
  );
  assert.match(report, /\| +\| server \| floor = 1 \| CPU for a message, µs \| messages\/s \|/);
});

test("what has no base has no ratio, and what failed is named with its reason", () => {
  assert.match(report, /\| 1 MiB \| Headgate \| – \| 500\.00 \|/);
  assert.match(report, /^- 1 MiB: floor failed: it <ended>$/m);
});

test("where nobody is compared there is no column of ratios, and no plot", () => {
  const figures = workload.figures.map((figure) => ({ ...figure, ratios: [] }));
  const alone = { ...results, workloads: [{ ...workload, base: "", figures }] };
  const text = formatResults(alone, () => "(plot)");
  assert.match(text, /\| +\| server \| CPU for a message, µs \| messages\/s \|/);
  assert.match(text, /\| 20 B \| Headgate \| 12\.00 \| 83,333 \|/);
  assert.ok(!text.includes("(plot)"));
});

test("a column may tell the worst of the rounds beside their median", () => {
  const median: Side = { key: "cost", title: "median", digits: 1 };
  const sides: Side[] = [median, { ...median, title: "worst", isWorst: true }];
  const told = { ...results, workloads: [{ ...workload, sides }] };
  assert.match(
    formatResults(told, () => ""),
    /\| 20 B \| Headgate \| .* \| 12\.0 \| 22\.0 \|/,
  );
});

test("the report says by which command, where, beside whom and without whom", () => {
  for (const text of ["`npm run bench`", "today; 2 cores", "3 rounds", "Headgate 1.2.3: ws 8.0.0"])
    assert.ok(report.includes(text), text);
  assert.ok(report.includes("not measured: pushpin (not installed)"));
  assert.ok(report.includes("(plot of echo)"));
});

test("the targets of what was measured are told, and no others", () => {
  const text = formatTargets(results);
  assert.ok(text.includes("Echo, 20 B: CPU against the floor"));
  assert.ok(!text.includes("Handshake"));
  assert.ok(report.includes(text));
  assert.match(text, /Echo, 1 KiB.*not measured/);
  assert.ok(!formatTargets(results, true).includes("not measured"));
});
