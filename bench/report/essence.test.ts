import assert from "node:assert/strict";
import { test } from "node:test";
import { formatEssence } from "./essence.ts";
import { results, workload } from "./report.test.helper.ts";

test("it has the main scenarios, one column for each server but the floor", () => {
  const essence = formatEssence(results);
  assert.match(essence, /^\| +\| Headgate \| ws \|$/m);
  assert.match(
    essence,
    /^\| Echo, 20 B; floor = 1 \| \*\*1\.10\*\* \(1\.00 to 2\.00\) \| \*\*11\.00\*\*/m,
  );
  assert.ok(!essence.includes("1 MiB"));
  assert.match(essence, /`npm run bench`; today/);
});

test("memory is told in bytes, of the server too that ratios are of", () => {
  const idle = { ...workload, name: "idle", base: "ws" };
  const essence = formatEssence({ ...results, workloads: [idle] });
  assert.match(essence, /^\| +\| Headgate \| ws \|$/m);
  assert.match(
    essence,
    /^\| Memory of an idle connection, 20 B \| \*\*12\*\* \(11 to 22\) B \| \*\*110\*\* B \|$/m,
  );
});

test("a variant that only one workload has gets no column", () => {
  const variants = workload.figures.map((figure) => ({
    ...figure,
    contender: figure.contender.replace("ws", "Headgate, to a group"),
  }));
  const pushed = { ...workload, name: "fan-out", figures: variants };
  const essence = formatEssence({ ...results, workloads: [pushed, workload] });
  assert.match(essence, /^\| +\| Headgate \| ws \|$/m);
  assert.match(essence, /^\| Fan-out, 20 B; floor = 1 \| \*\*1\.10\*\* .* \| – \|$/m);
});

test("gateways stand in a table of their own", () => {
  const gateways = { ...workload, name: "round-trip" };
  const essence = formatEssence({ ...results, workloads: [workload, gateways] });
  assert.equal(essence.match(/^\| --- /gm)?.length, 2);
  assert.match(essence, /^\| To a service and back, 20 B; floor = 1 \|/m);
});

test("where nothing of it was measured only the origin is told", () => {
  assert.match(formatEssence({ ...results, workloads: [] }), /^`npm run bench`/);
});
