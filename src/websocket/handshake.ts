/**
 * The opening handshake (RFC 6455, 4.2): whether a request asks for a WebSocket, and the bytes of
 * the answer, accepting or refusing. Who may connect, and with which of the subprotocols, is
 * decided elsewhere.
 */
import assert from "node:assert";
import { hash } from "node:crypto";
import { STATUS_CODES } from "node:http";
import { isToken } from "./ascii.ts";
import { type ExtensionOffer, parseExtensions } from "./extensions.ts";
import {
  EXTENSIONS_INVALID,
  KEY_INVALID,
  NOT_AN_UPGRADE,
  SUBPROTOCOLS_INVALID,
  WEBSOCKET_VERSION_NOT_SUPPORTED,
} from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";

/** An answer that is no 101; the connection is closed behind it. */
export interface Refusal {
  readonly status: number;
  /** For a person to read: what is wrong, and what to do where that is known. */
  readonly sentence: string;
  readonly headers: Readonly<Record<string, string>>;
  /** To a HEAD: the answer ends with its head (RFC 9110, 9.3.2). */
  readonly toHead?: boolean;
}

export interface Upgrade {
  /** Sec-WebSocket-Key as it was sent. */
  readonly key: string;
  /** In the client's order of preference. */
  readonly subprotocols: readonly string[];
  /** In the client's order of preference. */
  readonly extensions: readonly ExtensionOffer[];
}

const NO_SUBPROTOCOLS: readonly string[] = [];

/** RFC 6455, 1.3: what the accept key is made with. */
const ACCEPT_KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const ACCEPTED: Uint8Array = new TextEncoder().encode(
  "HTTP/1.1 101 Switching Protocols\r\n" +
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
);
const SUBPROTOCOL = "\r\nSec-WebSocket-Protocol: ";
const EXTENSIONS = "\r\nSec-WebSocket-Extensions: ";
const HEAD_END = "\r\n\r\n";

/** A head that is COMPLETE either asks for a WebSocket as it should or is refused. */
export function checkUpgrade(head: RequestHead): Upgrade | Refusal {
  const upgrading = head.lists("connection", "upgrade") && head.lists("upgrade", "websocket");
  if (!upgrading) return NOT_AN_UPGRADE;
  if (!head.has("sec-websocket-version", "13")) return WEBSOCKET_VERSION_NOT_SUPPORTED;
  const key = head.header("sec-websocket-key");
  if (key === undefined || !isKey(key)) return KEY_INVALID;
  const subprotocols = parseSubprotocols(head.header("sec-websocket-protocol"));
  if (subprotocols === undefined) return SUBPROTOCOLS_INVALID;
  const extensions = parseExtensions(head.header("sec-websocket-extensions"));
  return extensions === undefined ? EXTENSIONS_INVALID : { key, subprotocols, extensions };
}

/** RFC 6455, 4.2.2: the proof that the server has read the key. */
export function acceptKey(key: string): string {
  return hash("sha1", key + ACCEPT_KEY_SUFFIX, "base64");
}

/**
 * Writes the whole 101 at `offset`; the bytes written: 129, with a subprotocol (one of the
 * client's, therefore a token) 26 and its length more, and with an extension 28 and its length.
 */
export function writeAccepted(
  into: Uint8Array,
  offset: number,
  key: string,
  subprotocol: string | undefined,
  extension: string | undefined,
): number {
  into.set(ACCEPTED, offset);
  let end = writeText(into, offset + ACCEPTED.length, acceptKey(key));
  if (subprotocol !== undefined) {
    end = writeText(into, writeText(into, end, SUBPROTOCOL), subprotocol);
  }
  if (extension !== undefined) end = writeText(into, writeText(into, end, EXTENSIONS), extension);
  return writeText(into, end, HEAD_END) - offset;
}

/** ASCII alone; where it ends. A joined text would be made as a whole before it is written. */
function writeText(into: Uint8Array, offset: number, text: string): number {
  assert(offset + text.length <= into.length, "no room for the handshake's answer");
  for (let index = 0; index < text.length; index++) {
    into[offset + index] = text.charCodeAt(index);
  }
  return offset + text.length;
}

/**
 * A whole response that says the sentence in plain text and that the connection is closed.
 * `date` is now, as HTTP writes it (RFC 9110, 6.6.1: to be in every answer below 500).
 */
export function encodeRefusal(refusal: Refusal, date: string): Uint8Array {
  const { status, sentence, headers, toHead = false } = refusal;
  const body = new TextEncoder().encode(`${sentence}\n`);
  const head = encodeHead(status, headers, "text/plain; charset=utf-8", body.length, date);
  return toHead ? head : Buffer.concat([head, body]);
}

/** A whole response with somebody else's body; the connection is closed behind it. */
export function encodeResponse(
  status: number,
  contentType: string | undefined,
  body: Uint8Array,
  date: string,
): Uint8Array {
  return Buffer.concat([encodeHead(status, {}, contentType, body.length, date), body]);
}

function encodeHead(
  status: number,
  headers: Readonly<Record<string, string>>,
  contentType: string | undefined,
  bodyBytes: number,
  date: string,
): Uint8Array {
  const { Connection: connection, ...others } = headers;
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nDate: ${date}\r\n`;
  for (const [name, value] of Object.entries(others)) head += `${name}: ${value}\r\n`;
  // A content type that could not stand in a header, being somebody else's, is left out.
  if (contentType !== undefined && isFieldValue(contentType)) {
    head += `Content-Type: ${contentType}\r\n`;
  }
  head += `Content-Length: ${bodyBytes}\r\n`;
  head += `Connection: ${connection === undefined ? "" : `${connection}, `}close\r\n\r\n`;
  return Buffer.from(head, "latin1");
}

/** RFC 9110, 5.5: visible ASCII, spaces and tabs. */
function isFieldValue(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if ((code < 0x20 && code !== 0x09) || code > 0x7e) return false;
  }
  return true;
}

/** RFC 9110, 5.6.3: only spaces and tabs may surround what stands in a list. */
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && (text[start] === " " || text[start] === "\t")) start++;
  while (start < end && (text[end - 1] === " " || text[end - 1] === "\t")) end--;
  return text.slice(start, end);
}

/**
 * 16 bytes in base64. A repeated field is joined with a comma and so is none. The four bits that
 * the last digit has too many may be anything: decoders differ about them.
 */
function isKey(key: string): boolean {
  if (key.length !== 24 || !key.endsWith("==")) return false;
  for (let index = 0; index < 22; index++) {
    const code = key.charCodeAt(index);
    const letter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
    // Digits, and before them "/"; "+".
    if (!letter && (code < 0x2f || code > 0x39) && code !== 0x2b) return false;
  }
  return true;
}

/**
 * RFC 6455, 4.1: tokens, all different. Undefined when they are not; none when not asked. Empty
 * elements of a list count for nothing (RFC 9110, 5.6.1.2), but something must stand in it.
 */
function parseSubprotocols(list: string | undefined): readonly string[] | undefined {
  if (list === undefined) return NO_SUBPROTOCOLS;
  const elements = list.split(",").map(trimBlanks);
  const subprotocols = elements.filter((element) => element !== "");
  if (subprotocols.length === 0 || !subprotocols.every(isToken)) return undefined;
  return new Set(subprotocols).size === subprotocols.length ? subprotocols : undefined;
}
