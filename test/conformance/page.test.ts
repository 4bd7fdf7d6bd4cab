import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { casesOf, conformancePage } from "./page.ts";
import { chapters } from "./suite.ts";

/** Cases of each group of the Autobahn test suite. */
const COUNTS = { 1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 9: 54, 10: 1, 12: 90, 13: 126 };

test("there are as many cases in each group as Autobahn has, each with a number of its own", () => {
  const counts = chapters.map((chapter) => [chapter.number, casesOf(chapter).length]);
  assert.deepEqual(Object.fromEntries(counts), COUNTS);
  const ids = chapters.flatMap(casesOf).map(({ id }) => id);
  assert.equal(ids.length, 517);
  assert.equal(new Set(ids).size, 517);
  for (const { groups } of chapters) {
    for (const { number, cases } of groups) {
      const expected = cases.map((_, index) => `${number}.${index + 1}`);
      assert.deepEqual(
        cases.map(({ id }) => id),
        expected,
      );
    }
  }
});

test("docs/conformance.md has exactly these cases and outcomes", () => {
  // `npm run conformance` writes it; from dist/test/conformance to the package's root.
  const page = readFileSync(new URL("../../../docs/conformance.md", import.meta.url), "utf8");
  assert.equal(page, conformancePage(chapters));
});

test("the page says which cases failed", () => {
  const page = conformancePage(chapters, new Set(["7.5.1", "13.7.18"]));
  assert.match(page, /\| \*\*all\*\* \| \*\*517\*\* \| \*\*515\*\* \|/);
  assert.match(page, /\| 7\.5\.1 \|.*\*\*failed\*\*, not: 1007/);
  assert.doesNotMatch(conformancePage(chapters), /\*\*failed\*\*/);
});
