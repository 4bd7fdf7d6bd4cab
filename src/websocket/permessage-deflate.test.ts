import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ExtensionOffer, parseExtensions } from "./extensions.ts";
import { acceptDeflate } from "./permessage-deflate.ts";

const NONE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

function answerTo(field: string): string | undefined {
  const offers = parseExtensions(field);
  assert.ok(offers !== undefined, `${field} is no list of extensions`);
  const accepted = acceptDeflate(offers);
  if (accepted === undefined) return undefined;
  const { windowBits, response } = accepted;
  // What is said and what is done are the same.
  const [named = "15"] = response.split("; server_max_window_bits=").slice(1);
  assert.equal(windowBits, Number(named));
  assert.ok(response === NONE || response === `${NONE}; server_max_window_bits=${windowBits}`);
  return response;
}

/** With these parameters the offer is taken, and the answer names this window or none. */
const taken: [parameters: string, windowBits: number | undefined][] = [
  ["", undefined],
  ["; server_no_context_takeover", undefined],
  ["; client_no_context_takeover", undefined],
  ["; server_no_context_takeover; client_no_context_takeover", undefined],
  ["; client_max_window_bits", undefined],
  ...[8, 9, 10, 11, 12, 13, 14, 15].flatMap((bits): [string, number | undefined][] => [
    [`; client_max_window_bits=${bits}`, undefined],
    [`; client_max_window_bits="${bits}"`, undefined],
  ]),
  ...[9, 10, 11, 12, 13, 14, 15].flatMap((bits): [string, number | undefined][] => [
    [`; server_max_window_bits=${bits}`, bits],
    [`; server_max_window_bits="${bits}"`, bits],
    [`; client_max_window_bits; server_max_window_bits=${bits}`, bits],
    [`; server_max_window_bits=${bits}; client_no_context_takeover`, bits],
  ]),
  [
    "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; " +
      "client_max_window_bits=11",
    12,
  ],
];

/** With these it is declined (RFC 7692, 7.1). */
const declined: string[] = [
  // zlib's raw DEFLATE has no such window.
  "; server_max_window_bits=8",
  '; server_max_window_bits="8"',
  "; server_max_window_bits=8; client_max_window_bits",
  // "not defined for use in an offer"
  "; x",
  "; x=1",
  "; server_max_window_bits=10; x",
  "; Server_No_Context_Takeover",
  "; server_no_context_takeover_",
  "; __proto__",
  "; constructor",
  // "has an invalid value"
  "; server_no_context_takeover=1",
  "; server_no_context_takeover=true",
  "; client_no_context_takeover=0",
  "; server_max_window_bits",
  ...["7", "16", "0", "1", "150", "08", "09", "010", "+9", "-9", "9.0", "1e1", "0x9", "x"].flatMap(
    (value) => [`; server_max_window_bits=${value}`, `; client_max_window_bits=${value}`],
  ),
  // "multiple parameters with the same name"
  "; server_no_context_takeover; server_no_context_takeover",
  "; client_no_context_takeover; client_no_context_takeover",
  "; client_max_window_bits; client_max_window_bits",
  "; client_max_window_bits; client_max_window_bits=10",
  "; server_max_window_bits=10; server_max_window_bits=10",
  "; server_max_window_bits=10; server_max_window_bits=11",
];

describe("an offer of permessage-deflate is taken", () => {
  for (const [parameters, windowBits] of taken) {
    test(`with "${parameters}"`, () => {
      const named = windowBits === undefined ? "" : `; server_max_window_bits=${windowBits}`;
      assert.equal(answerTo(`permessage-deflate${parameters}`), NONE + named);
    });
  }
});

describe("an offer of permessage-deflate is declined", () => {
  for (const parameters of declined) {
    test(`with "${parameters}"`, () => {
      assert.equal(answerTo(`permessage-deflate${parameters}`), undefined);
      // And is no reason to decline the next one.
      assert.equal(answerTo(`permessage-deflate${parameters}, permessage-deflate`), NONE);
    });
  }
});

describe("of several offers", () => {
  test("the first that can be taken is, in the client's order", () => {
    const first = "permessage-deflate; server_max_window_bits=10";
    assert.equal(answerTo(`${first}, permessage-deflate`), `${NONE}; server_max_window_bits=10`);
    assert.equal(answerTo(`permessage-deflate, ${first}`), NONE);
    const small = "permessage-deflate; server_max_window_bits=8";
    assert.equal(answerTo(`${small}, ${first}`), `${NONE}; server_max_window_bits=10`);
  });

  test("other extensions are passed over", () => {
    assert.equal(answerTo("x-webkit-deflate-frame, permessage-deflate"), NONE);
    assert.equal(answerTo("permessage-bzip2; x=1"), undefined);
    assert.equal(answerTo("Permessage-Deflate"), undefined);
    assert.equal(answerTo("permessage-deflate-2, permessage"), undefined);
  });

  test("none is taken where there is none", () => {
    const none: ExtensionOffer[] = [];
    assert.equal(acceptDeflate(none), undefined);
  });
});
