/**
 * Cases of the opening handshake whose Host is wrong (RFC 9110, 7.2), that announce a body (RFC
 * 9112, 6), among them what requests are smuggled with, or that come from a foreign page.
 */
import { ORIGIN_NOT_ALLOWED } from "../../src/gateway/refusal.ts";
import {
  BODY_NOT_ALLOWED,
  HOST_INVALID,
  HOST_MISSING,
  HOST_REPEATED,
  NOT_A_GET,
} from "../../src/websocket/refusal.ts";
import {
  adding,
  group,
  type HandshakeGroup,
  type Row,
  refused,
  replacing,
  saying,
  upgrade,
} from "./handshake-case.ts";

const ONE_HOST = "RFC 9112, 3.2: without Host, with two, or with an invalid one: 400";

function host(sentence: string, value: string): Row {
  return [sentence, saying("Host", value)];
}

const hosts: HandshakeGroup = group("H", "Host", [
  refused(400, HOST_MISSING, ONE_HOST, [
    ["no Host", replacing("Host")],
    ["no field at all", "GET / HTTP/1.1\r\n\r\n"],
    ["X-Forwarded-Host alone", replacing("Host", "X-Forwarded-Host: gateway.example")],
    ["Hosts, which is another name", replacing("Host", "Hosts: gateway.example")],
    ["a health check without Host", "GET /healthz HTTP/1.1\r\n\r\n"],
  ]),
  refused(400, HOST_REPEATED, ONE_HOST, [
    ["Host twice, and the same", saying("Host", "gateway.example", "gateway.example")],
    ["Host twice, and another", saying("Host", "gateway.example", "other.example")],
    ["Host twice in different cases", replacing("Host", "Host: gateway.example", "HOST: a")],
    ["Host twice, one of them empty", saying("Host", "gateway.example", "")],
    ["Host three times", saying("Host", "a", "b", "c")],
    ["a second Host at the end", adding("Host: gateway.example")],
  ]),
  refused(400, HOST_INVALID, "RFC 9110, 7.2: a host and perhaps a port, and nothing else", [
    host("an empty Host", ""),
    host("a Host of blanks", " \t "),
    host("a port alone", ":80"),
    host("two hosts", "gateway.example, other.example"),
    host("a host with a space", "gateway example"),
    host("a host with a tab", "gateway\texample"),
    host("a user in front", "user@gateway.example"),
    host("a user with a password in front", "user:password@gateway.example"),
    host("a scheme in front", "http://gateway.example"),
    host("a path behind", "gateway.example/chat"),
    host("a query behind", "gateway.example?a"),
    host("a fragment behind", "gateway.example#a"),
    host("a port in letters", "gateway.example:http"),
    host("a negative port", "gateway.example:-1"),
    host("two ports", "gateway.example:80:80"),
    host("a port with a space in front", "gateway.example: 80"),
    host("an IPv6 address without brackets", "::1"),
    host("an IPv6 address whose bracket is not closed", "[::1"),
    host("an IPv6 address whose bracket is not opened", "::1]"),
    host("empty brackets", "[]"),
    host("a name in brackets", "[gateway.example]"),
    host("an IPv4 address in brackets", "[127.0.0.1]"),
    host("an IPv6 address with a zone", "[fe80::1%25eth0]"),
    host("letters behind the brackets", "[::1]a"),
    host("a host in UTF-8", "caf\xc3\xa9.example"),
    host("a host in Latin-1", "caf\xe9.example"),
    host("a host in quotes", '"gateway.example"'),
    host("a host in angle brackets", "<gateway.example>"),
    host("a backslash", "gateway.example\\a"),
    host("a pipe", "gateway|example"),
    host("braces", "{host}"),
    host("a percent sign without digits", "gateway%.example"),
    host("a percent sign with one digit", "gateway.example%4"),
  ]),
]);

const LENGTH = "RFC 9110, 8.6: a length is digits; of other spellings parsers make other lengths";
const NO_BODY = "RFC 9110, 9.3.1: content in a GET may be refused: it can be a smuggled request";
const CODED = "RFC 9112, 6.1: a request with a transfer coding has a body";

function length(sentence: string, ...values: string[]): Row {
  return [sentence, adding(...values.map((value) => `Content-Length: ${value}`))];
}

function coding(sentence: string, ...values: string[]): Row {
  return [sentence, adding(...values.map((value) => `Transfer-Encoding: ${value}`))];
}

const chunked = "Transfer-Encoding: chunked";
const smuggled = upgrade("GET /rooms/blue HTTP/1.1");

