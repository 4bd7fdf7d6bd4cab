/**
 * CloudEvents attribute values as HTTP header values: percent-encoding as the HTTP binding 1.0.2
 * says in 3.1.3.2, so that any user name can travel. It knows no attribute's name or meaning.
 */

/** All but printable ASCII, and of that the space, the double quote and the percent sign. */
const MUST_BE_ENCODED = /[^\x21\x23\x24\x26-\x7e]/;
const ENCODED_OCTET = /%[0-9A-Fa-f]{2}/;

export function encodeAttribute(value: string): string {
  if (!MUST_BE_ENCODED.test(value)) return value;
  let encoded = "";
  // UTF-8 of a lone surrogate is U+FFFD: it stands for no character and cannot travel.
  for (const octet of Buffer.from(value, "utf8")) {
    const character = String.fromCharCode(octet);
    encoded += MUST_BE_ENCODED.test(character)
      ? `%${octet.toString(16).toUpperCase().padStart(2, "0")}`
      : character;
  }
  return encoded;
}

/** A quoted string loses its quotes first; octets that are not UTF-8 become U+FFFD. */
export function decodeAttribute(header: string): string {
  const value = unquote(header);
  if (!ENCODED_OCTET.test(value)) return value;
  const source = Buffer.from(value, "utf8");
  const octets = Buffer.allocUnsafe(source.length);
  let length = 0;
  for (let index = 0; index < source.length; index += 1) {
    const hex = source[index] === 0x25 ? source.toString("latin1", index + 1, index + 3) : "";
    if (/^[0-9A-Fa-f]{2}$/.test(hex)) {
      octets[length] = Number.parseInt(hex, 16);
      index += 2;
    } else {
      octets[length] = source[index] as number;
    }
    length += 1;
  }
  return octets.toString("utf8", 0, length);
}

/** RFC 9110, 5.6.4. */
function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value;
  return value.slice(1, -1).replace(/\\(.)/g, "$1");
}
