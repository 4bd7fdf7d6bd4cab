/**
 * An incremental check for UTF-8 (RFC 3629), one table look-up a byte. It serves short payloads
 * and close reasons; long ones are checked where they are unmasked. A state between two calls is
 * this file's own: only accept and reject mean the same elsewhere.
 */

export const UTF8_ACCEPT = 0;
export const UTF8_REJECT = 1;

// What must follow: one, two or three continuation bytes, or a narrower first one.
const TAIL_1 = 2;
const TAIL_2 = 3;
const TAIL_3 = 4;
const AFTER_E0 = 5;
const AFTER_ED = 6;
const AFTER_F0 = 7;
const AFTER_F4 = 8;

/** The grammar of RFC 3629, 4, as rows: state, first and last byte, next state. */
const GRAMMAR: [number, number, number, number][] = [
  [UTF8_ACCEPT, 0x00, 0x7f, UTF8_ACCEPT],
  [UTF8_ACCEPT, 0xc2, 0xdf, TAIL_1],
  [UTF8_ACCEPT, 0xe0, 0xe0, AFTER_E0],
  [UTF8_ACCEPT, 0xe1, 0xec, TAIL_2],
  [UTF8_ACCEPT, 0xed, 0xed, AFTER_ED],
  [UTF8_ACCEPT, 0xee, 0xef, TAIL_2],
  [UTF8_ACCEPT, 0xf0, 0xf0, AFTER_F0],
  [UTF8_ACCEPT, 0xf1, 0xf3, TAIL_3],
  [UTF8_ACCEPT, 0xf4, 0xf4, AFTER_F4],
  [TAIL_1, 0x80, 0xbf, UTF8_ACCEPT],
  [TAIL_2, 0x80, 0xbf, TAIL_1],
  [TAIL_3, 0x80, 0xbf, TAIL_2],
  [AFTER_E0, 0xa0, 0xbf, TAIL_1],
  [AFTER_ED, 0x80, 0x9f, TAIL_1],
  [AFTER_F0, 0x90, 0xbf, TAIL_2],
  [AFTER_F4, 0x80, 0x8f, TAIL_2],
];

/** The next state of (state, byte); what the grammar does not have is rejected. */
const NEXT = new Uint8Array(256 * (AFTER_F4 + 1)).fill(UTF8_REJECT);
for (const [state, first, last, next] of GRAMMAR) {
  NEXT.fill(next, state * 256 + first, state * 256 + last + 1);
}

/** Runs the check over [offset, end) from `state` on; UTF8_REJECT stays what it is. */
export function checkUtf8(state: number, bytes: Uint8Array, offset: number, end: number): number {
  let current = state;
  for (let index = offset; index < end; index++) {
    current = NEXT[(current << 8) | (bytes[index] as number)] as number;
  }
  return current;
}
