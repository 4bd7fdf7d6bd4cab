/**
 * Cases of the opening handshake whose target is wrong (RFC 9112, 3.2), or whose target is sound
 * and leads nowhere. Only a path with or without a query is taken for a target.
 */
import { PATH_UNKNOWN } from "../../src/gateway/refusal.ts";
import {
  CONTROL_BYTE,
  NOT_AN_UPGRADE,
  TARGET_HAS_FRAGMENT,
  TARGET_INVALID,
  TARGET_NOT_A_PATH,
  TARGET_PERCENT_INVALID,
  TARGET_TOO_LONG,
} from "../../src/websocket/refusal.ts";
import { group, type HandshakeGroup, type Row, refused, upgrade } from "./handshake-case.ts";

function target(sentence: string, text: string, because?: string): Row {
  const bytes = upgrade(`GET ${text} HTTP/1.1`);
  return because === undefined ? [sentence, bytes] : [sentence, bytes, because];
}

const forms: HandshakeGroup = group("F", "Forms of the target", [
  refused(400, TARGET_NOT_A_PATH, "RFC 6455, 3: the resource name begins with a slash", [
    target(
      "the absolute form",
      "http://gateway.example/",
      "it is for proxies, and a second place for the host is one that checks can miss",
    ),
    target("the absolute form with https", "https://gateway.example/"),
    target("the absolute form with ws", "ws://gateway.example/"),
    target("the absolute form with wss", "wss://gateway.example/"),
    target("the absolute form in upper case", "HTTP://GATEWAY.EXAMPLE/"),
    target("the absolute form without a path", "http://gateway.example"),
    target("the absolute form of another host", "http://other.example/"),
    target("the absolute form with a user", "http://user@gateway.example/"),
    target("the absolute form without a host", "http:///"),
    target("a file", "file:///etc/passwd"),
    target("a script", "javascript:alert(1)"),
    target("the authority form", "gateway.example:80", "RFC 9112, 3.2.3: only for CONNECT"),
    target("the authority form of an address", "[::1]:80", "RFC 9112, 3.2.3: only for CONNECT"),
    target("a host alone", "gateway.example", "RFC 9112, 3.2.3: only for CONNECT"),
    target("the asterisk form", "*", "RFC 9112, 3.2.4: only for OPTIONS"),
    target("two asterisks", "**"),
    target("an asterisk and a path", "*/"),
    target("a query alone", "?room=blue"),
    target("a path without its slash", "chat"),
    target("a path that begins with a dot", "./chat"),
    target("a path that begins with two dots", "../chat"),
    target("an encoded slash at the start", "%2Fchat"),
    target("a backslash at the start", "\\chat"),
    target("a path in quotes", '"/"'),
    target("a path in angle brackets", "</>"),
  ]),
]);

const FRAGMENT = "RFC 6455, 3: a fragment must not stand in a resource name";
const PERCENT = "RFC 3986, 2.1: behind a percent sign stand two hexadecimal digits";

const content: HandshakeGroup = group("T", "Bytes of the target", [
  refused(400, TARGET_HAS_FRAGMENT, FRAGMENT, [
    target("an empty fragment", "/#"),
    target("a fragment", "/#room"),
    target("a fragment behind a query", "/?room=blue#end"),
    target("a fragment without a path", "#room"),
    target("a fragment behind an absolute form", "http://gateway.example/#room"),
    target("two fragments", "/##"),
  ]),
  refused(400, TARGET_PERCENT_INVALID, PERCENT, [
    target("a percent sign at the end", "/a%"),
    target("a percent sign with one digit", "/a%4"),
    target("a percent sign with one digit and a slash", "/a%4/b"),
    target("a percent sign with letters", "/%zz"),
    target("a percent sign with a wrong second digit", "/%4g"),
    target("a percent sign with a wrong first digit", "/%g4"),
    target("a percent sign twice", "/%%41"),
    target("a percent sign with a sign", "/%+4"),
    target("a percent sign in front of the query", "/%?41"),
    target("an escape as scripts have it", "/%u0041"),
  ]),
  refused(400, TARGET_INVALID, "RFC 3986, 2: a URI is ASCII; all else is percent-encoded", [
    target("UTF-8 in the path", "/caf\xc3\xa9"),
    target("Latin-1 in the path", "/caf\xe9"),
    target("UTF-8 in the query", "/?caf\xc3\xa9"),
    target("the byte 0x80", "/\x80"),
    target("the byte 0xff", "/\xff"),
    target("a byte order mark", "\xef\xbb\xbf/"),
    target("an overlong slash", "/\xc0\xaf"),
    target("a tab in the path", "/a\tb"),
    target("a tab in the query", "/?a\tb"),
  ]),
  refused(400, CONTROL_BYTE, undefined, [
    target("NUL in the path", "/a\0b"),
    target("NUL at the end of the target", "/\0"),
    target("NUL in the query", "/?a\0b"),
    target("DEL in the path", "/a\x7f"),
    target("ESC in the query", "/?\x1b[31m"),
    target("a backspace in the path", "/a\x08"),
  ]),
  refused(414, TARGET_TOO_LONG, "RFC 9112, 3: a target that is too long gets 414", [
    target("a path of 4,097 bytes", `/${"a".repeat(4096)}`),
    target("a path and a query of 4,097 bytes", `/?${"a".repeat(4095)}`),
    target("1,400 segments", "/a/".repeat(1400)),
    ["a target that never ends", `GET /${"a".repeat(9000)}`],
    ["a query that never ends", `GET /?${"a=b&".repeat(2300)}`],
  ]),
]);

const paths: HandshakeGroup = group("P", "Paths that no hub has", [
  refused(404, PATH_UNKNOWN, undefined, [
    target("another path", "/nowhere"),
    target("a longer path", "/rooms/blue/more"),
    target("a path with a slash more at its end", "/rooms/blue/"),
    target("a parameter that is empty", "/rooms/"),
    target("a parameter that is missing", "/rooms"),
    target("another case", "/Rooms/blue", "RFC 9110, 4.2.3: paths are case-sensitive"),
    target("two slashes", "//"),
    target("a slash more at the start", "//rooms/blue"),
    target("an encoded slash", "/%2f"),
    target(
      "an encoded letter of a literal",
      "/%72ooms/blue",
      "paths are compared as they are sent",
    ),
    target("a dot", "/."),
    target("two dots", "/..", "nothing is resolved, so nothing is climbed"),
    target("a way up and down again", "/rooms/../rooms/blue"),
    target("an encoded way up", "/%2e%2e/%2e%2e/etc/passwd"),
    target("a parameter that is no UTF-8", "/rooms/%ff"),
    target("a parameter that is half a character", "/rooms/%c3"),
    target("a parameter that is a surrogate", "/rooms/%ed%a0%80"),
    target("`__proto__`", "/__proto__"),
    target("constructor", "/constructor"),
    target("a path parameter", "/;v=1"),
    target("the health check with a slash behind it", "/healthz/"),
    target("a host in the path", "//other.example/rooms/blue"),
    target("a fragment's mark, encoded", "/%23"),
    target("a question mark, encoded", "/%3froom=blue"),
  ]),
  refused(426, NOT_AN_UPGRADE, "what is asked of a path is judged before the path", [
    ["plain HTTP for another path", "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"],
  ]),
]);

export const targetGroups: readonly HandshakeGroup[] = [forms, content, paths];
