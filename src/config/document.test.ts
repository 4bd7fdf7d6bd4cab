import assert from "node:assert/strict";
import { test } from "node:test";
import { readDocument } from "./document.ts";
import { ConfigurationError } from "./problem.ts";

const sources = { environment: {}, folder: "/" };

function places(text: string): [line: number, column: number][] {
  try {
    return readDocument(text, "a.yaml", sources).mistakes.map(({ position }) => {
      return [position.line, position.column];
    });
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems.map(({ line, column }) => [line, column]);
  }
}

test("a mistake behind a text that could not be read stands in its own line", () => {
  assert.deepEqual(places('""],\n":').at(-1), [2, 2]);
  assert.deepEqual(places('a: "b"],\n\nc: ":').at(-1), [3, 4]);
});

test("lines end as the file has them, and a byte order mark is a character", () => {
  assert.deepEqual(places("a: 1\r\na: 2\r\n"), [[2, 1]]);
  assert.deepEqual(places("\ufeffa: 1\na: 2\n"), [[2, 1]]);
  assert.deepEqual(places("\n\n  a: 1\n  a: 2"), [[4, 3]]);
});
