/**
 * Whether a Host field names a host (RFC 9110, 7.2; RFC 3986, 3.2.2): a name or an address, and
 * perhaps a port. It resolves nothing, and addresses of future versions of IP are unknown to it.
 */
import { ASCII_DIGIT, ASCII_HOST, ASCII_IPV6, isPercentEncoded, spanOf } from "./ascii.ts";

const OPENING = 0x5b;
const CLOSING = 0x5d;
const COLON = 0x3a;
/** With its bracket: eight groups of four digits, or six and a dotted address. */
const IPV6_BYTES_MAX = 46;

/** Of bytes [offset, end); a user in front, a path behind or a second host make it none. */
export function isHost(bytes: Uint8Array, offset: number, end: number): boolean {
  const hostEnd = bytes[offset] === OPENING ? addressEnd(bytes, offset, end) : offset;
  const nameEnd = hostEnd === offset ? spanOf(ASCII_HOST, bytes, offset, end) : hostEnd;
  if (nameEnd <= offset || !isPercentEncoded(bytes, offset, nameEnd)) return false;
  if (nameEnd === end) return true;
  return bytes[nameEnd] === COLON && spanOf(ASCII_DIGIT, bytes, nameEnd + 1, end) === end;
}

/** Behind the bracket that closes, or -1 when what stands in brackets is no IPv6 address. */
function addressEnd(bytes: Uint8Array, offset: number, end: number): number {
  const closing = spanOf(ASCII_IPV6, bytes, offset + 1, end);
  if (closing - offset > IPV6_BYTES_MAX || bytes[closing] !== CLOSING) return -1;
  const address = String.fromCharCode(...bytes.subarray(offset, closing + 1));
  return URL.canParse(`http://${address}/`) ? closing + 1 : -1;
}
