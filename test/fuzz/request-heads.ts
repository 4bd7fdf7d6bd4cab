/**
 * Requests as clients and those who mean harm send them: an opening handshake, right in every
 * way that is allowed, then with a few of its parts exchanged, doubled, left out or broken.
 */
import type { Random } from "./random.ts";

const FIELDS = [
  "Host: a.example",
  "host:b:80",
  "HOST: [::1]:8000",
  "Host:",
  "Connection: Upgrade",
  "Connection: keep-alive, Upgrade",
  "connection: close",
  "Upgrade: websocket",
  "Upgrade: h2c, WebSocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Version: 8",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Key: short",
  "Sec-WebSocket-Protocol: chat, superchat",
  "Sec-WebSocket-Protocol: a,,b",
  "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
  "Origin: https://a.example",
  "Content-Length: 0",
  "Content-Length: 00",
  "Content-Length: 5",
  "Content-Length: +0",
  "Content-Length: 0, 0",
  "Content-Length:",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: identity",
  "Transfer-Encoding:",
  "Transfer-Encoding : chunked",
  "Trailer: x",
  "Expect: 100-continue",
  "__proto__: x",
  "constructor: y",
  "X: \t caf\xe9 \t",
  "Y:",
  ": no name",
  "no colon",
  " folded: line",
  "\tfolded",
];
const SOUND_FIELDS = [
  ["Host: a.example", "host: b:80", "HOST:[::1]:8000"],
  ["Connection: Upgrade", "connection: keep-alive, Upgrade", "Connection:upgrade"],
  ["Upgrade: websocket", "UPGRADE: WebSocket"],
  ["Sec-WebSocket-Version: 13", "sec-websocket-version:13 "],
  ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
] as const;
const TARGETS = ["/", "/chat", "/a/b?c=d&e", "/%2e%2e/", "//a", "/?", `/${"t".repeat(199)}`];
const WRONG_TARGETS = ["*", "/a#b", "http://a/b", "a.example:443", "/\xe9", "/a b", "", "?x"];
const LINES = ["POST / HTTP/1.1", "GET / HTTP/1.0", "GET / HTTP/2.0", "GET  / HTTP/1.1", "GET /"];
const PIECES = ["\r", "\n", "\r\n", "\n\n", " ", "\t", ":", "\0", "\x7f", "\x0b", "a", "\xff", ","];
const BEHIND = [
  "",
  "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
  "GET /other HTTP/1.1\r\nHost: b\r\n\r\n",
  "0\r\n\r\n",
  "\r\n",
];

/** As Latin-1, byte for byte. */
export function requestText(random: Random): string {
  const line = random.chance(0.06) ? random.pick(LINES) : `GET ${target(random)} HTTP/1.1`;
  const fields: string[] = SOUND_FIELDS.map((forms) => random.pick<string>(forms));
  for (let changes = random.pick([0, 0, 1, 2, 4]); changes > 0; changes--) {
    const at = random.below(fields.length + 1);
    fields.splice(at, random.pick([0, 0, 0, 1]), random.pick(FIELDS));
  }
  if (random.chance(0.3)) shuffle(random, fields);
  if (random.chance(0.03)) fields.push(...random.list(12, () => "A: b"));
  if (random.chance(0.03)) fields.push(`A: ${"b".repeat(random.between(500, 1100))}`);
  let text = [line, ...fields, "", ""].join("\r\n") + random.pick(BEHIND);
  for (let breaks = random.pick([0, 0, 0, 0, 1, 1, 2]); breaks > 0; breaks--) {
    const at = random.below(text.length + 1);
    text = text.slice(0, at) + random.pick(PIECES) + text.slice(at + random.below(3));
  }
  return random.chance(0.1) ? text.slice(0, random.below(text.length)) : text;
}

function target(random: Random): string {
  if (random.chance(0.05)) return random.pick(WRONG_TARGETS);
  if (random.chance(0.7)) return random.pick(TARGETS);
  const visible = () => String.fromCharCode(random.between(0x21, 0x7e));
  return `/${random.list(random.below(30), visible).join("")}`;
}

function shuffle(random: Random, fields: string[]): void {
  for (let at = fields.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    [fields[at], fields[other]] = [fields[other] as string, fields[at] as string];
  }
}
