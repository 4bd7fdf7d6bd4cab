/**
 * Group 6, the rest: every edge of the grammar of RFC 3629, 4, as one text message each: first
 * and last characters of each length, what is too long, beyond Unicode, a surrogate or cut off.
 * With what is wrong stands the byte at which that is certain.
 */
import { accepted, type ConformanceCase, failedText, message, stage } from "./case.ts";
import { bytesOf, frame, TEXT } from "./frames.ts";

/** Characters of two and of three bytes. */
export const WORD = "č€šřž";

/** Hexadecimal bytes of a payload, and of what is wrong the decisive byte, counted from 1. */
type Row = string | readonly [string, number];

/** In hexadecimal, for a table: a text of characters needs no other form. */
function hex(bytes: Uint8Array | string): string {
  return Buffer.from(bytesOf(bytes)).toString("hex");
}

/** Every prefix of the word; one that ends inside a character fails with the frame. */
function prefixes(): Row[] {
  const word = Buffer.from(WORD);
  const ends = new Set([2, 5, 7, 9, 11]);
  return Array.from(word, (_, index) => {
    const prefix = hex(word.subarray(0, index + 1));
    return ends.has(index + 1) ? prefix : ([prefix, index + 1] as const);
  });
}

/** Each first byte of [first, last], a space behind it: which is no continuation byte. */
function lonely(first: number, last: number, decisive: number): Row {
  const bytes: number[] = [];
  for (let byte = first; byte < last; byte++) bytes.push(byte, 0x20);
  return [hex(Uint8Array.from(bytes)), decisive];
}

/** The last byte of each is missing: in the first half of the table they would be too long. */
const CUT_OFF: readonly (readonly [string, number])[] = [
  ["c0", 1],
  ["e080", 2],
  ["f08080", 2],
  ["f8808080", 1],
  ["fc80808080", 1],
  ["df", 1],
  ["efbf", 2],
  ["f7bfbf", 1],
  ["fbbfbfbf", 1],
  ["fdbfbfbfbf", 1],
];

/** Code points that are no characters and never will be; as UTF-8 there is no fault in them. */
function nonCharacters(): Row[] {
  const rows: Row[] = [];
  for (let plane = 0; plane <= 16; plane++) {
    rows.push(hex(String.fromCodePoint(plane * 0x10000 + 0xfffe)));
    rows.push(hex(String.fromCodePoint(plane * 0x10000 + 0xffff)));
  }
  return rows;
}

const CONTINUATIONS = hex(Uint8Array.from({ length: 63 }, (_, index) => 0x80 + index));

const TABLE: readonly (readonly [title: string, rows: readonly Row[]])[] = [
  [
    "Characters of one to four bytes",
    [hex("cost$of"), hex("cost¢of"), hex("cost€of"), hex("cost𤭢of"), hex(WORD)],
  ],
  ["Every prefix of a word", prefixes()],
  ["The first character of each length", ["00", "c280", "e0a080", "f0908080"]],
  [
    "The first of five and of six bytes",
    [
      ["f888808080", 1],
      ["fc8480808080", 1],
    ],
  ],
  ["The last character of each length", ["7f", "dfbf", "efbfbf", "f48fbfbf"]],
  [
    "The last of four, five and six bytes",
    [
      ["f7bfbfbf", 1],
      ["fbbfbfbfbf", 1],
      ["fdbfbfbfbfbf", 1],
    ],
  ],
  [
    "Beside the surrogates and at the end of Unicode",
    ["ed9fbf", "ee8080", "efbfbd", "f48fbfbf", ["f4908080", 2]],
  ],
  [
    "Continuation bytes without a first one",
    [
      ["80", 1],
      ["bf", 1],
      ["80bf", 1],
      ["80bf80", 1],
      ["80bf80bf", 1],
      ["80bf80bf80", 1],
      ["80bf80bf80bf", 1],
      [CONTINUATIONS, 1],
    ],
  ],
  [
    "First bytes without a continuation",
    [
      lonely(0xc0, 0xdf, 1),
      lonely(0xe0, 0xef, 2),
      lonely(0xf0, 0xf7, 2),
      lonely(0xf8, 0xfb, 1),
      lonely(0xfc, 0xfd, 1),
    ],
  ],
  ["Sequences without their last byte", CUT_OFF],
  ["All of these together", [[CUT_OFF.map(([bytes]) => bytes).join(""), 1]]],
  [
    "Bytes that are in no UTF-8",
    [
      ["fe", 1],
      ["ff", 1],
      ["fefeffff", 1],
    ],
  ],
  [
    "A slash in two to six bytes",
    [
      ["c0af", 1],
      ["e080af", 2],
      ["f08080af", 2],
      ["f8808080af", 1],
      ["fc80808080af", 1],
    ],
  ],
  [
    "The last character that is too long in each length",
    [
      ["c1bf", 1],
      ["e09fbf", 2],
      ["f08fbfbf", 2],
      ["f887bfbfbf", 1],
      ["fc83bfbfbfbf", 1],
    ],
  ],
  [
    "NUL in two to six bytes",
    [
      ["c080", 1],
      ["e08080", 2],
      ["f0808080", 2],
      ["f880808080", 1],
      ["fc8080808080", 1],
    ],
  ],
  [
    "Halves of surrogate pairs",
    ["a080", "adbf", "ae80", "afbf", "b080", "be80", "bfbf"].map((half) => [`ed${half}`, 2]),
  ],
  [
    "Surrogate pairs",
    ["a080", "adbf", "ae80", "afbf"].flatMap((high): Row[] => [
      [`ed${high}edb080`, 2],
      [`ed${high}edbfbf`, 2],
    ]),
  ],
  ["Code points that are no characters", nonCharacters()],
  [
    "Specials, from U+FFF9 to U+FFFF",
    Array.from({ length: 7 }, (_, index) => hex(String.fromCharCode(0xfff9 + index))),
  ],
];

const FIRST_GROUP = 5;
/** Of a payload that the page shows: one of these is all continuation bytes in a row. */
const SHOWN_BYTES_MAX = 16;

function show(bytes: string): string {
  const pairs = bytes.match(/../g) ?? [];
  const shown = pairs.slice(0, SHOWN_BYTES_MAX).join(" ");
  return pairs.length > SHOWN_BYTES_MAX ? `${shown} … (${pairs.length} bytes)` : shown;
}

function caseOf(id: string, row: Row): ConformanceCase {
  const [bytes, decisive] = typeof row === "string" ? [row, 0] : row;
  const payload = Buffer.from(bytes, "hex");
  const sentence = `a text of \`${show(bytes)}\``;
  if (decisive > 0) return failedText(id, sentence, payload, decisive);
  const stages = [stage([frame(TEXT, payload)], [message(TEXT, payload)])];
  return accepted(id, sentence, "echoed", () => stages);
}

export const sequenceGroups = TABLE.map(([title, rows], index) => {
  const number = `6.${FIRST_GROUP + index}`;
  const cases = rows.map((row, place) => caseOf(`${number}.${place + 1}`, row));
  return { number, title, cases };
});
