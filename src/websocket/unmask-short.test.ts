import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import { naiveUnmask } from "./receiver.test.helper.ts";
import { unmaskShort, unmaskShortText } from "./unmask-short.ts";

const KEYS = [0, 1, -1, 0x01020304, 0x80ff7f01 | 0];

test("every length at every alignment is unmasked, and nothing beside it", () => {
  for (const key of KEYS) {
    for (let length = 0; length < 70; length++) {
      for (let offset = 0; offset < 4; offset++) {
        const bytes = Uint8Array.from({ length: 80 }, (_, index) => index * 7);
        const expected = bytes.slice();
        naiveUnmask(expected)(offset, offset, length, key, -1);
        unmaskShort(bytes, offset, offset, length, key);
        assert.deepEqual(bytes, expected);
      }
    }
  }
});

test("unmasked bytes may be moved to the front, over the masked ones", () => {
  for (let length = 0; length < 20; length++) {
    for (let to = 0; to <= 10; to++) {
      const bytes = Uint8Array.from({ length: 40 }, (_, index) => index * 7);
      const expected = bytes.slice();
      naiveUnmask(expected)(to, 10, length, 0x01020304, -1);
      unmaskShort(bytes, to, 10, length, 0x01020304);
      assert.deepEqual(bytes, expected);
    }
  }
});

test("a text of any bytes is judged as Node judges it", () => {
  const text = fc.string({ unit: "binary", maxLength: 20 }).map((it) => Buffer.from(it));
  const bytes = fc.oneof(text, fc.uint8Array({ maxLength: 12 }));
  const property = fc.property(bytes, fc.integer(), (payload, key) => {
    const masked = Uint8Array.from(payload);
    naiveUnmask(masked)(0, 0, masked.length, key, -1);
    assert.equal(unmaskShortText(masked, 0, 0, masked.length, key), isUtf8(payload));
    assert.deepEqual(masked, Uint8Array.from(payload));
  });
  fc.assert(property, { seed: testSeed(), numRuns: propertyRuns(2000, 20_000_000) });
});
