/**
 * The shape of a case of the opening handshake, and how requests are written that are sound but
 * for one thing. All text is Latin-1: a character is a byte. Nothing is sent from here.
 */
import type { Refusal } from "../../src/websocket/handshake.ts";

/** Nobody is left to be answered: the socket is closed without a word. */
export const UNANSWERED = 0;

export interface HandshakeCase {
  readonly id: string;
  /** What is sent. */
  readonly sentence: string;
  readonly bytes: string;
  /** 101: it must not be refused. */
  readonly status: number;
  /** Whose sentence the answer has; undefined where the handshake is accepted. */
  readonly refusal: Refusal | undefined;
  /** The rule, where it is not obvious. */
  readonly because: string | undefined;
}

export interface HandshakeGroup {
  readonly letter: string;
  readonly title: string;
  /** YAML of the hub, in place of the usual one. */
  readonly hub?: string;
  readonly cases: readonly HandshakeCase[];
}

export type Row = readonly [sentence: string, bytes: string, because?: string];

/** Cases that end alike; the rule of one is its own, or that of all. */
export function refused(
  status: number,
  refusal: Refusal | undefined,
  because: string | undefined,
  rows: readonly Row[],
): Omit<HandshakeCase, "id">[] {
  return rows.map(([sentence, bytes, own = because]) => {
    return { sentence, bytes, status, refusal, because: own };
  });
}

export function accepted(rows: readonly Row[]): Omit<HandshakeCase, "id">[] {
  return refused(101, undefined, undefined, rows);
}

export function group(
  letter: string,
  title: string,
  parts: readonly Omit<HandshakeCase, "id">[][],
  hub?: string,
): HandshakeGroup {
  const cases = parts.flat().map((each, index) => ({ id: `${letter}.${index + 1}`, ...each }));
  return { letter, title, cases, ...(hub === undefined ? {} : { hub }) };
}

export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

const LINE = "GET / HTTP/1.1";

const FIELDS = [
  ["Host", "gateway.example"],
  ["Upgrade", "websocket"],
  ["Connection", "Upgrade"],
  ["Sec-WebSocket-Key", KEY],
  ["Sec-WebSocket-Version", "13"],
] as const;

/** A sound upgrade with this first line and, in front of the empty line, these raw bytes. */
export function upgrade(line = LINE, added = ""): string {
  const fields = FIELDS.map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line}\r\n${fields.join("")}${added}\r\n`;
}

/** One with these raw lines, without their ends, behind its own fields. */
export function adding(...lines: string[]): string {
  return upgrade(LINE, lines.map((line) => `${line}\r\n`).join(""));
}

/** One with these raw lines in the place of one of its fields: with none, the field is missing. */
export function replacing(field: (typeof FIELDS)[number][0], ...lines: string[]): string {
  const all = FIELDS.flatMap(([name, value]) => (name === field ? lines : [`${name}: ${value}`]));
  return [LINE, ...all, "", ""].join("\r\n");
}

/** One whose field has these values, a field for each. */
export function saying(field: (typeof FIELDS)[number][0], ...values: string[]): string {
  return replacing(field, ...values.map((value) => `${field}: ${value}`));
}
