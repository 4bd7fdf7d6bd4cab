/**
 * Unmasking in place for payloads so short that a call into C would cost more than the work:
 * four bytes at a time, in any buffer. Whole payloads only; no state is carried.
 */
import { checkUtf8, UTF8_ACCEPT } from "./utf8.ts";

/** Unmasks bytes [offset, offset + length); the result's highest bit of a byte says non-ASCII. */
export function unmaskShort(
  bytes: Uint8Array,
  to: number,
  offset: number,
  length: number,
  key: number,
): number {
  const key0 = key & 255;
  const key1 = (key >>> 8) & 255;
  const key2 = (key >>> 16) & 255;
  const key3 = key >>> 24;
  const back = offset - to;
  const end = offset + length;
  const wordsEnd = end - (length & 3);
  let index = offset;
  let seen = 0;
  for (; index < wordsEnd; index += 4) {
    const byte0 = (bytes[index] as number) ^ key0;
    const byte1 = (bytes[index + 1] as number) ^ key1;
    const byte2 = (bytes[index + 2] as number) ^ key2;
    const byte3 = (bytes[index + 3] as number) ^ key3;
    bytes[index - back] = byte0;
    bytes[index + 1 - back] = byte1;
    bytes[index + 2 - back] = byte2;
    bytes[index + 3 - back] = byte3;
    seen |= byte0 | byte1 | byte2 | byte3;
  }
  let rest = key;
  for (; index < end; index++) {
    const byte = (bytes[index] as number) ^ (rest & 255);
    bytes[index - back] = byte;
    seen |= byte;
    rest >>>= 8;
  }
  return seen;
}

/** Unmasks a whole text; false when it is not UTF-8. */
export function unmaskShortText(
  bytes: Uint8Array,
  to: number,
  offset: number,
  length: number,
  key: number,
): boolean {
  if (unmaskShort(bytes, to, offset, length, key) < 128) return true;
  return checkUtf8(UTF8_ACCEPT, bytes, to, to + length) === UTF8_ACCEPT;
}
