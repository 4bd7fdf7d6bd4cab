/**
 * A strict reader of HTTP/1.1 request heads (RFC 9112) by bytes. One object serves all clients:
 * it remembers where the fields stand and makes strings only of those asked for, so what it
 * answers holds only as long as the bytes do. It knows no WebSocket and takes no request body.
 */
import { ASCII_TOKEN, equalsIgnoringCase, spanOf } from "./ascii.ts";
import type { Refusal } from "./handshake.ts";
import { isHost } from "./host.ts";
import {
  BARE_CARRIAGE_RETURN,
  BARE_LINE_FEED,
  BODY_NOT_ALLOWED,
  CONTROL_BYTE,
  FOLDED_HEADER,
  HEAD_TOO_BIG,
  HEADER_NAME_INVALID,
  HOST_INVALID,
  HOST_MISSING,
  HOST_REPEATED,
  REQUEST_LINE_INVALID,
  SPACE_BEFORE_COLON,
  TARGET_TOO_LONG,
  TOO_MANY_HEADERS,
} from "./refusal.ts";
import {
  checkFirstBytes,
  checkRequestLine,
  METHOD_BYTES_MAX,
  targetEnd,
  targetStart,
} from "./request-line.ts";

export const INCOMPLETE = 0;
export const COMPLETE = 1;
export const REFUSED = 2;

export type RequestHeadState = typeof INCOMPLETE | typeof COMPLETE | typeof REFUSED;

export interface RequestHeadLimits {
  requestHeadBytesMax: number;
  requestHeadersMax: number;
  requestTargetBytesMax: number;
}

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const DELETE = 0x7f;
const ZERO = 0x30;

/** Positions of one field: of its name and of its value, each with its end. */
const FIELD_STRIDE = 4;

export class RequestHead {
  /** When REFUSED. */
  refusal: Refusal = REQUEST_LINE_INVALID;
  /** When COMPLETE: bytes of the head with the empty line that ends it. */
  length = 0;
  method = "";
  /** As it was sent: the path and, where there is one, a question mark and the query. */
  target = "";
  path = "";
  query = "";

  readonly #limits: RequestHeadLimits;
  readonly #fields: Int32Array;
  #fieldCount = 0;
  /** What was read last, and the same bytes as a Buffer, which can make strings of them. */
  #source: Uint8Array = Buffer.alloc(0);
  #bytes: Buffer = Buffer.alloc(0);

  constructor(limits: RequestHeadLimits) {
    this.#limits = limits;
    this.#fields = new Int32Array(limits.requestHeadersMax * FIELD_STRIDE);
  }

  /**
   * Reads the head that begins at `start`. `scanned` of its bytes were looked at by an earlier
   * call, so that a head that comes byte by byte costs no more than one that comes whole.
   */
  read(bytes: Uint8Array, start: number, end: number, scanned: number): RequestHeadState {
    if (scanned <= METHOD_BYTES_MAX && start < end) {
      const refusal = checkFirstBytes(bytes, start, end);
      if (refusal !== undefined) return this.#refuse(refusal);
    }
    const { requestHeadBytesMax } = this.#limits;
    const scanEnd = Math.min(end, start + requestHeadBytesMax);
    const headEnd = this.#scan(bytes, start, scanEnd, scanned);
    if (typeof headEnd !== "number") return this.#refuse(headEnd);
    if (headEnd === 0) {
      if (end - start < requestHeadBytesMax) return INCOMPLETE;
      const firstLineEnd = bytes.subarray(start, scanEnd).indexOf(LINE_FEED);
      return this.#refuse(firstLineEnd < 0 ? TARGET_TOO_LONG : HEAD_TOO_BIG);
    }
    this.length = headEnd - start;
    const refusal = this.#index(bytes, start, headEnd) ?? this.#checkFields();
    return refusal === undefined ? COMPLETE : this.#refuse(refusal);
  }

  /** A field's value; those of a repeated field are joined with a comma (RFC 9110, 5.3). */
  header(name: string): string | undefined {
    let value: string | undefined;
    for (let field = this.#find(name, 0); field >= 0; field = this.#find(name, field + 1)) {
      const one = this.#value(field);
      value = value === undefined ? one : `${value}, ${one}`;
    }
    return value;
  }

