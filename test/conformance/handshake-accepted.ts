/**
 * Cases of the opening handshake that must not be refused, however unusual: what the RFCs allow
 * and what browsers, libraries and proxies really send. And the two that are answered with 200.
 */
import { HEALTHY } from "../../src/gateway/refusal.ts";
import {
  accepted,
  adding,
  group,
  type HandshakeGroup,
  KEY,
  type Row,
  refused,
  replacing,
  saying,
  upgrade,
} from "./handshake-case.ts";

function target(sentence: string, text: string): Row {
  return [sentence, upgrade(`GET ${text} HTTP/1.1`)];
}

function unspaced(text: string): string {
  return text.replaceAll(/: /g, ":");
}

const lines: HandshakeGroup = group("AL", "Must be accepted: targets", [
  accepted([
    ["the least that is needed", upgrade()],
    target("a parameter", "/rooms/blue"),
    target("a parameter that is percent-encoded", "/rooms/caf%C3%A9"),
    target("a parameter with an encoded slash", "/rooms/a%2fb"),
    target("a parameter that is two dots, encoded", "/rooms/%2e%2e"),
    target("a parameter with all marks", "/rooms/-._~!$&'()*+,;=:@"),
    target("a parameter named like a part of every object", "/rooms/__proto__"),
    target("an empty query", "/?"),
    target("a query", "/?room=blue&room=red"),
    target("question marks in the query", "/??a=?b"),
    target("a query with brackets, pipes and braces, as browsers send it", "/?a[]=1|2&b={x}^`"),
    target("a query with percent signs that encode nothing, as browsers send it", "/?a=100%&b=%zz"),
    target("a query with quotes, backslashes and angle brackets", "/?\"a\\<b>'"),
    target("an address in the query", "/?next=https://a.example/?b=c"),
    target("`__proto__` in the query", "/?__proto__=1&constructor=2"),
    target("a query of 4,094 bytes", `/?${"a".repeat(4094)}`),
  ]),
]);

const fields: HandshakeGroup = group("AF", "Must be accepted: fields", [
  accepted([
    ["names in lower case", upgrade().replaceAll(/^[\w-]+:/gm, (name) => name.toLowerCase())],
    ["names in upper case", upgrade().replaceAll(/^[\w-]+:/gm, (name) => name.toUpperCase())],
    ["no space behind the colons", unspaced(upgrade())],
    ["tabs and spaces around values", upgrade().replaceAll(/: (.*)\r/g, ":\t $1 \t\r")],
    ["an empty value", adding("X:")],
    ["a value of blanks", adding("X: \t ")],
    ["bytes above ASCII in a value", adding("X: caf\xe9 \x80\xff")],
    ["UTF-8 in a value", adding("X: caf\xc3\xa9")],
    ["a tab in a value", adding("X: a\tb")],
    ["colons in a value", adding("X: a: b: c", "Y::")],
    ["marks in a name", adding("!#$%&'*+-.^_`|~: a")],
    ["a name of one digit", adding("1: a")],
    ["names of parts of every object", adding("__proto__: a", "constructor: b", "toString: c")],
    ["a field repeated", adding("X: a", "X: b", "x: a")],
    ["64 fields", adding(...Array.from({ length: 59 }, (_, index) => `X${index}: a`))],
    ["a head of 8,192 bytes", adding(`X: ${"a".repeat(8192 - adding("X: ").length)}`)],
    ["the Host as the last field", replacing("Host").replace(/\r\n$/, "Host: a\r\n\r\n")],
    ["a Host with a port", saying("Host", "gateway.example:8000")],
    ["a Host with an empty port", saying("Host", "gateway.example:")],
    ["a Host that is an address", saying("Host", "127.0.0.1:8000")],
    ["a Host that is an IPv6 address", saying("Host", "[2001:db8::1]:8000")],
    ["a Host with an underscore", saying("Host", "my_gateway")],
    ["a Host that is percent-encoded", saying("Host", "%67ateway.example")],
    ["a length of 0", adding("Content-Length: 0")],
    ["a length of 0 twice", adding("Content-Length: 0", "content-length: 0")],
    ["a page of the same host", adding("Origin: https://gateway.example")],
    ["a page of the same host with another port", adding("Origin: http://gateway.example:3000")],
    ["a page of the same host in upper case", adding("Origin: HTTPS://GATEWAY.EXAMPLE")],
    ["what a proxy adds", adding("Via: 1.1 a", "X-Forwarded-For: 1.2.3.4", "Forwarded: for=a")],
    ["what a browser adds", adding("Cookie: a=b; c=d", "User-Agent: Mozilla/5.0 (X11)", "DNT: 1")],
    ["TE and Trailer, which announce no body", adding("TE: trailers", "Trailer: X")],
    ["names that only look like a body's", adding("Content_Length: 5", "Transfer_Encoding: a")],
    ["Expect", adding("Expect: 100-continue")],
  ]),
]);

