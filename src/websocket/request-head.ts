/**
 * A strict reader of HTTP/1.1 request heads (RFC 9112) by bytes. One object serves all clients:
 * it remembers where the fields stand and makes strings only of those asked for, so what it
 * answers holds only as long as the bytes do. It knows no WebSocket and takes no request body.
 */
import {
  ASCII_LINE,
  ASCII_TOKEN,
  equals,
  equalsIgnoringCase,
  isBlank,
  listHas,
  skipBlanks,
  spanOf,
  trimBlanks,
} from "./ascii.ts";
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

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const COLON = 0x3a;

/** Where the line began that goes on in what is read now. */
const UNKNOWN = -1;

/** Positions of one field: of its name and of its value, each with its end. */
const FIELD_STRIDE = 4;

export class RequestHead {
  /** When REFUSED. */
  refusal: Refusal = REQUEST_LINE_INVALID;
  /** When COMPLETE: bytes of the head with the empty line that ends it. */
  length = 0;
  /** As it was sent: the path and, where there is one, a question mark and the query. */
  target = "";
  path = "";
  query = "";

  readonly #limits: RequestHeadLimits;
  /** Where the first line ends, and each of as many fields as there may be. */
  readonly #lineEnds: Int32Array;
  #lineCount = 0;
  readonly #fields: Int32Array;
  #fieldCount = 0;
  /** What was read last, and the same bytes as a Buffer, which can make strings of them. */
  #source: Uint8Array = Buffer.alloc(0);
  #bytes: Buffer = Buffer.alloc(0);

  constructor(limits: RequestHeadLimits) {
    this.#limits = limits;
    this.#lineEnds = new Int32Array(1 + limits.requestHeadersMax);
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
    // Lines are noted in one go: a head that came in pieces is looked at once more.
    if (scanned > 0) this.#scan(bytes, start, headEnd, 0);
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

  /** Whether there is one field of this name, and this is its value. */
  has(name: string, value: string): boolean {
    const field = this.#find(name, 0);
    if (field < 0 || this.#find(name, field + 1) >= 0) return false;
    const at = field * FIELD_STRIDE;
    return equals(this.#bytes, this.#at(at + 2), this.#at(at + 3), value);
  }

  /** Whether fields of this name, which are lists of tokens, have this one, whatever its case. */
  lists(name: string, token: string): boolean {
    for (let field = this.#find(name, 0); field >= 0; field = this.#find(name, field + 1)) {
      const at = field * FIELD_STRIDE;
      if (listHas(this.#bytes, this.#at(at + 2), this.#at(at + 3), token)) return true;
    }
    return false;
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
    let index = start + scanned;
    // A carriage return that came last is looked at again, with what follows it.
    if (scanned > 0 && bytes[index - 1] === CARRIAGE_RETURN) index--;
    let lineStart = scanned === 0 ? start : UNKNOWN;
    this.#lineCount = 0;
    for (;;) {
      index = spanOf(ASCII_LINE, bytes, index, end);
      if (index === end) return 0;
      const byte = bytes[index];
      if (byte !== CARRIAGE_RETURN) return byte === LINE_FEED ? BARE_LINE_FEED : CONTROL_BYTE;
      if (index + 1 === end) return 0;
      if (bytes[index + 1] !== LINE_FEED) return BARE_CARRIAGE_RETURN;
      if (lineStart === UNKNOWN) lineStart = startOfLine(bytes, start, index);
      if (lineStart === start) {
        const refusal = this.#checkFirstLine(bytes, start, index);
        if (refusal !== undefined) return refusal;
      } else if (lineStart === index) return index + 2;
      if (this.#lineCount < this.#lineEnds.length) this.#lineEnds[this.#lineCount++] = index;
      index += 2;
      lineStart = index;
    }
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
    const firstLineEnd = this.#lineEnds[0] as number;
    this.#splitTarget(targetStart(start), targetEnd(firstLineEnd));
    let lineStart = firstLineEnd + 2;
    for (let line = 1; lineStart < headEnd - 2; line++) {
      const lineEnd = this.#lineEnds[line] as number;
      if (this.#fieldCount === this.#limits.requestHeadersMax) return TOO_MANY_HEADERS;
      const refusal = this.#indexField(bytes, lineStart, lineEnd);
      if (refusal !== undefined) return refusal;
      lineStart = lineEnd + 2;
    }
    return undefined;
  }

  /** Nearly all clients ask for the same: strings are made where one asks for something else. */
  #splitTarget(start: number, end: number): void {
    if (equals(this.#bytes, start, end, this.target)) return;
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
    const valueStart = skipBlanks(bytes, nameEnd + 1, lineEnd);
    const at = this.#fieldCount * FIELD_STRIDE;
    this.#fields[at] = lineStart;
    this.#fields[at + 1] = nameEnd;
    this.#fields[at + 2] = valueStart;
    this.#fields[at + 3] = trimBlanks(bytes, valueStart, lineEnd);
    this.#fieldCount++;
    return undefined;
  }

  #checkFields(): Refusal | undefined {
    const hosts = this.count("host");
    if (hosts !== 1) return hosts === 0 ? HOST_MISSING : HOST_REPEATED;
    const host = this.#find("host", 0) * FIELD_STRIDE;
    if (!isHost(this.#bytes, this.#at(host + 2), this.#at(host + 3))) return HOST_INVALID;
    return this.#hasBody() ? BODY_NOT_ALLOWED : undefined;
  }

  #hasBody(): boolean {
    if (this.#find("transfer-encoding", 0) >= 0) return true;
    const name = "content-length";
    for (let field = this.#find(name, 0); field >= 0; field = this.#find(name, field + 1)) {
      const at = field * FIELD_STRIDE;
      if (!equals(this.#bytes, this.#at(at + 2), this.#at(at + 3), "0")) return true;
    }
    return false;
  }

  /** The first field of this name, from `field` on, or -1. */
  #find(name: string, field: number): number {
    for (let index = field; index < this.#fieldCount; index++) {
      const at = index * FIELD_STRIDE;
      if (equalsIgnoringCase(this.#bytes, this.#at(at), this.#at(at + 1), name)) return index;
    }
    return -1;
  }

  /** One of the noted positions. */
  #at(index: number): number {
    return this.#fields[index] as number;
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

/** Walks back over the line that ends at `lineEnd`: only when it has ended, and so only once. */
function startOfLine(bytes: Uint8Array, start: number, lineEnd: number): number {
  let index = lineEnd;
  while (index > start && bytes[index - 1] !== LINE_FEED) index--;
  return index;
}
