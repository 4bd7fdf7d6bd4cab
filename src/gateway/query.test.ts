import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQuery } from "./query.ts";

function parsed(query: string): [string, string[]][] {
  return Object.entries(parseQuery(query));
}

test("all values of a name are there, in order, undone from their encoding", () => {
  assert.deepEqual(parsed("a=1&b=%C3%A9+x&a=2"), [
    ["a", ["1", "2"]],
    ["b", ["é x"]],
  ]);
});

test("names without values, empty ones and none at all are what they are", () => {
  assert.deepEqual(parsed(""), []);
  assert.deepEqual(parsed("a&&b=&=c"), [
    ["a", [""]],
    ["b", [""]],
    ["", ["c"]],
  ]);
});

test("a question mark that the query begins with belongs to it", () => {
  assert.deepEqual(parsed("?a=b"), [["?a", ["b"]]]);
});

test("a name of the language's own is a name like any other", () => {
  const query = parseQuery("__proto__=x&constructor=y");
  assert.equal(Object.getPrototypeOf(query), null);
  assert.deepEqual(Object.keys(query), ["__proto__", "constructor"]);
});
