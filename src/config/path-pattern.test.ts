import assert from "node:assert/strict";
import { test } from "node:test";
import { isAmbiguous, type PathPattern, parsePathPattern } from "./path-pattern.ts";

function pattern(text: string): PathPattern {
  const parsed = parsePathPattern(text);
  assert.ok(typeof parsed !== "string", `${text}: ${parsed}`);
  return parsed;
}

test("a path is its segments, and / has none", () => {
  assert.deepEqual(pattern("/"), []);
  assert.deepEqual(pattern("/chat/:room/v1.0"), ["chat", ":room", "v1.0"]);
});

const PAIRS: [a: string, b: string, ambiguous: boolean][] = [
  ["/", "/", true],
  ["/a", "/a", true],
  ["/a", "/b", false],
  ["/a", "/a/b", false],
  ["/a/:x", "/a/:y", true],
  ["/a/:x", "/b/:x", false],
  ["/a/:x", "/a/b", false],
  ["/:x/b", "/a/:y", true],
  ["/:x/b", "/:y/c", false],
  ["/:x/:y", "/a/:z", false],
  ["/:x/b/:z", "/a/:y/c", true],
];

for (const [a, b, ambiguous] of PAIRS) {
  test(`${a} and ${b} are ${ambiguous ? "" : "not "}ambiguous`, () => {
    assert.equal(isAmbiguous(pattern(a), pattern(b)), ambiguous);
    assert.equal(isAmbiguous(pattern(b), pattern(a)), ambiguous);
  });
}
