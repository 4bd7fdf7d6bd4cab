/**
 * Where our receiver and the one of `ws` may differ, one row for each kind: what differs, which
 * sentence of RFC 6455 makes ours right, and how it is proved for the stream at hand, by changing
 * what the row is about and seeing that nothing else differs. All else is unexplained.
 */
import { isDeepStrictEqual } from "node:util";
import * as violations from "../../src/websocket/violation.ts";
import { streamRules } from "./client-streams.ts";
import {
  completed,
  messageStart,
  walkFrames,
  withMinimalLength,
  withOpcode,
} from "./frame-walk.ts";

/** One stream as both have read it. */
export interface Readings {
  bytes: Uint8Array;
  /** The connection has negotiated compression. */
  compressible: boolean;
  ours: string[];
  theirs: string[];
  violation: violations.Violation | undefined;
}

export interface Row {
  name: string;
  why: string;
  /** Whether it is this that differs, and this alone. `read` reads another stream by both. */
  proves(readings: Readings, read: Read): boolean | Promise<boolean>;
}

/** Both readings of another stream; `agrees`: they are alike, or their difference is explained. */
export type Read = (bytes: Uint8Array) => Promise<Readings & { agrees: boolean }>;

const NOT_MINIMAL: Row = {
  name: "ws takes a length with needless bytes",
  why: "RFC 6455, 5.2: in all cases, the minimal number of bytes MUST be used to encode the length",
  async proves({ bytes, ours, theirs, violation }, read) {
    if (violation !== violations.LENGTH_NOT_MINIMAL) return false;
    const place = walkFrames(bytes).find(({ lengthBytes, length, available, headerBytes }) => {
      if (lengthBytes === 0 || available < headerBytes) return false;
      return length < (lengthBytes === 2 ? 126n : 65536n);
    });
    if (place === undefined) return false;
    const repaired = await read(withMinimalLength(bytes, place));
    const before = ours.slice(0, -1);
    return (
      isDeepStrictEqual(repaired.ours.slice(0, before.length), before) &&
      isDeepStrictEqual(repaired.theirs, theirs) &&
      repaired.agrees
    );
  },
};

const HIGHEST_BIT: Row = {
  name: "ws closes with 1009 for a length whose highest bit is set",
  why: "RFC 6455, 5.2: the most significant bit MUST be 0; a breach has code 1002 (7.4.1)",
  proves({ bytes, ours, theirs, violation }) {
    if (violation !== violations.LENGTH_TOO_LARGE) return false;
    const last = walkFrames(bytes).at(-1);
    if (last === undefined || last.length < 2n ** 63n) return false;
    return isDeepStrictEqual(theirs, [...ours.slice(0, -1), "fail 1009"]);
  },
};

const UTF8_EARLY: Row = {
  name: "ws looks at UTF-8 only when a message has ended",
  why: "RFC 6455, 8.1: an endpoint that finds a stream not to be UTF-8 MUST fail the connection",
  async proves({ bytes, ours, theirs, violation }, read) {
    if (violation !== violations.INVALID_UTF8) return false;
    const before = ours.slice(0, -1);
    const messages = before.filter((event) => event.startsWith("message"));
    const first = messageStart(walkFrames(bytes), messages.length);
    if (first?.opcode !== 1 || first.rsv !== 0) return false;
    // As binary the same bytes pass, and only the end of that message is another.
    const binary = await read(withOpcode(bytes, first, 2));
    const end = binary.theirs.findIndex((event, index) => {
      return index >= before.length && event.startsWith("message");
    });
    const expected = end < 0 ? binary.theirs : [...binary.theirs.slice(0, end), "fail 1007"];
    return (
      isDeepStrictEqual(binary.theirs.slice(0, before.length), before) &&
      isDeepStrictEqual(theirs, expected) &&
      binary.agrees
    );
  },
};

const FRAMES_EARLY: Row = {
  name: "ws counts a frame when it is whole, we when its header is",
  why: "RFC 6455, 10.4: who has limits MUST protect itself, and before it has all been received",
  async proves({ bytes, ours, theirs, violation }, read) {
    if (violation !== violations.TOO_MANY_FRAMES) return false;
    const whole = await read(completed(bytes, streamRules.messageBytesMax));
    const before = ours.slice(0, -1);
    return (
      isDeepStrictEqual(theirs, before) &&
      isDeepStrictEqual(whole.ours, ours) &&
      isDeepStrictEqual(whole.theirs, ours)
    );
  },
};

const HEADER_LATE: Row = {
  name: "ws judges the first bytes of a header, we all of it (at the end of a stream)",
  why: "RFC 6455, 5.2 defines a frame and no order of checks; the code is the same one read later",
  async proves({ bytes, ours, theirs, violation }, read) {
    if (violation !== undefined) return false;
    const last = walkFrames(bytes).at(-1);
    if (last === undefined) return false;
    const control = last.opcode >= 8;
    const isPartial =
      last.available < last.headerBytes ||
      (control && BigInt(last.available) < BigInt(last.headerBytes) + last.length);
    if (!isPartial || theirs.length !== ours.length + 1) return false;
    const whole = await read(completed(bytes, streamRules.messageBytesMax));
    return (
      isDeepStrictEqual(whole.theirs, theirs) &&
      whole.violation !== undefined &&
      isDeepStrictEqual(whole.ours.slice(0, -1), ours) &&
      whole.agrees
    );
  },
};

export const rows: readonly Row[] = [
  NOT_MINIMAL,
  HIGHEST_BIT,
  UTF8_EARLY,
  FRAMES_EARLY,
  HEADER_LATE,
];
