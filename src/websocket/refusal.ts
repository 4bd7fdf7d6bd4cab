/**
 * Every way in which a request for a WebSocket is refused before anybody looks at what it asks
 * for: one constant for each rule. A refusal is returned and never thrown; who it is refused by
 * policy (origins, limits, the service) is the gateway's to say.
 */
import type { Refusal } from "./handshake.ts";

// RFC 9110, 15.5.22: a 426 names the protocol in Upgrade; 7.8: Upgrade is named in Connection.
const UPGRADE_TO_WEBSOCKET = { Upgrade: "websocket", Connection: "Upgrade" };

// What is on the wire is no HTTP/1.1 request (RFC 9112).
export const TLS_ON_PLAIN_PORT = refusal(
  400,
  "This port speaks plain HTTP and the client began a TLS handshake; use ws:// or http:// here.",
);
export const HTTP_2_PREFACE = refusal(
  505,
  "This port speaks HTTP/1.1 and the client began with HTTP/2; WebSocket needs HTTP/1.1 here.",
);
export const HTTP_1_0 = refusal(
  426,
  "This address speaks WebSocket, which needs HTTP/1.1; the request is HTTP/1.0. If nginx is in " +
    "between, it needs proxy_http_version 1.1.",
  UPGRADE_TO_WEBSOCKET,
);
export const VERSION_NOT_SUPPORTED = refusal(505, "Only HTTP/1.1 is spoken here.");
export const REQUEST_LINE_INVALID = refusal(
  400,
  "The request does not begin with a method, a target and an HTTP version.",
);
export const BARE_CARRIAGE_RETURN = refusal(
  400,
  "The request head has a carriage return without a line feed.",
);
export const BARE_LINE_FEED = refusal(
  400,
  "The request head has a line feed without a carriage return.",
);
export const CONTROL_BYTE = refusal(400, "The request head has a control byte.");

// The request line.
export const NOT_A_GET = refusal(
  426,
  "This address speaks WebSocket, whose handshake is a GET.",
  UPGRADE_TO_WEBSOCKET,
);
export const HEAD_NOT_A_GET: Refusal = Object.freeze({ ...NOT_A_GET, toHead: true });
export const METHOD_UNKNOWN = refusal(501, "The method of the request is unknown here.");
export const TARGET_NOT_A_PATH = refusal(400, "The request target must be a path.");
export const TARGET_INVALID = refusal(
  400,
  "The request target has a byte that must be percent-encoded.",
);
export const TARGET_PERCENT_INVALID = refusal(
  400,
  "The request target has a percent sign without two hexadecimal digits behind it.",
);
export const TARGET_HAS_FRAGMENT = refusal(400, "The request target must not have a fragment.");
export const TARGET_TOO_LONG = refusal(414, "The request target is too long.");

// The header fields.
export const HEAD_TOO_BIG = refusal(431, "The request head is too big.");
export const TOO_MANY_HEADERS = refusal(431, "The request has too many header fields.");
export const FOLDED_HEADER = refusal(400, "A header field is folded over several lines.");
export const HEADER_NAME_INVALID = refusal(400, "A header field has an empty or invalid name.");
export const SPACE_BEFORE_COLON = refusal(
  400,
  "A header field has a space between its name and the colon.",
);
export const HOST_MISSING = refusal(400, "The Host header is missing.");
export const HOST_REPEATED = refusal(400, "The Host header is repeated.");
export const HOST_INVALID = refusal(400, "The Host header names no host.");
export const BODY_NOT_ALLOWED = refusal(400, "The request must not have a body.");

// The opening handshake (RFC 6455, 4.2.1).
export const NOT_AN_UPGRADE = refusal(
  426,
  "This address speaks WebSocket: connect with a WebSocket client. If you did, a proxy in " +
    "between has removed the Upgrade or the Connection header.",
  UPGRADE_TO_WEBSOCKET,
);
export const WEBSOCKET_VERSION_NOT_SUPPORTED = refusal(426, "Sec-WebSocket-Version must be 13.", {
  ...UPGRADE_TO_WEBSOCKET,
  "Sec-WebSocket-Version": "13",
});
export const KEY_INVALID = refusal(
  400,
  "Sec-WebSocket-Key must be there once and be 16 bytes in base64.",
);
export const SUBPROTOCOLS_INVALID = refusal(
  400,
  "Sec-WebSocket-Protocol must be a list of tokens, each of them once.",
);
export const EXTENSIONS_INVALID = refusal(
  400,
  "Sec-WebSocket-Extensions must be a list of extensions with their parameters.",
);

function refusal(status: number, sentence: string, headers: Record<string, string> = {}): Refusal {
  return Object.freeze({ status, sentence, headers: Object.freeze(headers) });
}
