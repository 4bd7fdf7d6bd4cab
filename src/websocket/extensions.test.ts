import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import { type ExtensionOffer, parseExtensions } from "./extensions.ts";

/** As the field was meant: "name; parameter=value; flag". */
function sentenceOf({ name, parameters }: ExtensionOffer): string {
  const parts = parameters.map(([key, value]) => (value === undefined ? key : `${key}=${value}`));
  return [name, ...parts].join("; ");
}

describe("a list of extensions", () => {
  const cases: [value: string, offers: string[]][] = [
    ["a", ["a"]],
    ["a,b", ["a", "b"]],
    ["a, b", ["a", "b"]],
    [" a\t,\tb ", ["a", "b"]],
    ["a;b", ["a; b"]],
    ["a; b; c=1; d", ["a; b; c=1; d"]],
    ["a;b=1,c;d=2", ["a; b=1", "c; d=2"]],
    ["a ; b = 1 ; c", ["a; b=1; c"]],
    ["a;\tb\t=\t1", ["a; b=1"]],
    ['a; b="1"', ["a; b=1"]],
    ['a; b = "1" ; c', ["a; b=1; c"]],
    ['a; b="x\\y\\z"', ["a; b=xyz"]],
    ['a; b="\\x"', ["a; b=x"]],
    ["a; b; b", ["a; b; b"]],
    ["a, a", ["a", "a"]],
    ["a; b=1; b=2", ["a; b=1; b=2"]],
    ["A; B=C", ["A; B=C"]],
    ["!#$%&'*+-.^_`|~09azAZ", ["!#$%&'*+-.^_`|~09azAZ"]],
    // RFC 9110, 5.6.1.2: empty elements of a list are passed over.
    [",a", ["a"]],
    ["a,", ["a"]],
    [" , a , , b ,,", ["a", "b"]],
    // Names that objects have by themselves are names like others.
    ["__proto__; constructor=toString", ["__proto__; constructor=toString"]],
  ];
  for (const [value, offers] of cases) {
    test(`${JSON.stringify(value)} is read`, () => {
      assert.deepEqual(parseExtensions(value)?.map(sentenceOf), offers);
    });
  }

  test("that is not there has no offers", () => {
    assert.deepEqual(parseExtensions(undefined), []);
  });
});

describe("no list of extensions", () => {
  const malformed = [
    ...["", " ", ",", " , ,", ";", "=", '"', '"a"', "/", "é"],
    ...["a b", "a=b", "a=", "a/b", "a; b c", "a(", "a@b", "[a]", "a:b", "a\u00a0"],
    ...[
      "a;",
      "a; ",
      "a;;b",
      "a; ;b",
      "a;,b",
      "a; b,;",
      "a;=1",
      "a; =",
      "a; b=",
      "a; b=,",
      "a; b=;c",
    ],
    ...["a; b==1", "a; b=1=2", "a; b=1 2", "a; b=/", "a; b=é"],
    ...['a; b=""', 'a; b="', 'a; b="x', 'a; b="x y"', 'a; b=" x"', 'a; b="x "', 'a; b="x,y"'],
    ...[
      'a; b="x;y"',
      'a; b="\\"',
      'a; b="\\',
      'a; b="x\\"',
      'a; b="\\""',
      'a; b="\\\\"',
      'a; b="é"',
    ],
    ...['a; b="x"y', 'a; b="x""y"', 'a; b=x"y"', 'a; "b"', 'a; "b"=1', 'a, "b"'],
  ];
  for (const value of malformed) {
    test(`${JSON.stringify(value)} is malformed`, () => {
      assert.equal(parseExtensions(value), undefined);
    });
  }
});

const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,8}$/);
const blanks = fc.stringMatching(/^[ \t]{0,2}$/);
const parameter = fc.tuple(token, fc.option(token, { nil: undefined }));
const offer = fc.record({ name: token, parameters: fc.array(parameter, { maxLength: 4 }) });

/** One way to write the value: itself, in quotes, or with every character escaped. */
const writings = [
  (value: string) => value,
  (value: string) => `"${value}"`,
  (value: string) => `"${value.replaceAll(/./g, "\\$&")}"`,
];

test("what is written in any of the ways that the grammar has is read as it was meant", () => {
  const lists = fc.array(offer, { minLength: 1, maxLength: 4 });
  const property = fc.property(lists, blanks, fc.nat({ max: 2 }), (offers, blank, way) => {
    const write = writings[way] as (value: string) => string;
    const text = offers
      .map(({ name, parameters }) =>
        [
          name,
          ...parameters.map(([key, value]) =>
            value === undefined ? key : `${key}${blank}=${blank}${write(value)}`,
          ),
        ].join(`${blank};${blank}`),
      )
      .join(`${blank},${blank}`);
    assert.deepEqual(parseExtensions(text)?.map(sentenceOf), offers.map(sentenceOf));
  });
  fc.assert(property, { seed: testSeed(), numRuns: propertyRuns(300, 20_000) });
});

test("whatever the value is, it is read to its end or found malformed", () => {
  const characters = fc.constantFrom(...'ab;,="\\ \t/é1');
  const property = fc.property(fc.array(characters, { maxLength: 30 }), (parts) => {
    const text = parts.join("");
    const offers = parseExtensions(text);
    if (offers === undefined) return;
    // Read once more as it was understood, it is the same: nothing was passed over.
    const written = offers.map(sentenceOf).join(", ");
    assert.deepEqual(parseExtensions(written), offers);
    const letters = (list: string) => list.replaceAll(/["\\ \t,]/g, "");
    assert.equal(letters(written), letters(text));
  });
  fc.assert(property, { seed: testSeed(), numRuns: propertyRuns(1000, 50_000) });
});

test("what one client offers is not taken for what the next one does", () => {
  const values = ["a; b", "a; b", "a;", "a;", "a; b", undefined, "", "", "a; b=1"];
  const told = values.map((value) => parseExtensions(value)?.map(sentenceOf).join());
  assert.deepEqual(told, [
    ...["a; b", "a; b", undefined, undefined, "a; b"],
    ...["", undefined, undefined, "a; b=1"],
  ]);
});
