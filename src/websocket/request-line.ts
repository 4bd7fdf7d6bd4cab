/**
 * The first line of a request (RFC 9112, 3): only `GET /path HTTP/1.1` passes, so where its
 * target stands follows from where the line does. What can be told from the first bytes of
 * something that is no HTTP at all is told then, before any line has ended.
 */
import { ASCII_TARGET, ASCII_TOKEN, isPercentEncoded, spanOf, startsWith } from "./ascii.ts";
import type { Refusal } from "./handshake.ts";
import {
  HEAD_NOT_A_GET,
  HTTP_1_0,
  HTTP_2_PREFACE,
  METHOD_UNKNOWN,
  NOT_A_GET,
  REQUEST_LINE_INVALID,
  TARGET_HAS_FRAGMENT,
  TARGET_INVALID,
  TARGET_NOT_A_PATH,
  TARGET_PERCENT_INVALID,
  TARGET_TOO_LONG,
  TLS_ON_PLAIN_PORT,
  VERSION_NOT_SUPPORTED,
} from "./refusal.ts";

/** No registered method is longer than 17. */
export const METHOD_BYTES_MAX = 24;

/** Those of RFC 9110, 9, and RFC 5789, each with the space behind it. */
const METHODS = ["POST ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ", "PATCH "];

const SPACE = 0x20;
const SLASH = 0x2f;
const FRAGMENT_MARK = 0x23;
const QUESTION_MARK = 0x3f;
/** The first byte of a TLS record that holds a handshake (RFC 8446, 5.1). */
const TLS_HANDSHAKE = 0x16;

const VERSION_BYTES = " HTTP/1.1".length;

/** Where the target of a line [start, end) that passed the check begins. */
export function targetStart(start: number): number {
  return start + "GET ".length;
}

export function targetEnd(end: number): number {
  return end - VERSION_BYTES;
}

/** What the bytes up to the first space say: METHOD_BYTES_MAX of them at the most. */
export function checkFirstBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
): Refusal | undefined {
  if (bytes[start] === TLS_HANDSHAKE) return TLS_ON_PLAIN_PORT;
  const methodEnd = spanOf(ASCII_TOKEN, bytes, start, Math.min(end, start + METHOD_BYTES_MAX));
  if (methodEnd === end) return undefined;
  // RFC 9112, 3: to a method that is longer than any that the server knows, 501.
  if (spanOf(ASCII_TOKEN, bytes, methodEnd, methodEnd + 1) > methodEnd) return METHOD_UNKNOWN;
  return methodEnd > start && bytes[methodEnd] === SPACE ? undefined : REQUEST_LINE_INVALID;
}

/** Checks a whole line, its end left out, whose first bytes have passed their check. */
export function checkRequestLine(
  bytes: Uint8Array,
  start: number,
  end: number,
  targetBytesMax: number,
): Refusal | undefined {
  const methodEnd = spanOf(ASCII_TOKEN, bytes, start, end);
  const version = end - VERSION_BYTES;
  if (bytes[methodEnd] !== SPACE) return REQUEST_LINE_INVALID;
  // At least one byte of target stands between the two spaces.
  if (version < methodEnd + 2 || !isVersion(bytes, version, end)) return REQUEST_LINE_INVALID;
  const isHttp11 = startsWith(bytes, version, end, " HTTP/1.1");
  const isHttp10 = startsWith(bytes, version, end, " HTTP/1.0");
  if (!isHttp11 && !isHttp10) {
    const http2 = startsWith(bytes, start, end, "PRI * HTTP/2.0");
    return http2 ? HTTP_2_PREFACE : VERSION_NOT_SUPPORTED;
  }
  if (!startsWith(bytes, start, end, "GET ")) return checkMethod(bytes, start, end);
  if (isHttp10) return HTTP_1_0;
  return checkTarget(bytes, methodEnd + 1, version, targetBytesMax);
}

/** Plain HTTP of any method gets a 426, and one that is not known a 501 (RFC 9110, 9.1). */
function checkMethod(bytes: Uint8Array, start: number, end: number): Refusal {
  if (startsWith(bytes, start, end, "HEAD ")) return HEAD_NOT_A_GET;
  const isKnown = METHODS.some((method) => startsWith(bytes, start, end, method));
  return isKnown ? NOT_A_GET : METHOD_UNKNOWN;
}

function isVersion(bytes: Uint8Array, offset: number, end: number): boolean {
  return (
    startsWith(bytes, offset, end, " HTTP/") &&
    isDigit(bytes[offset + 6] as number) &&
    bytes[offset + 7] === 0x2e &&
    isDigit(bytes[offset + 8] as number)
  );
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function checkTarget(
  bytes: Uint8Array,
  offset: number,
  end: number,
  targetBytesMax: number,
): Refusal | undefined {
  if (end - offset > targetBytesMax) return TARGET_TOO_LONG;
  const firstOther = spanOf(ASCII_TARGET, bytes, offset, end);
  if (firstOther < end) {
    const byte = bytes[firstOther];
    if (byte === SPACE) return REQUEST_LINE_INVALID;
    return byte === FRAGMENT_MARK ? TARGET_HAS_FRAGMENT : TARGET_INVALID;
  }
  if (bytes[offset] !== SLASH) return TARGET_NOT_A_PATH;
  // Browsers send a query as the page wrote it, with percent signs that encode nothing.
  let pathEnd = offset;
  while (pathEnd < end && bytes[pathEnd] !== QUESTION_MARK) pathEnd++;
  return isPercentEncoded(bytes, offset, pathEnd) ? undefined : TARGET_PERCENT_INVALID;
}
