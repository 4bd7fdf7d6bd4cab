import assert from "node:assert/strict";
import { test } from "node:test";
import { formatEssence, formatResults } from "./markdown.ts";
import { results } from "./report.test.helper.ts";

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

test("the report says by which command, where, beside whom and without whom", () => {
  for (const text of ["`npm run bench`", "today; 2 cores", "3 rounds", "Headgate 1.2.3: ws 8.0.0"])
    assert.ok(report.includes(text), text);
  assert.ok(report.includes("not measured: pushpin (not installed)"));
  assert.ok(report.includes("(plot of echo)"));
});

test("the essence has the main scenarios, one column for each server but the base", () => {
  const essence = formatEssence(results);
  assert.match(essence, /^\| Echo: floor = 1 \| Headgate \| ws \|$/m);
  assert.match(essence, /^\| 20 B \| \*\*1\.10\*\* \(1\.00 to 2\.00\) \| \*\*11\.00\*\*/m);
  assert.ok(!essence.includes("1 MiB"));
});
