/**
 * Which of a client's offers of permessage-deflate is taken, and the answer to it (RFC 7692, 7.1).
 * Every message is compressed from its start, in both directions, so that no connection needs a
 * codec of its own. Other extensions are passed over.
 */
import type { ExtensionOffer } from "./extensions.ts";

export interface AcceptedDeflate {
  /** Messages to this client are deflated with a window of 2^windowBits: 9 to 15. */
  readonly windowBits: number;
  /** The value of Sec-WebSocket-Extensions in the answer. */
  readonly response: string;
}

const ACCEPTED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const SERVER_WINDOW = "server_max_window_bits";

/** RFC 7692, 7.1.2.1: the window of a server that names none. */
const WINDOW_BITS_MAX = 15;
/** zlib's raw DEFLATE makes 9 of an 8, which a client with a window of 2^8 could not read. */
const WINDOW_BITS_MIN = 9;

/** The first of the client's offers that can be taken; undefined where there is none. */
export function acceptDeflate(offers: readonly ExtensionOffer[]): AcceptedDeflate | undefined {
  for (const offer of offers) {
    if (offer.name !== "permessage-deflate") continue;
    if (!isSound(offer)) continue;
    const asked = offer.parameters.find(([name]) => name === SERVER_WINDOW)?.[1];
    if (asked === undefined) return { windowBits: WINDOW_BITS_MAX, response: ACCEPTED };
    const windowBits = Number(asked);
    if (windowBits < WINDOW_BITS_MIN) continue;
    // "by including the parameter in the response with the same or smaller value"
    return { windowBits, response: `${ACCEPTED}; ${SERVER_WINDOW}=${windowBits}` };
  }
  return undefined;
}

/**
 * 7.1: an offer with a parameter that is unknown, repeated or has a value that it cannot have is
 * declined.
 */
function isSound({ parameters }: ExtensionOffer): boolean {
  const names = new Set(parameters.map(([name]) => name));
  return names.size === parameters.length && parameters.every(isKnown);
}

function isKnown([name, value]: readonly [string, string | undefined]): boolean {
  switch (name) {
    case "server_no_context_takeover":
    case "client_no_context_takeover":
      return value === undefined;
    case SERVER_WINDOW:
      return value !== undefined && isWindow(value);
    case "client_max_window_bits":
      // A hint that needs no answer: what inflates here can read every window.
      return value === undefined || isWindow(value);
    default:
      return false;
  }
}

/** "a decimal integer value without leading zeroes between 8 to 15, inclusive" */
function isWindow(value: string): boolean {
  return /^(?:[89]|1[0-5])$/.test(value);
}
