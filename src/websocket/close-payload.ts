/**
 * The payload of a close frame (RFC 6455, 5.5.1): nothing, or a code and perhaps a reason. It is
 * read and judged here; what follows from it is for others.
 */
import { checkUtf8, UTF8_ACCEPT } from "./utf8.ts";
import {
  CLOSE_CODE_INVALID,
  CLOSE_PAYLOAD_TOO_SHORT,
  CLOSE_REASON_NOT_UTF8,
  type Violation,
} from "./violation.ts";

/** RFC 6455, 7.1.5: the code of a close frame that has none. */
export const NO_CLOSE_CODE = 1005;

const CODE_BYTES = 2;

/** The code that a valid payload has. */
export function closeCodeOf(bytes: Uint8Array, offset: number, length: number): number {
  if (length < CODE_BYTES) return NO_CLOSE_CODE;
  return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number);
}

/** The first rule that a payload, unmasked already, breaks. */
export function checkClosePayload(
  bytes: Uint8Array,
  offset: number,
  length: number,
): Violation | undefined {
  if (length === 0) return undefined;
  if (length < CODE_BYTES) return CLOSE_PAYLOAD_TOO_SHORT;
  if (!isCloseCode(closeCodeOf(bytes, offset, length))) return CLOSE_CODE_INVALID;
  const utf8 = checkUtf8(UTF8_ACCEPT, bytes, offset + CODE_BYTES, offset + length);
  return utf8 === UTF8_ACCEPT ? undefined : CLOSE_REASON_NOT_UTF8;
}

/** RFC 6455, 7.4, and the codes registered since (1012 to 1014). */
function isCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}
