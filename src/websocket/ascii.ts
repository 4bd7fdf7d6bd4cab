/**
 * Classes of bytes as HTTP has them (RFC 9110, 5.6.2; RFC 3986), in one table, and comparing
 * without regard to case. Nothing here makes a string.
 */

/** Letters, digits and the marks that methods, field names and subprotocols are made of. */
export const ASCII_TOKEN = 1;
/** What a request target is taken to hold: everything visible but the fragment's mark. */
export const ASCII_TARGET = 2;
/** What the name of a host is made of; no comma, which would join two of them. */
export const ASCII_HOST = 4;
/** What stands between the brackets of an IPv6 address. */
export const ASCII_IPV6 = 8;
export const ASCII_DIGIT = 16;
const ASCII_HEX = 32;
/** What a line of a request head may hold: all but control bytes, the tab excepted. */
export const ASCII_LINE = 64;

type ByteClass =
  | typeof ASCII_TOKEN
  | typeof ASCII_TARGET
  | typeof ASCII_HOST
  | typeof ASCII_IPV6
  | typeof ASCII_DIGIT
  | typeof ASCII_HEX
  | typeof ASCII_LINE;

const TAB = 0x09;
const SPACE = 0x20;
const PERCENT = 0x25;
const COMMA = 0x2c;

const CLASSES = new Uint8Array(256);
const ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
add(ASCII_TOKEN, `${ALPHANUMERIC}!#$%&'*+-.^_\`|~`);
add(ASCII_HOST, `${ALPHANUMERIC}-._~%!$&'()*+;=`);
add(ASCII_IPV6, "0123456789ABCDEFabcdef:.");
add(ASCII_DIGIT, "0123456789");
add(ASCII_HEX, "0123456789ABCDEFabcdef");
for (let byte = 0x21; byte < 0x7f; byte++) {
  if (byte !== 0x23) add(ASCII_TARGET, String.fromCharCode(byte));
}
for (let byte = 0; byte < 256; byte++) {
  if (byte === 0x09 || (byte >= 0x20 && byte !== 0x7f)) add(ASCII_LINE, String.fromCharCode(byte));
}

function add(byteClass: ByteClass, characters: string): void {
  for (const character of characters) {
    const byte = character.charCodeAt(0);
    CLASSES[byte] = (CLASSES[byte] as number) | byteClass;
  }
}

/** The first position in [offset, end) of a byte that is not of the class, or `end`. */
export function spanOf(
  byteClass: ByteClass,
  bytes: Uint8Array,
  offset: number,
  end: number,
): number {
  let index = offset;
  while (index < end && ((CLASSES[bytes[index] as number] as number) & byteClass) !== 0) index++;
  return index;
}

/** Whether behind each percent sign in [offset, end) stand two hexadecimal digits. */
export function isPercentEncoded(bytes: Uint8Array, offset: number, end: number): boolean {
  for (let index = offset; index < end; index++) {
    if (bytes[index] !== PERCENT) continue;
    if (index + 3 > end || spanOf(ASCII_HEX, bytes, index + 1, index + 3) < index + 3) return false;
  }
  return true;
}

export function isToken(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (((CLASSES[text.charCodeAt(index)] ?? 0) & ASCII_TOKEN) === 0) return false;
  }
  return text.length > 0;
}

/** Whether bytes [offset, end) are `lowerCase`, whatever the case they are written in. */
export function equalsIgnoringCase(
  bytes: Uint8Array,
  offset: number,
  end: number,
  lowerCase: string,
): boolean {
  if (end - offset !== lowerCase.length) return false;
  for (let index = 0; index < lowerCase.length; index++) {
    const byte = bytes[offset + index] as number;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
    if (lower !== lowerCase.charCodeAt(index)) return false;
  }
  return true;
}

/** Whether bytes [offset, end) are `text`. */
export function equals(bytes: Uint8Array, offset: number, end: number, text: string): boolean {
  return end - offset === text.length && startsWith(bytes, offset, end, text);
}

/** Whether bytes [offset, end), a list with commas, have this element, whatever its case. */
export function listHas(
  bytes: Uint8Array,
  offset: number,
  end: number,
  lowerCase: string,
): boolean {
  for (let start = offset; start <= end; start++) {
    let elementEnd = start;
    while (elementEnd < end && bytes[elementEnd] !== COMMA) elementEnd++;
    const first = skipBlanks(bytes, start, elementEnd);
    const last = trimBlanks(bytes, first, elementEnd);
    if (equalsIgnoringCase(bytes, first, last, lowerCase)) return true;
    start = elementEnd;
  }
  return false;
}

/** Where in [offset, end) something else begins than spaces and tabs (RFC 9110, 5.6.3). */
export function skipBlanks(bytes: Uint8Array, offset: number, end: number): number {
  let index = offset;
  while (index < end && isBlank(bytes[index])) index++;
  return index;
}

/** Where the last of what is neither space nor tab in [offset, end) ends. */
export function trimBlanks(bytes: Uint8Array, offset: number, end: number): number {
  let index = end;
  while (index > offset && isBlank(bytes[index - 1])) index--;
  return index;
}

export function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

/** Whether `text` stands at `offset`, byte for byte. */
export function startsWith(bytes: Uint8Array, offset: number, end: number, text: string): boolean {
  if (end - offset < text.length) return false;
  for (let index = 0; index < text.length; index++) {
    if (bytes[offset + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}
