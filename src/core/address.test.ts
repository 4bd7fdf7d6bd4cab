import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress } from "./address.ts";

test("an IPv6 address gets brackets before its port, and an IPv4 address none", () => {
  assert.equal(formatAddress({ host: "::1", port: 8000 }), "[::1]:8000");
  assert.equal(formatAddress({ host: "0.0.0.0", port: 8000 }), "0.0.0.0:8000");
});