const SOUND = "Sec-WebSocket-Extensions";

const upgrades: HandshakeGroup = group("AU", "Must be accepted: the upgrade", [
  accepted([
    ["Connection with keep-alive, as Firefox has it", saying("Connection", "keep-alive, Upgrade")],
    ["Connection in lower case", saying("Connection", "upgrade")],
    ["Connection in upper case without blanks", saying("Connection", "KEEP-ALIVE,UPGRADE")],
    ["Connection in two fields", saying("Connection", "keep-alive", "Upgrade")],
    ["Connection with empty elements", saying("Connection", ", Upgrade ,,")],
    ["Upgrade in mixed case", saying("Upgrade", "WebSocket")],
    ["Upgrade in upper case", saying("Upgrade", "WEBSOCKET")],
    ["Upgrade with others beside it", saying("Upgrade", "h2c, websocket")],
    ["Upgrade in two fields", saying("Upgrade", "h2c", "websocket")],
    ["Upgrade with empty elements", saying("Upgrade", ",websocket,")],
    [
      "a key whose last digit has bits too many",
      saying("Sec-WebSocket-Key", `${KEY.slice(0, 21)}R==`),
    ],
    ["a key of zeros", saying("Sec-WebSocket-Key", `${"A".repeat(22)}==`)],
    ["a key with all marks of base64", saying("Sec-WebSocket-Key", `+/${KEY.slice(2)}`)],
    ["a subprotocol", adding("Sec-WebSocket-Protocol: v1.chat")],
    [
      "subprotocols in two fields",
      adding("Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b"),
    ],
    ["subprotocols without blanks", adding("Sec-WebSocket-Protocol: a,b,c")],
    ["subprotocols with empty elements", adding("Sec-WebSocket-Protocol: ,a,, b ,")],
    ["subprotocols that differ by their case", adding("Sec-WebSocket-Protocol: chat, Chat")],
    ["an extension", adding(`${SOUND}: permessage-deflate; client_max_window_bits`)],
    ["an extension that nobody knows", adding(`${SOUND}: x-unknown; a=1; b="2"; c`)],
    ["extensions without blanks", adding(`${SOUND}: a;b=c,d;e`)],
    ["extensions in two fields", adding(`${SOUND}: a`, `${SOUND}: b; c`)],
    ["extensions with empty elements", adding(`${SOUND}: , a ,, b;c`)],
    ["an extension with an escape in quotes", adding(`${SOUND}: a; b="\\c\\d"`)],
    ["an extension with a parameter twice", adding(`${SOUND}: a; b; b`)],
  ]),
]);

const health: HandshakeGroup = group("AH", "Must be answered: health", [
  refused(200, HEALTHY, undefined, [
    ["GET /healthz", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["GET /readyz", "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["GET /healthz with a query", "GET /healthz?from=balancer HTTP/1.1\r\nHost: a\r\n\r\n"],
    [
      "GET /healthz that keeps alive",
      "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    ],
  ]),
]);

export const acceptedGroups: readonly HandshakeGroup[] = [lines, fields, upgrades, health];
