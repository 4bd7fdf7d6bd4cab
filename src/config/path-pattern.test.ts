import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../test/support/seed.ts";
import { ambiguities, type PathPattern, parsePathPattern } from "./path-pattern.ts";

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
    const expected = [undefined, ambiguous ? 0 : undefined];
    assert.deepEqual(ambiguities([pattern(a), pattern(b)]), expected);
    assert.deepEqual(ambiguities([pattern(b), pattern(a)]), expected);
  });
}

/** What ambiguous means, segment by segment, for one pair. */
function isAmbiguousPair(a: PathPattern, b: PathPattern): boolean {
  const pairs = a.map((ofA, index) => [ofA, b[index] ?? ""] as const);
  const [isFreeA, isFreeB] = [0, 1].map((side) =>
    pairs.some((pair) => pair[side]?.startsWith(":") && !pair[1 - side]?.startsWith(":")),
  );
  const meets = pairs.every((pair) => pair[0] === pair[1] || pair.some((of) => of.startsWith(":")));
  return a.length === b.length && meets && isFreeA === isFreeB;
}

test("among many patterns each is told the first before it that it clashes with", () => {
  const random = seededRandom();
  for (let round = 0; round < 300; round += 1) {
    const patterns = Array.from({ length: 12 }, () =>
      Array.from({ length: Math.floor(random() * 4) }, (_, index) => {
        return random() < 0.5 ? `:p${index}` : ["a", "b", "c"][Math.floor(random() * 3)];
      }),
    ) as string[][];
    const expected = patterns.map((later, index) => {
      const first = patterns.slice(0, index).findIndex((one) => isAmbiguousPair(one, later));
      return first < 0 ? undefined : first;
    });
    assert.deepEqual(ambiguities(patterns), expected, JSON.stringify(patterns));
  }
});
