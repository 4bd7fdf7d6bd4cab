import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeTemporaryFolder } from "../../test/support/temporary-folder.ts";
import { keep, publish } from "./publish.ts";
import { results } from "./report.test.helper.ts";
import { readResults } from "./results.ts";

const BEGIN = "<!-- figures: made by npm run bench; do not edit -->";
const END = "<!-- end of figures -->";

test("what is kept can be read again, and no document is touched", () => {
  const root = makeTemporaryFolder();
  const folder = keep(root, results);
  assert.deepEqual(readResults(join(folder, "latest.json")).versions, results.versions);
  assert.ok(readFileSync(join(folder, "report.md"), "utf8").includes("performance-echo.svg"));
  assert.ok(existsSync(join(folder, "performance-echo.svg")));
  assert.ok(!existsSync(join(root, "docs")));
});

test("documents keep their words, and lose the figures that they had", () => {
  const root = makeTemporaryFolder();
  mkdirSync(join(root, "docs"));
  const paths = [join(root, "docs/performance.md"), join(root, "README.md")];
  for (const path of paths) writeFileSync(path, `before\n${BEGIN}\n\nold\n\n${END}\nafter\n`);
  publish(root, results);
  const first = paths.map((path) => readFileSync(path, "utf8"));
  publish(root, results);
  for (const [index, path] of paths.entries()) {
    const text = readFileSync(path, "utf8");
    assert.equal(text, first[index]);
    assert.ok(text.startsWith(`before\n${BEGIN}\n`) && text.endsWith(`${END}\nafter\n`));
    assert.ok(text.includes("1.10") && !text.includes("old"));
  }
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
    assert.throws(() => publish(root, results), /README\.md lacks the line/);
    assert.equal(readFileSync(join(root, "docs/performance.md"), "utf8"), marked);
  });
}
