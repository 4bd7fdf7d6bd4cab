/**
 * Where our receiver and the one of `ws` may differ about compressed messages, one row for each
 * kind, proved by inflating the message at hand with the oracle. All else is unexplained.
 */
import { isUtf8 } from "node:buffer";
import { isDeepStrictEqual } from "node:util";
import { INVALID_DEFLATE } from "../../src/websocket/violation.ts";
import { streamRules } from "./client-streams.ts";
import { messageOf, messageStart, walkFrames } from "./frame-walk.ts";
import { type Inflated, inflateNaively } from "./naive-inflate.ts";
import type { Readings, Row } from "./ws-differences.ts";

/** How the two go on where they part, and the compressed message that stands there. */
interface Parting {
  ours: string[];
  theirs: string[];
  inflated: Inflated;
  announced: bigint;
  opcode: number;
  isFragmented: boolean;
}

function partingOf({ bytes, ours, theirs, compressible }: Readings): Parting | undefined {
  if (!compressible) return undefined;
  let alike = 0;
  while (alike < ours.length && isDeepStrictEqual(ours[alike], theirs[alike])) alike += 1;
  const places = walkFrames(bytes);
  const messages = ours.slice(0, alike).filter((event) => event.startsWith("message"));
  const first = messageStart(places, messages.length);
  if (first === undefined || first.rsv !== 4) return undefined;
  const { payload, announced } = messageOf(bytes, places, first);
  const inflated = inflateNaively(payload);
  const rest = { ours: ours.slice(alike), theirs: theirs.slice(alike) };
  const isFragmented = !first.fin;
  return { ...rest, inflated, announced, opcode: first.opcode, isFragmented };
}

function hasNoMessage(events: readonly string[]): boolean {
  return !events.some((event) => event.startsWith("message"));
}

const INVALID_EARLY: Row = {
  name: "ws inflates each fragment, we a message when it is whole (1007)",
  why: "RFC 7692, 6.2: decompress the concatenation of the payloads of all its frames",
  proves(readings) {
    const parting = partingOf(readings);
    if (parting === undefined || !hasNoMessage(parting.ours)) return false;
    const { isWhole, isShort } = parting.inflated;
    return isDeepStrictEqual(parting.theirs, ["fail 1007"]) && !isWhole && !isShort;
  },
};

const TOO_BIG_EARLY: Row = {
  name: "ws inflates each fragment, we a message when it is whole (1009)",
  why: "RFC 7692, 6.2: decompress the concatenation of the payloads of all its frames",
  proves(readings) {
    const parting = partingOf(readings);
    if (parting === undefined || !hasNoMessage(parting.ours)) return false;
    const isTooBig = parting.inflated.bytes.length > streamRules.messageBytesMax;
    return isDeepStrictEqual(parting.theirs, ["fail 1009"]) && isTooBig;
  },
};

const COMPRESSED_BYTES: Row = {
  name: "ws holds what is compressed to the limit of messages",
  why: "RFC 7692, 6.2: the payload of the message is what decompressing gives; 1009 is for it",
  proves(readings) {
    const parting = partingOf(readings);
    if (parting === undefined) return false;
    const isLonger = parting.announced > BigInt(streamRules.messageBytesMax);
    return isDeepStrictEqual(parting.theirs, ["fail 1009"]) && isLonger;
  },
};

const CUT_SHORT: Row = {
  name: "ws takes a message that ends within a block",
  why: "RFC 7692, 7.2.1: what is compressed ends in an empty block, whose tail is left out",
  proves(readings) {
    const parting = partingOf(readings);
    if (parting === undefined || readings.violation !== INVALID_DEFLATE) return false;
    if (parting.ours.length !== 1 || !parting.inflated.isShort) return false;
    const { bytes } = parting.inflated;
    return parting.theirs[0] === messageEvent(parting.opcode, bytes);
  },
};

const FINAL_BLOCK: Row = {
  name: "ws ends a message at its first final block",
  why: "RFC 7692, 7.2.1: blocks with BFINAL set to 1 may be used, and the next block follows",
  proves(readings) {
    const parting = partingOf(readings);
    if (parting?.inflated.firstEnd === undefined) return false;
    const { opcode, inflated } = parting;
    const { firstEnd, bytes, isWhole } = inflated;
    const theirs = outcomeOf(opcode, bytes.slice(0, firstEnd));
    const ours = isWhole ? outcomeOf(opcode, bytes) : "fail 1007";
    return parting.theirs[0] === theirs && parting.ours[0] === ours;
  },
};

const FINAL_IN_FRAGMENT: Row = {
  name: "ws begins anew in the fragment behind a final block",
  why: "RFC 7692, 6.2: decompress the concatenation of the payloads of all its frames",
  proves(readings) {
    const parting = partingOf(readings);
    if (parting?.inflated.firstEnd === undefined || !parting.isFragmented) return false;
    const { opcode, inflated, theirs } = parting;
    const ours = inflated.isWhole ? outcomeOf(opcode, inflated.bytes) : "fail 1007";
    // Where what it began anew with can be inflated, that follows the first block's bytes.
    const begun = messageEvent(opcode, inflated.bytes.slice(0, inflated.firstEnd));
    const isAnew = theirs[0] === "fail 1007" || theirs[0]?.startsWith(begun) === true;
    return isAnew && parting.ours[0] === ours;
  },
};

/** What has to be reported of a message that was inflated to these bytes. */
function outcomeOf(opcode: number, bytes: number[]): string {
  if (bytes.length > streamRules.messageBytesMax) return "fail 1009";
  const isSound = opcode === 2 || isUtf8(Uint8Array.from(bytes));
  return isSound ? messageEvent(opcode, bytes) : "fail 1007";
}

function messageEvent(opcode: number, bytes: number[]): string {
  return `message ${opcode} ${Buffer.from(bytes).toString("hex")}`;
}

export const compressedRows: readonly Row[] = [
  INVALID_EARLY,
  TOO_BIG_EARLY,
  COMPRESSED_BYTES,
  CUT_SHORT,
  FINAL_BLOCK,
  FINAL_IN_FRAGMENT,
];
