import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeTemporaryFolder } from "../../test/support/temporary-folder.ts";
import { keep, publish } from "./publish.ts";
import { results, workload } from "./report.test.helper.ts";
import { failureLines, isWhole, missingWorkloads, readResults } from "./results.ts";

const BEGIN = "<!-- figures of servers: made by npm run bench; do not edit -->";
const GATEWAYS = "<!-- figures of gateways: made by npm run bench; do not edit -->";
const END = "<!-- end of figures -->";

test("what is kept can be read again, and no document is touched", () => {
  const root = makeTemporaryFolder();
  const folder = keep(root, results, "whole");
  assert.deepEqual(readResults(join(folder, "latest.json")).versions, results.versions);
  assert.ok(readFileSync(join(folder, "report.md"), "utf8").includes("plots/echo.svg"));
  assert.ok(existsSync(join(folder, "plots/echo.svg")));
  assert.ok(!existsSync(join(root, "docs")));
});

test("a part of a run is kept beside the last whole one", () => {
  const root = makeTemporaryFolder();
  keep(root, results, "whole");
  const folder = keep(root, { ...results, command: "a part", workloads: [] }, "partial");
  assert.equal(readResults(join(folder, "latest.json")).command, "a part");
  const whole = join(root, "build/bench");
  assert.equal(readResults(join(whole, "latest.json")).command, results.command);
  assert.ok(existsSync(join(whole, "plots/echo.svg")));
});

test("results are whole when every workload has what a page shows, and were not quick", () => {
  assert.ok(isWhole(results, ["echo"]));
  assert.ok(!isWhole(results, ["echo", "idle"]));
  assert.ok(!isWhole({ ...results, isQuick: true }, ["echo"]));
  const failed = { ...results, workloads: [{ ...workload, figures: [] }] };
  assert.deepEqual(missingWorkloads(failed, ["echo"]), ["echo"]);
  const others = workload.figures.filter(({ contender }) => contender !== "Headgate");
  for (const lacking of [{ figures: others }, { main: ["20 B", "1 KiB"] }]) {
    assert.ok(!isWhole({ ...results, workloads: [{ ...workload, ...lacking }] }, ["echo"]));
  }
});

test("what failed is told with its reason", () => {
  assert.deepEqual(failureLines(results), ["Echo, 1 MiB: floor failed: it <ended>"]);
});

test("results that cannot be read are named", () => {
  const path = join(makeTemporaryFolder({ "a.json": "{" }), "a.json");
  assert.throws(() => readResults(path), {
    code: "HG_BENCH_RESULTS",
    message: /a\.json cannot be/,
  });
  writeFileSync(path, "null");
  assert.throws(() => readResults(path), /it has no workloads/);
  assert.throws(() => readResults(`${path}.gone`), { code: "HG_BENCH_RESULTS" });
});

test("documents keep their words, and lose the figures that they had", () => {
  const root = makeTemporaryFolder();
  mkdirSync(join(root, "docs"));
  const paths = [join(root, "docs/performance.md"), join(root, "README.md")];
  for (const path of paths) writeFileSync(path, `before\n${BEGIN}\n\nold\n\n${END}\nafter\n`);
  mkdirSync(join(root, "docs/performance"));
  writeFileSync(join(root, "docs/performance/gone.svg"), "of a workload that there was");
  assert.deepEqual(publish(root, results, ["echo"]), ["servers"]);
  assert.deepEqual(readdirSync(join(root, "docs/performance")), ["echo.svg"]);
  const first = paths.map((path) => readFileSync(path, "utf8"));
  publish(root, results, ["echo"]);
  for (const [index, path] of paths.entries()) {
    const text = readFileSync(path, "utf8");
    assert.equal(text, first[index]);
    assert.ok(text.startsWith(`before\n${BEGIN}\n`) && text.endsWith(`${END}\nafter\n`));
    assert.ok(text.includes("1.10") && !text.includes("old"));
  }
});

test("a part that was measured again is written, and the other stays as it was", () => {
  const root = makeTemporaryFolder();
  mkdirSync(join(root, "docs"));
  const both = `${BEGIN}\nold servers\n${END}\n${GATEWAYS}\nold gateways\n${END}\n`;
  const paths = [join(root, "docs/performance.md"), join(root, "README.md")];
  for (const path of paths) writeFileSync(path, both);
  mkdirSync(join(root, "docs/performance"));
  writeFileSync(join(root, "docs/performance/echo.svg"), "of the servers");
  const gateways = { ...workload, name: "round-trip" };
  const names = ["echo", "round-trip"];
  const again = { ...results, workloads: [gateways] };
  assert.deepEqual(publish(root, again, names), ["gateways"]);
  for (const path of paths) {
    const text = readFileSync(path, "utf8");
    assert.ok(text.startsWith(`${BEGIN}\nold servers\n${END}\n${GATEWAYS}\n`));
    assert.ok(text.includes("1.10") && !text.includes("old gateways"));
  }
  assert.equal(readFileSync(join(root, "docs/performance/echo.svg"), "utf8"), "of the servers");
  assert.ok(existsSync(join(root, "docs/performance/round-trip.svg")));
  const quick = { ...again, isQuick: true };
  const empty = { ...again, workloads: [{ ...gateways, figures: [] }] };
  for (const none of [quick, empty]) assert.deepEqual(publish(root, none, names), []);
});

for (const [what, readme] of Object.entries({
  "no marker": "words\n",
  "no end": `words\n${BEGIN}\n`,
})) {
  test(`when a document has ${what} it is named, and none is written`, () => {
    const root = makeTemporaryFolder({ "README.md": readme });
    mkdirSync(join(root, "docs"));
    const marked = `${BEGIN}\nold\n${END}\n`;
    writeFileSync(join(root, "docs/performance.md"), marked);
    assert.throws(() => publish(root, results, ["echo"]), /README\.md lacks the line/);
    assert.equal(readFileSync(join(root, "docs/performance.md"), "utf8"), marked);
  });
}
