/**
 * Target: Sec-WebSocket-Extensions and the negotiation of permessage-deflate. What offers say is
 * read back whatever blanks and quotes they are written with, what the grammar does not have is
 * refused, and an answer promises no more than was offered.
 */
import assert from "node:assert/strict";
import { type ExtensionOffer, parseExtensions } from "../../src/websocket/extensions.ts";
import { acceptDeflate } from "../../src/websocket/permessage-deflate.ts";
import type { Random } from "./random.ts";
import { withoutPieces } from "./shrink.ts";
import { count, type Target } from "./target.ts";

interface OffersCase {
  value: string;
  /** What it was written from, where nothing was done to it since. */
  offers: ExtensionOffer[] | undefined;
}

/** RFC 6455, 9.1, with blanks between all parts, and RFC 9110, 5.6.1.2, for the list. */
const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const QUOTED = `"(?:\\\\?[!#$%&'*+\\-.^_\`|~0-9A-Za-z])+"`;
const BLANKS = "[ \\t]*";
const PARAMETER = `;${BLANKS}${TOKEN}${BLANKS}(?:=${BLANKS}(?:${TOKEN}|${QUOTED})${BLANKS})?`;
const EXTENSION = `${TOKEN}${BLANKS}(?:${PARAMETER})*`;
const LIST = new RegExp(`^(?:${BLANKS}(?:${EXTENSION})?,)*${BLANKS}(?:${EXTENSION})?$`);

const NAMES = ["permessage-deflate", "permessage-deflate", "x-webkit-deflate-frame", "__proto__"];
const PARAMETERS = [
  ...["server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits"],
  ...["server_max_window_bits", "client_max_window_bits", "constructor", "a"],
];
const VALUES = ["8", "9", "10", "12", "15", "16", "7", "08", "0", "1e1", "x", "+9", "true"];
const PIECES = [";", ",", "=", '"', "\\", " ", "\t", "\xe9", "\0", "a", '""', "(", ",,"];

const tally = new Map<string, number>();

export const deflateOffers: Target<OffersCase> = {
  tally,
  shortRuns: 1000,

  generate(random) {
    const offers = random.list(random.between(1, 3), () => offer(random));
    const value = offers.map((each) => write(each, random)).join(random.pick([",", ", ", " ,,\t"]));
    if (random.chance(0.5)) return { value, offers };
    const at = random.below(value.length + 1);
    const piece = random.pick(PIECES);
    return {
      value: value.slice(0, at) + piece + value.slice(at + random.below(2)),
      offers: undefined,
    };
  },

  check({ value, offers }) {
    const parsed = parseExtensions(value);
    const isList = LIST.test(value) && /[^ \t,]/.test(value);
    assert.equal(parsed !== undefined, isList, "it is taken if and only if the grammar has it");
    if (offers !== undefined) assert.deepEqual(parsed, offers);
    if (parsed === undefined) {
      count(tally, "malformed");
      return;
    }
    const accepted = acceptDeflate(parsed);
    count(tally, accepted === undefined ? "declined" : "accepted");
    assert.deepEqual(accepted, acceptNaively(parsed));
  },

  *smaller(each) {
    for (const value of withoutPieces(each.value)) yield { value, offers: undefined };
  },
};

function offer(random: Random): ExtensionOffer {
  const parameters = random.list(random.pick([0, 0, 1, 2, 3]), () => {
    const value = random.chance(0.5) ? undefined : random.pick(VALUES);
    return [random.pick(PARAMETERS), value] as const;
  });
  return { name: random.pick(NAMES), parameters };
}

function write({ name, parameters }: ExtensionOffer, random: Random): string {
  const blank = () => random.pick(["", "", " ", "\t"]);
  const written = parameters.map(([parameter, value]) => {
    const text = `;${blank()}${parameter}${blank()}`;
    if (value === undefined) return text;
    const quoted = [...value].map((each) => (random.chance(0.2) ? `\\${each}` : each)).join("");
    return `${text}=${blank()}${random.chance(0.5) ? value : `"${quoted}"`}${blank()}`;
  });
  return `${name}${blank()}${written.join("")}`;
}

/** RFC 7692, 7.1, said once more: the first offer without a fault that asks for 9 bits or more. */
function acceptNaively(offers: readonly ExtensionOffer[]) {
  const windows = ["8", "9", "10", "11", "12", "13", "14", "15"];
  const allowed: Record<string, (string | undefined)[]> = {
    __proto__: null as never,
    server_no_context_takeover: [undefined],
    client_no_context_takeover: [undefined],
    server_max_window_bits: windows.slice(1),
    client_max_window_bits: [undefined, ...windows],
  };
  const found = offers.find(
    ({ name, parameters }) =>
      name === "permessage-deflate" &&
      parameters.every(([each, value], index) => {
        const isFirst = parameters.findIndex(([other]) => other === each) === index;
        return isFirst && (allowed[each]?.includes(value) ?? false);
      }),
  );
  if (found === undefined) return undefined;
  const asked = found.parameters.find(([name]) => name === "server_max_window_bits")?.[1];
  const both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  const response = asked === undefined ? both : `${both}; server_max_window_bits=${asked}`;
  return { windowBits: Number(asked ?? 15), response };
}
