import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isOriginAllowed } from "./origin.ts";

describe("where no origins are listed", () => {
  const cases = [
    ["https://app.example", "app.example", true],
    ["https://app.example", "app.example:8000", true],
    ["http://app.example:3000", "app.example:8000", true],
    ["https://APP.example", "app.EXAMPLE", true],
    ["http://127.0.0.1:3000", "127.0.0.1:8000", true],
    ["http://[::1]:3000", "[::1]:8000", true],
    ["https://other.example", "app.example", false],
    ["https://app.example.evil.example", "app.example", false],
    ["https://evil.example/app.example", "app.example", false],
    ["https://app.example@evil.example", "app.example", false],
    ["http://localhost:8000", "127.0.0.1:8000", false],
    ["null", "app.example", false],
    ["", "app.example", false],
    ["app.example", "app.example", false],
    ["file://", "app.example", false],
    ["https://app.example", "not a host", false],
    ["https://app.example", "", false],
  ] as const;
  for (const [origin, host, allowed] of cases) {
    test(`a page of "${origin}" is ${allowed ? "let in" : "refused"} at "${host}"`, () => {
      assert.equal(isOriginAllowed(origin, host, undefined), allowed);
    });
  }
});

describe("where origins are listed", () => {
  const listed = ["https://app.example", "http://localhost:3000"];

  test("a page of one of them is let in, in capitals too, and no other", () => {
    assert.equal(isOriginAllowed("https://app.example", "gateway.example", listed), true);
    assert.equal(isOriginAllowed("https://App.Example", "gateway.example", listed), true);
    assert.equal(isOriginAllowed("http://localhost:3000", "gateway.example", listed), true);
    assert.equal(isOriginAllowed("http://app.example", "gateway.example", listed), false);
    assert.equal(isOriginAllowed("https://app.example:444", "gateway.example", listed), false);
    assert.equal(isOriginAllowed("http://localhost", "gateway.example", listed), false);
    assert.equal(isOriginAllowed("null", "gateway.example", listed), false);
  });

  test("the gateway's own host is not one of them by itself", () => {
    assert.equal(isOriginAllowed("https://gateway.example", "gateway.example", listed), false);
    assert.equal(isOriginAllowed("https://gateway.example", "gateway.example", []), false);
  });

  test("a star lets everybody in", () => {
    assert.equal(isOriginAllowed("https://anybody.example", "gateway.example", ["*"]), true);
    assert.equal(isOriginAllowed("null", "gateway.example", ["*"]), true);
  });
});

test("a client without an origin is no page, and is let in", () => {
  assert.equal(isOriginAllowed(undefined, "gateway.example", undefined), true);
  assert.equal(isOriginAllowed(undefined, "gateway.example", ["https://app.example"]), true);
});

test("what was found of one page and host is not taken for another's", () => {
  const page = "https://app.example";
  const asked = [
    [page, "app.example", true],
    [page, "app.example", true],
    [page, "other.example", false],
    ["https://other.example", "other.example", true],
    [page, "other.example", false],
    [page, "app.example", true],
  ] as const;
  for (const [origin, host, allowed] of asked) {
    assert.equal(isOriginAllowed(origin, host, undefined), allowed);
  }
});
