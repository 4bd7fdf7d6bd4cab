/**
 * Cases of the opening handshake whose first line is wrong: its method, its version, the blanks
 * between its parts (RFC 9112, 3). What is wrong with a target has a file of its own.
 */
import {
  CONTROL_BYTE,
  HEAD_NOT_A_GET,
  HTTP_1_0,
  METHOD_UNKNOWN,
  NOT_A_GET,
  REQUEST_LINE_INVALID,
  VERSION_NOT_SUPPORTED,
} from "../../src/websocket/refusal.ts";
import { group, type HandshakeGroup, type Row, refused, upgrade } from "./handshake-case.ts";

function line(sentence: string, text: string, because?: string): Row {
  return because === undefined ? [sentence, upgrade(text)] : [sentence, upgrade(text), because];
}

const methods: HandshakeGroup = group("M", "Methods", [
  refused(426, NOT_A_GET, "RFC 9110, 15.5.22: whatever the method, plain HTTP is told to upgrade", [
    ...["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"].map((method) =>
      line(method, `${method} / HTTP/1.1`),
    ),
    line("CONNECT with an authority", "CONNECT gateway.example:80 HTTP/1.1"),
    line("OPTIONS with an asterisk", "OPTIONS * HTTP/1.1"),
    line("POST with HTTP/1.0", "POST / HTTP/1.0"),
    line("POST to the health check", "POST /healthz HTTP/1.1"),
    ["POST with a body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"],
  ]),
  refused(426, HEAD_NOT_A_GET, "RFC 9110, 9.3.2: the answer to a HEAD has no content", [
    line("HEAD", "HEAD / HTTP/1.1"),
    line("HEAD with HTTP/1.0", "HEAD / HTTP/1.0"),
    ["HEAD without an upgrade", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ]),
  refused(501, METHOD_UNKNOWN, "RFC 9110, 9.1: a method that is not recognized should get 501", [
    line("get in lower case", "get / HTTP/1.1", "RFC 9110, 9.1: methods are case-sensitive"),
    line("Get in mixed case", "Get / HTTP/1.1", "RFC 9110, 9.1: methods are case-sensitive"),
    line("a method that begins with GET", "GETS / HTTP/1.1"),
    line("a method that GET begins with", "GE / HTTP/1.1"),
    line("a method of WebDAV", "PROPFIND / HTTP/1.1"),
    line("a method with a hyphen", "M-SEARCH / HTTP/1.1"),
    line("QUERY", "QUERY / HTTP/1.1"),
    line("a method of marks, which are tokens", "!#$%&'*+-.^_`|~ / HTTP/1.1"),
    line("`__proto__` as the method", "__proto__ / HTTP/1.1"),
    line("a method of 24 letters", `${"A".repeat(24)} / HTTP/1.1`),
    line(
      "a method longer than any that is known",
      `${"A".repeat(25)} / HTTP/1.1`,
      "RFC 9112, 3: a method that is longer than any that is implemented should get 501",
    ),
    ["letters without an end", "A".repeat(3000)],
  ]),
  refused(400, REQUEST_LINE_INVALID, "RFC 9110, 5.6.2: a method is a token", [
    line("no method", "/ HTTP/1.1"),
    line("a space for a method", " / HTTP/1.1"),
    line("a method with a parenthesis", "G(T / HTTP/1.1"),
    line("a method in quotes", '"GET" / HTTP/1.1'),
    line("a method in braces", "{GET} / HTTP/1.1"),
    line("a method with a comma", "GET,POST / HTTP/1.1"),
    line("a method with a colon", "GET: / HTTP/1.1"),
    line("a method with a slash", "GET/ / HTTP/1.1"),
    line("a method above ASCII", "G\xc9T / HTTP/1.1"),
    line("a method with an at sign", "@GET / HTTP/1.1"),
  ]),
  refused(400, CONTROL_BYTE, undefined, [
    ["a control byte in the version", "GET / HTTP/1.1\x01\r\nHost: a\r\n\r\n"],
  ]),
]);

const EXACT =
  "RFC 9112, 2.3: the version is HTTP, a slash, a digit, a dot and a digit, case-sensitive";

const versions: HandshakeGroup = group("V", "Versions of HTTP", [
  refused(426, HTTP_1_0, "RFC 6455, 4.2.1: HTTP/1.1 at least", [
    line("HTTP/1.0 with all that an upgrade needs", "GET / HTTP/1.0"),
    ["HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n"],
  ]),
  refused(505, VERSION_NOT_SUPPORTED, "RFC 9110, 15.6.6", [
    line("HTTP/0.9 by name", "GET / HTTP/0.9"),
    line("HTTP/1.2, which does not exist", "GET / HTTP/1.2"),
    line("HTTP/1.9, which does not exist", "GET / HTTP/1.9"),
    line("HTTP/2.0", "GET / HTTP/2.0"),
    line("HTTP/3.0", "GET / HTTP/3.0"),
    line("HTTP/9.9", "GET / HTTP/9.9"),
    line("HTTP/0.0", "GET / HTTP/0.0"),
    line("POST with HTTP/2.0", "POST / HTTP/2.0"),
    line("an unknown method with HTTP/0.9", "GETS / HTTP/0.9"),
    line("PRI with HTTP/3.0", "PRI * HTTP/3.0"),
  ]),
  refused(400, REQUEST_LINE_INVALID, EXACT, [
    ["HTTP/0.9, which has no version", "GET /\r\n"],
    ["HTTP/0.9 with headers", "GET /\r\nHost: a\r\n\r\n"],
    line("a version in lower case", "GET / http/1.1"),
    line("a version in mixed case", "GET / Http/1.1"),
    line("a major version alone", "GET / HTTP/1"),
    line("a version without its minor digit", "GET / HTTP/1."),
    line("a version without its major digit", "GET / HTTP/.1"),
    line("a version without digits", "GET / HTTP/"),
    line("a minor version of two digits", "GET / HTTP/1.10"),
    line("a major version of two digits", "GET / HTTP/11.1"),
    line("a major version with a zero in front", "GET / HTTP/01.1"),
    line("a version with a comma", "GET / HTTP/1,1"),
    line("a minor version that is a letter", "GET / HTTP/1.x"),
    line("a version without a slash", "GET / HTTP1.1"),
    line("a version with a hyphen", "GET / HTTP-1.1"),
    line("a version with a sign", "GET / HTTP/+1.1"),
    line("a version of three parts", "GET / HTTP/1.1.1"),
    line("a version with a letter behind it", "GET / HTTP/1.1a"),
    line("a version with a space in it", "GET / HTTP/1. 1"),
    line("a space in front of the slash", "GET / HTTP /1.1"),
    line("a digit above ASCII", "GET / HTTP/1.\xb9"),
    line("HTTPS as the name", "GET / HTTPS/1.1"),
    line("WS as the name", "GET / WS/1.1"),
    line("RTSP as the name", "GET / RTSP/1.0"),
    line("ICY as the name", "GET / ICY/1.1"),
  ]),
]);

const ONE_SPACE = "RFC 9112, 3: between its parts a request line has one space";

const blanks: HandshakeGroup = group("L", "The request line", [
  refused(400, REQUEST_LINE_INVALID, ONE_SPACE, [
    line("two spaces behind the method", "GET  / HTTP/1.1"),
    line("two spaces in front of the version", "GET /  HTTP/1.1"),
    line("a tab behind the method", "GET\t/ HTTP/1.1"),
    line("a tab in front of the version", "GET /\tHTTP/1.1"),
    line("a space at the end", "GET / HTTP/1.1 "),
    line("a tab at the end", "GET / HTTP/1.1\t"),
    line("a space at the start", " GET / HTTP/1.1"),
    line("a tab at the start", "\tGET / HTTP/1.1"),
    line("no target", "GET HTTP/1.1"),
    line("an empty target", "GET  HTTP/1.1"),
    line("a method alone", "GET"),
    line("a method and a space", "GET "),
    line("no space at all", "GET/HTTP/1.1"),
    line("a fourth part", "GET / HTTP/1.1 HTTP/1.1"),
    line("two request lines in one", "GET / HTTP/1.1 GET / HTTP/1.1"),
    line("a space in the path", "GET /a b HTTP/1.1"),
    line("a space in the query", "GET /?a b HTTP/1.1"),
    line("a header in the place of the line", "Host: gateway.example"),
    line("a header behind the target", "GET / Host: a HTTP/1.1"),
    line("a no-break space behind the method", "GET\xa0/ HTTP/1.1"),
    [
      "an empty line in front of the line",
      `\r\n${upgrade()}`,
      "RFC 9112, 2.2 would have it ignored, for clients that send one behind the body of the " +
        "request before; here no request comes before",
    ],
    ["two empty lines in front of the line", `\r\n\r\n${upgrade()}`],
    ["a header in front of the line", `Host: a\r\n${upgrade()}`],
  ]),
  refused(400, CONTROL_BYTE, "RFC 9112, 3: other white space is no space", [
    line("a vertical tab in front of the version", "GET /\x0bHTTP/1.1"),
    line("a form feed in front of the version", "GET /\x0cHTTP/1.1"),
  ]),
]);

export const lineGroups: readonly HandshakeGroup[] = [methods, versions, blanks];