const bodies: HandshakeGroup = group("B", "Bodies", [
  refused(400, BODY_NOT_ALLOWED, NO_BODY, [
    ["a length and its body", `${adding("Content-Length: 5")}hello`],
    length("a length without its body", "5"),
    length("a length of 1", "1"),
    length("a length above what 64 bits hold", "18446744073709551617"),
    length("a length of 1,000 digits", "9".repeat(1000)),
    [
      "a length that covers another request",
      `${adding(`Content-Length: ${smuggled.length}`)}${smuggled}`,
    ],
  ]),
  refused(400, BODY_NOT_ALLOWED, LENGTH, [
    length("0 with a sign", "+0"),
    length("0 with a minus", "-0"),
    length("-1", "-1"),
    length("0 in hexadecimal", "0x0"),
    length("0 with an exponent", "0e0"),
    length("0 with a fraction", "0.0"),
    length("0 twice in one field", "0, 0"),
    length("0 and 5 in one field", "0, 5"),
    length("5 and 0 in one field", "5, 0"),
    length("5 twice in one field", "5, 5"),
    length("0 and a comma", "0,"),
    length("0 and 0 with a space between", "0 0"),
    length("0 in quotes", '"0"'),
    length("0 and a parameter", "0;a"),
    length("no digits", ""),
    length("a word", "none"),
    length("digits and letters", "5a"),
    length("an octal number", "010"),
    length("digits above ASCII", "\xb2"),
    length("two lengths in two fields", "0", "5"),
    length("two lengths in two fields, the other way round", "5", "0"),
    length("the same length in two fields", "5", "5"),
    ["two lengths, named in two cases", adding("Content-Length: 0", "content-length: 1")],
  ]),
  refused(400, BODY_NOT_ALLOWED, CODED, [
    ["chunks", `${adding(chunked)}5\r\nhello\r\n0\r\n\r\n`],
    coding("chunks that do not come", "chunked"),
    coding("chunked in upper case", "CHUNKED"),
    coding("chunked with blanks around it", " \t chunked\t"),
    coding("identity, which is none any more", "identity"),
    coding("gzip", "gzip"),
    coding("gzip and chunked", "gzip, chunked"),
    coding("chunked and not last", "chunked, identity"),
    coding("chunked twice", "chunked, chunked"),
    coding("chunked in two fields", "chunked", "chunked"),
    coding("chunked and identity in two fields", "chunked", "identity"),
    coding("chunked with a parameter", "chunked;q=1"),
    coding("chunked in quotes", '"chunked"'),
    coding("chunked with a comma in front", ",chunked"),
    coding("chunked in part", "xchunked"),
    coding("nothing", ""),
    coding("a comma", ","),
    coding("bytes above ASCII", "chunked\xa0"),
    ["the name in upper case", adding("TRANSFER-ENCODING: chunked")],
    ["a coding in the first field", upgrade(`GET / HTTP/1.1\r\n${chunked}`)],
  ]),
  refused(400, BODY_NOT_ALLOWED, "RFC 9112, 6.3: two framings are an attack, and an error", [
    ["a length, then chunks", adding("Content-Length: 5", chunked)],
    ["chunks, then a length", adding(chunked, "Content-Length: 5")],
    ["a length of 0, then chunks", adding("Content-Length: 0", chunked)],
    [
      "a length that ends before a request, and chunks",
      `${adding("Content-Length: 5", chunked)}0\r\n\r\n${smuggled}`,
    ],
    [
      "chunks that end before a request, and a length",
      `${adding(chunked, `Content-Length: ${5 + smuggled.length}`)}0\r\n\r\n${smuggled}`,
    ],
    ["chunks and a request behind them", `${adding(chunked)}0\r\n\r\n${smuggled}`],
    ["100-continue and a length", adding("Expect: 100-continue", "Content-Length: 5")],
  ]),
  refused(426, NOT_A_GET, "the method is judged at the end of the request line", [
    ["POST with chunks", upgrade("POST / HTTP/1.1", `${chunked}\r\n`)],
  ]),
]);

const PAGE = "RFC 6455, 4.2.2: an origin that is not acceptable gets 403";

function origin(sentence: string, ...values: string[]): Row {
  return [sentence, adding(...values.map((value) => `Origin: ${value}`))];
}

const pages: HandshakeGroup = group("G", "Pages of other hosts", [
  refused(403, ORIGIN_NOT_ALLOWED, PAGE, [
    origin("a page of another host", "https://evil.example"),
    origin("a page of a host below", "https://a.gateway.example"),
    origin("a page of the host above", "https://example"),
    origin("a host that ends the same", "https://evilgateway.example"),
    origin("a host that begins the same", "https://gateway.example.evil.example"),
    origin("the host as a user", "https://gateway.example@evil.example"),
    origin("the host as a path", "https://evil.example/gateway.example"),
    ["a page without an origin of its own", adding("Origin: null"), "RFC 6454, 7.3"],
    origin("a file", "file://"),
    origin("an empty Origin", ""),
    origin("a host alone", "gateway.example"),
    origin("a port alone", "https://:443"),
    origin("a word", "undefined"),
    origin("bytes above ASCII", "https://gateway.ex\xe4mple"),
    origin("two origins in one field", "https://gateway.example, https://evil.example"),
    origin("two origins with a space", "https://gateway.example https://evil.example"),
    origin("two origins in two fields", "https://gateway.example", "https://evil.example"),
    origin("an asterisk", "*"),
  ]),
]);

const listed: HandshakeGroup = group(
  "J",
  "Pages that a hub does not list",
  [
    refused(403, ORIGIN_NOT_ALLOWED, PAGE, [
      origin("a page of the gateway's own host", "https://gateway.example"),
      origin("another scheme", "http://app.example"),
      origin("another port", "https://app.example:8443"),
      origin("the scheme's own port, which no browser sends", "https://app.example:443"),
      origin("a slash behind it", "https://app.example/"),
      origin("the listed origin twice", "https://app.example", "https://app.example"),
      origin("a host below", "https://www.app.example"),
      origin("a space in it", "https://app. example"),
    ]),
  ],
  "paths: [/]\nservice: 'echo:'\norigins: ['https://app.example']",
);

export const hostGroups: readonly HandshakeGroup[] = [hosts, bodies, pages, listed];
