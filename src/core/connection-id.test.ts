import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import {
  formatConnectionId,
  makeNonce,
  parseConnectionId,
  placeOf,
  slotOf,
} from "./connection-id.ts";

const SLOT_MAX = 2 ** 20 - 1;
const GENERATION_MAX = 2 ** 32 - 1;
const NONCE = "AbC-_567890";

const edges = [
  [0, 0],
  [SLOT_MAX, 0],
  [0, GENERATION_MAX],
  [SLOT_MAX, GENERATION_MAX],
  [1, 2 ** 31],
  [2 ** 19, 2 ** 31 - 1],
] as const;

function idOf(bytes: number[]): string {
  return `${NONCE}.${Buffer.from(bytes).toString("base64url")}`;
}

describe("a place", () => {
  for (const [slot, generation] of edges) {
    test(`of slot ${slot} and generation ${generation} is exact and gives its slot back`, () => {
      const place = placeOf(slot, generation);
      assert.ok(Number.isSafeInteger(place));
      assert.equal(slotOf(place), slot);
      assert.equal(BigInt(place), (BigInt(generation) << 20n) | BigInt(slot));
    });
  }

  test("is another one for every slot and generation", () => {
    const places = edges.map(([slot, generation]) => placeOf(slot, generation));
    assert.equal(new Set(places).size, edges.length);
    assert.notEqual(placeOf(5, 7), placeOf(5, 8));
    assert.notEqual(placeOf(5, 7), placeOf(6, 7));
  });
});

describe("a connection id", () => {
  test("comes back as the nonce and the place that it was made of", () => {
    const slots = fc.oneof(fc.constantFrom(0, 1, SLOT_MAX), fc.nat(SLOT_MAX));
    const generations = fc.oneof(
      fc.constantFrom(0, 1, 2 ** 31 - 1, 2 ** 31, GENERATION_MAX),
      fc.integer({ min: 0, max: GENERATION_MAX }),
    );
    fc.assert(
      fc.property(slots, generations, (slot, generation) => {
        const nonce = makeNonce();
        const place = placeOf(slot, generation);
        const id = formatConnectionId(nonce, place);
        assert.deepEqual(parseConnectionId(id), { nonce, place });
        // What subjects, paths and headers take without an escape.
        assert.match(id, /^[A-Za-z0-9_-]{11}\.[A-Za-z0-9_-]{10}$/);
      }),
      { seed: testSeed(), numRuns: propertyRuns(300, 20_000) },
    );
  });

  test("of the same slot one use later is another id", () => {
    const before = formatConnectionId(NONCE, placeOf(9, 3));
    const after = formatConnectionId(NONCE, placeOf(9, 4));
    assert.notEqual(before, after);
    assert.notDeepEqual(parseConnectionId(before), parseConnectionId(after));
  });

  test("is written in one way only", () => {
    const id = formatConnectionId(NONCE, placeOf(SLOT_MAX, GENERATION_MAX));
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const same = [...alphabet]
      .map((letter) => id.slice(0, -1) + letter)
      .filter((each) => {
        const parsed = parseConnectionId(each);
        return parsed !== undefined && parsed.place === placeOf(SLOT_MAX, GENERATION_MAX);
      });
    assert.deepEqual(same, [id]);
  });

  test("that was never given out is none", () => {
    const good = formatConnectionId(NONCE, placeOf(1, 1));
    const malformed = [
      "",
      ".",
      NONCE,
      `${NONCE}.`,
      `.${good.split(".")[1]}`,
      good.slice(1),
      `${good}A`,
      good.slice(0, -1),
      ` ${good}`,
      `${good}\n`,
      good.replace(".", ".."),
      good.replace(".", "/"),
      `${NONCE}.${"=".repeat(10)}`,
      `${NONCE}.${"+".repeat(10)}`,
      `${NONCE}.${"é".repeat(10)}`,
      `${"é".repeat(11)}.AAABAAAAAQ`,
      "../../../etc/passwd",
    ];
    for (const id of malformed) assert.equal(parseConnectionId(id), undefined, JSON.stringify(id));
  });

  test("with a slot beyond all slots is none", () => {
    assert.equal(parseConnectionId(idOf([0x10, 0, 0, 0, 0, 0, 1])), undefined);
    assert.equal(parseConnectionId(idOf([0xff, 0xff, 0xff, 0, 0, 0, 1])), undefined);
    assert.deepEqual(parseConnectionId(idOf([0x0f, 0xff, 0xff, 0, 0, 0, 1])), {
      nonce: NONCE,
      place: placeOf(SLOT_MAX, 1),
    });
  });
});

test("two starts of a worker have different nonces of 64 bits", () => {
  const nonces = Array.from({ length: 100 }, makeNonce);
  assert.equal(new Set(nonces).size, 100);
  for (const nonce of nonces) assert.equal(Buffer.from(nonce, "base64url").length, 8);
});
