import assert from "node:assert/strict";
import { test } from "node:test";
import { isHost } from "./host.ts";

/** In the middle of bytes that would all belong to a host. */
function check(text: string): boolean {
  const bytes = Buffer.from(`a1:[${text}]:1%41`, "latin1");
  return isHost(bytes, 4, 4 + text.length);
}

test("a host is a name or an address, with or without a port", () => {
  const hosts = ["a", "a.example", "a.example:80", "a:", "127.0.0.1:8000", "xn--bcher-kva.example"];
  hosts.push("[::1]", "[::1]:8000", "[2001:db8::ffff:1.2.3.4]", "a_b", "%41.example", "a.", "1");
  for (const host of hosts) assert.equal(check(host), true, host);
});

test("what is no host is told from one", () => {
  const others = ["", ":80", "a b", "a,b", "a/b", "user@a", "a:80:80", "a:b", "a:-1", "a#b", "a?b"];
  others.push(
    "::1",
    "[::1",
    "[::1]80",
    "[]",
    "[:]",
    "[a]",
    "[1:2]",
    "[:.:]",
    "[12345::]",
    "[::1::2]",
    "[1:2:3:4:5:6:7:8:9]",
    "[::1.2.3.256]",
    "[::g]",
    "[fe80::1%25eth0]",
    "a]",
    "a[",
  );
  others.push(
    "%",
    "%4",
    "%4g",
    "a%",
    "\xe9",
    "a\t",
    "[1.2.3.4]",
    "[::1]]",
    "http://a",
    "<a>",
    '"a"',
  );
  for (const other of others) assert.equal(check(other), false, other);
});
