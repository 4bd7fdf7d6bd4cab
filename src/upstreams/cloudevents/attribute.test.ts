import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../../test/support/seed.ts";
import { decodeAttribute, encodeAttribute } from "./attribute.ts";

const pairs: [string, string][] = [
  ["plain", "plain"],
  ["", ""],
  ["anna smith", "anna%20smith"],
  ['say "hi"', "say%20%22hi%22"],
  ["100%", "100%25"],
  ["%41", "%2541"],
  ["Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"],
  ["jürgen", "j%C3%BCrgen"],
  ["a\r\nb\tc\u007f", "a%0D%0Ab%09c%7F"],
  ["!#$&'()*+,-./:;<=>?@[\\]^_`{|}~", "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"],
];

for (const [value, encoded] of pairs) {
  test(`${JSON.stringify(value)} travels as ${encoded} and comes back`, () => {
    assert.equal(encodeAttribute(value), encoded);
    assert.equal(decodeAttribute(encoded), value);
  });
}

test("any well-formed string survives the journey as printable ASCII", () => {
  const property = fc.property(fc.string({ unit: "binary" }), (value) => {
    const encoded = encodeAttribute(value);
    assert.match(encoded, /^[\x21-\x7e]*$/);
    // A value in double quotes cannot arise: the quotes were encoded.
    assert.equal(decodeAttribute(encoded), value);
  });
  fc.assert(property, { seed: testSeed(), numRuns: propertyRuns(1000, 5_000_000) });
});

test("a lone surrogate becomes the replacement character", () => {
  assert.equal(encodeAttribute("\ud800"), "%EF%BF%BD");
});

test("decoding accepts what other encoders write", () => {
  assert.equal(decodeAttribute("%e2%82%ac"), "€");
  assert.equal(decodeAttribute('"a \\"b\\" c"'), 'a "b" c');
  assert.equal(decodeAttribute("50% off %zz %4"), "50% off %zz %4");
  assert.equal(decodeAttribute("%41%"), "A%");
  assert.equal(decodeAttribute("%FF"), "\ufffd");
  assert.equal(decodeAttribute("eyJrIjoiYSJ9=="), "eyJrIjoiYSJ9==");
  assert.equal(decodeAttribute('"'), '"');
});