  /** How often a field of this name, in lower case, is there. */
  count(name: string): number {
    let count = 0;
    for (let field = this.#find(name, 0); field >= 0; field = this.#find(name, field + 1)) count++;
    return count;
  }

  /** All fields by their names in lower case; the object has no prototype. */
  headers(): Record<string, string[]> {
    const headers: Record<string, string[]> = Object.create(null);
    for (let field = 0; field < this.#fieldCount; field++) {
      const name = this.#text(field * FIELD_STRIDE).toLowerCase();
      headers[name] ??= [];
      headers[name].push(this.#value(field));
    }
    return headers;
  }

  /**
   * Looks at each new byte once; the end of the head, or 0 while it is not there. Wherever a
   * call begins, what it must know of the bytes before stands right before it.
   */
  #scan(bytes: Uint8Array, start: number, end: number, scanned: number): number | Refusal {
    let previous = scanned > 0 ? (bytes[start + scanned - 1] as number) : 0;
    for (let index = start + scanned; index < end; index++) {
      const byte = bytes[index] as number;
      if (byte === LINE_FEED) {
        if (previous !== CARRIAGE_RETURN) return BARE_LINE_FEED;
        const lineStart = startOfLine(bytes, start, index);
        if (lineStart === start) {
          const refusal = this.#checkFirstLine(bytes, start, index - 1);
          if (refusal !== undefined) return refusal;
        } else if (lineStart === index - 1) return index + 1;
      } else if (previous === CARRIAGE_RETURN) return BARE_CARRIAGE_RETURN;
      else if (byte < SPACE ? byte !== CARRIAGE_RETURN && byte !== TAB : byte === DELETE) {
        return CONTROL_BYTE;
      }
      previous = byte;
    }
    return 0;
  }

  #checkFirstLine(bytes: Uint8Array, start: number, end: number): Refusal | undefined {
    return checkRequestLine(bytes, start, end, this.#limits.requestTargetBytesMax);
  }

  /** Notes where everything stands in a head whose lines and first line are sound. */
  #index(bytes: Uint8Array, start: number, headEnd: number): Refusal | undefined {
    if (bytes !== this.#source) {
      this.#source = bytes;
      this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    this.#fieldCount = 0;
    const firstLineEnd = bytes.indexOf(CARRIAGE_RETURN, start);
    this.#splitTarget(targetStart(start), targetEnd(firstLineEnd));
    let lineStart = firstLineEnd + 2;
    while (lineStart < headEnd - 2) {
      const lineEnd = bytes.indexOf(CARRIAGE_RETURN, lineStart);
      if (this.#fieldCount === this.#limits.requestHeadersMax) return TOO_MANY_HEADERS;
      const refusal = this.#indexField(bytes, lineStart, lineEnd);
      if (refusal !== undefined) return refusal;
      lineStart = lineEnd + 2;
    }
    return undefined;
  }

  #splitTarget(start: number, end: number): void {
    this.method = "GET";
    this.target = this.#bytes.toString("latin1", start, end);
    const mark = this.target.indexOf("?");
    this.path = mark < 0 ? this.target : this.target.slice(0, mark);
    this.query = mark < 0 ? "" : this.target.slice(mark + 1);
  }

  #indexField(bytes: Uint8Array, lineStart: number, lineEnd: number): Refusal | undefined {
    if (isBlank(bytes[lineStart])) return FOLDED_HEADER;
    const nameEnd = spanOf(ASCII_TOKEN, bytes, lineStart, lineEnd);
    if (bytes[nameEnd] !== COLON || nameEnd === lineStart) {
      const spaced = nameEnd > lineStart && isBlank(bytes[nameEnd]);
      return spaced ? SPACE_BEFORE_COLON : HEADER_NAME_INVALID;
    }
    let valueStart = nameEnd + 1;
    let valueEnd = lineEnd;
    while (valueStart < valueEnd && isBlank(bytes[valueStart])) valueStart++;
    while (valueStart < valueEnd && isBlank(bytes[valueEnd - 1])) valueEnd--;
    const at = this.#fieldCount * FIELD_STRIDE;
    this.#fields[at] = lineStart;
    this.#fields[at + 1] = nameEnd;
    this.#fields[at + 2] = valueStart;
    this.#fields[at + 3] = valueEnd;
    this.#fieldCount++;
    return undefined;
  }

  #checkFields(): Refusal | undefined {
    const hosts = this.count("host");
    if (hosts !== 1) return hosts === 0 ? HOST_MISSING : HOST_REPEATED;
    const host = this.#find("host", 0) * FIELD_STRIDE;
    const [hostStart, hostEnd] = [this.#fields[host + 2], this.#fields[host + 3]];
    if (!isHost(this.#bytes, hostStart as number, hostEnd as number)) return HOST_INVALID;
    return this.#hasBody() ? BODY_NOT_ALLOWED : undefined;
  }

  #hasBody(): boolean {
    if (this.#find("transfer-encoding", 0) >= 0) return true;
    const name = "content-length";
    for (let field = this.#find(name, 0); field >= 0; field = this.#find(name, field + 1)) {
      const valueStart = this.#fields[field * FIELD_STRIDE + 2] as number;
      const valueBytes = (this.#fields[field * FIELD_STRIDE + 3] as number) - valueStart;
      if (valueBytes !== 1 || this.#bytes[valueStart] !== ZERO) return true;
    }
    return false;
  }

  /** The first field of this name, from `field` on, or -1. */
  #find(name: string, field: number): number {
    for (let index = field; index < this.#fieldCount; index++) {
      const nameStart = this.#fields[index * FIELD_STRIDE] as number;
      const nameEnd = this.#fields[index * FIELD_STRIDE + 1] as number;
      if (equalsIgnoringCase(this.#bytes, nameStart, nameEnd, name)) return index;
    }
    return -1;
  }

  #value(field: number): string {
    return this.#text(field * FIELD_STRIDE + 2);
  }

  /** The bytes between two noted positions; what is not ASCII is taken as Latin-1. */
  #text(at: number): string {
    return this.#bytes.toString("latin1", this.#fields[at], this.#fields[at + 1]);
  }

  #refuse(refusal: Refusal): RequestHeadState {
    this.refusal = refusal;
    return REFUSED;
  }
}

/** Walks back over the line that ends at `lineFeed`: each line of a head is walked once. */
function startOfLine(bytes: Uint8Array, start: number, lineFeed: number): number {
  let index = lineFeed;
  while (index > start && bytes[index - 1] !== LINE_FEED) index--;
  return index;
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}
