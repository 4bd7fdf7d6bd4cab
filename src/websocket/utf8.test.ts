import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import { test } from "node:test";
import { concat } from "./receiver.test.helper.ts";
import { checkUtf8, UTF8_ACCEPT, UTF8_REJECT } from "./utf8.ts";

function check(...bytes: number[]): number {
  return checkUtf8(UTF8_ACCEPT, Uint8Array.from(bytes), 0, bytes.length);
}

/** By Node's own check: some ending makes it whole. */
function canBegin(...bytes: number[]): boolean {
  const endings = [[], ...[0x80, 0x90, 0xa0].flatMap((a) => [[a], [a, 0x80], [a, 0x80, 0x80]])];
  return endings.some((ending) => isUtf8(Uint8Array.from([...bytes, ...ending])));
}

/** One of each kind of byte, with the edges between them. */
const EDGES = [
  0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec,
  0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
];

test("every pair of bytes is judged as Node judges it, and rejected when no ending helps", () => {
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      const state = check(first, second);
      assert.equal(state === UTF8_ACCEPT, isUtf8(Uint8Array.of(first, second)));
      assert.equal(state === UTF8_REJECT, !canBegin(first, second), `${first} ${second}`);
    }
  }
});

test("so is every sequence of four bytes from the edges of the grammar", () => {
  const bytes = new Uint8Array(4);
  for (const [first, second] of EDGES.flatMap((a) => EDGES.map((b) => [a, b] as const))) {
    for (const [third, fourth] of EDGES.flatMap((a) => EDGES.map((b) => [a, b] as const))) {
      bytes.set([first, second, third, fourth]);
      const state = checkUtf8(UTF8_ACCEPT, bytes, 0, 4);
      assert.equal(state === UTF8_ACCEPT, isUtf8(bytes), `${bytes}`);
    }
  }
});

test("every character there is passes, and no surrogate does", () => {
  for (let codePoint = 0; codePoint <= 0x10ffff; codePoint++) {
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) {
      assert.equal(check(0xed, 0x80 | ((codePoint >> 6) & 63)), UTF8_REJECT);
      continue;
    }
    // All of the basic plane's edges and every 61st of the rest.
    if (codePoint > 0x900 && codePoint % 61 !== 0) continue;
    const bytes = new TextEncoder().encode(String.fromCodePoint(codePoint));
    assert.equal(checkUtf8(UTF8_ACCEPT, bytes, 0, bytes.length), UTF8_ACCEPT);
  }
});

test("the state carries over a cut at any place", () => {
  const bytes = new TextEncoder().encode("aé€😀z");
  for (let cut = 0; cut <= bytes.length; cut++) {
    const state = checkUtf8(UTF8_ACCEPT, bytes, 0, cut);
    assert.equal(checkUtf8(state, bytes, cut, bytes.length), UTF8_ACCEPT);
  }
});

test("what is rejected stays rejected, whatever follows", () => {
  const bytes = concat(Uint8Array.of(0xff), new TextEncoder().encode("fine from here on"));
  assert.equal(checkUtf8(UTF8_ACCEPT, bytes, 0, bytes.length), UTF8_REJECT);
});
