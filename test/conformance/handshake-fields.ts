/**
 * Cases of the opening handshake whose lines are wrong as such: how they end, what bytes they
 * have, how a field is written (RFC 9112, 2.2 and 5). What fields say is for other files.
 */
import {
  BARE_CARRIAGE_RETURN,
  BARE_LINE_FEED,
  CONTROL_BYTE,
  FOLDED_HEADER,
  HEAD_TOO_BIG,
  HEADER_NAME_INVALID,
  REQUEST_LINE_INVALID,
  SPACE_BEFORE_COLON,
  TOO_MANY_HEADERS,
} from "../../src/websocket/refusal.ts";
import { adding, group, type HandshakeGroup, refused, upgrade } from "./handshake-case.ts";

const START = "GET / HTTP/1.1\r\nHost: a\r\n";
const sound = upgrade();

const LINE_FEED =
  "RFC 9112, 2.2 lets a line feed alone end a line; what parsers read differently is refused";
const CARRIAGE_RETURN = "RFC 9112, 2.2: a carriage return alone makes the element invalid";

const lineEnds: HandshakeGroup = group("E", "Ends of lines", [
  refused(400, BARE_LINE_FEED, LINE_FEED, [
    ["line feeds only", sound.replaceAll("\r\n", "\n")],
    ["a line feed behind the request line", sound.replace("\r\n", "\n")],
    ["a line feed behind a field", `${START}X: a\nY: b\r\n\r\n`],
    ["a line feed behind the last field", `${START}X: a\n\r\n`],
    ["a line feed for the empty line", `${START}\n`],
    ["two line feeds at the end", `${START.slice(0, -2)}\n\n`],
    ["a line feed in a value", adding("X: a\nb")],
    ["a line feed in a name", adding("X\nY: a")],
    ["a line feed in front of the colon", adding("X\n: a")],
    ["a line feed behind the colon", adding("X:\n a")],
    ["a line feed and a carriage return, swapped", `${START}X: a\n\rY: b\r\n\r\n`],
    ["a line feed more behind a line", `${START}X: a\r\n\nY: b\r\n\r\n`],
    ["a line feed in the target", upgrade("GET /\n HTTP/1.1")],
  ]),
  refused(400, REQUEST_LINE_INVALID, "RFC 9112, 3: behind the method stands a space", [
    ["a line feed behind the method", upgrade("GET\n/ HTTP/1.1")],
    ["a carriage return behind the method", upgrade("GET\r/ HTTP/1.1")],
    ["a line feed in front of the line", `\n${sound}`],
    ["a carriage return in front of the line", `\r${sound}`],
  ]),
  refused(400, BARE_CARRIAGE_RETURN, CARRIAGE_RETURN, [
    ["carriage returns only", sound.replaceAll("\r\n", "\r")],
    ["a carriage return behind the request line", sound.replace("\r\n", "\r")],
    ["a carriage return in a value", adding("X: a\rb")],
    ["a carriage return in front of a value", adding("X: \ra")],
    ["a carriage return in a name", adding("X\rY: a")],
    ["a carriage return in front of the colon", adding("X\r: a")],
    ["two carriage returns behind a line", adding("X: a\r")],
    ["a carriage return in the target", upgrade("GET /\r HTTP/1.1")],
    ["a carriage return and a space for a line's end", `${START}X: a\r Y: b\r\n\r\n`],
    ["two carriage returns for the empty line", `${START}\r\r\n`],
    ["a carriage return and a tab", adding("X: a\r\tb")],
  ]),
]);

const CONTROLS: readonly (readonly [name: string, byte: string])[] = [
  ["NUL", "\0"],
  ["a bell", "\x07"],
  ["a backspace", "\x08"],
  ["a vertical tab", "\x0b"],
  ["a form feed", "\x0c"],
  ["ESC", "\x1b"],
  ["a unit separator", "\x1f"],
  ["DEL", "\x7f"],
];

const controls: HandshakeGroup = group("C", "Control bytes", [
  refused(400, CONTROL_BYTE, "RFC 9110, 5.5: no control byte but the tab may stand in a field", [
    ...CONTROLS.map(([name, byte]) => [`${name} in a value`, adding(`X: a${byte}b`)] as const),
    ...CONTROLS.map(([name, byte]) => [`${name} in a name`, adding(`X${byte}Y: a`)] as const),
    ["NUL for a value", adding("X: \0")],
    ["NUL in front of a value", adding("X:\0a")],
    ["NUL at the end of a value", adding("X: a\0")],
    ["NUL in front of the colon", adding("X\0: a")],
    ["NUL for a name", adding("\0: a")],
    ["NUL for the empty line", `${START}\0\r\n`],
    ["NUL behind the last line", `${START}X: a\r\n\0`],
    ["NUL behind the request line", sound.replace("\r\n", "\0\r\n")],
    ["NUL between carriage return and line feed", `${START}X: a\0\r\n\r\n`],
    ["NUL in the Host", sound.replace("gateway", "gate\0way")],
    ["NUL in Upgrade", sound.replace("websocket", "web\0socket")],
    ["NUL in the key", sound.replace("dGhl", "dG\0l")],
    ["DEL in Connection", sound.replace("Connection: Upgrade", "Connection: Upgrade\x7f")],
  ]),
  refused(400, REQUEST_LINE_INVALID, "a method is a token", [
    ["NUL in front of the line", `\0${sound}`],
    ["NUL in the method", upgrade("G\0T / HTTP/1.1")],
    ["DEL in the method", upgrade("GET\x7f / HTTP/1.1")],
  ]),
]);

const SEPARATORS = `()<>@,;\\"/[]?={}`;
const TOKEN = "RFC 9110, 5.1: a field's name is a token";

const names: HandshakeGroup = group("N", "Names of fields", [
  refused(400, HEADER_NAME_INVALID, TOKEN, [
    ...Array.from(SEPARATORS, (mark) => [`\`${mark}\` in a name`, adding(`X${mark}Y: a`)] as const),
    ["an empty name", adding(": a")],
    ["an empty name and an empty value", adding(":")],
    ["two colons and nothing in front", adding(":: a")],
    ["a name as HTTP/2 has them", adding(":authority: gateway.example")],
    ["a line without a colon", adding("websocket")],
    ["a line of one letter", adding("a")],
    ["a first line behind the request line without a colon", `GET / HTTP/1.1\r\nx\r\n\r\n`],
    ["a name in UTF-8", adding("caf\xc3\xa9: a")],
    ["a name in Latin-1", adding("caf\xe9: a")],
    ["a name that begins with a byte order mark", adding("\xef\xbb\xbfX: a")],
    ["a no-break space in front of the colon", adding("X\xa0: a")],
    ["a name in quotes", adding('"X": a')],
  ]),
  refused(400, SPACE_BEFORE_COLON, "RFC 9112, 5.1: a blank before the colon must get 400", [
    ["a space before the colon", adding("X : a")],
    ["spaces before the colon", adding("X   : a")],
    ["a tab before the colon", adding("X\t: a")],
    ["a space in a name", adding("X Y: a")],
    ["a tab in a name", adding("X\tY: a")],
    ["a space before the colon of Host", sound.replace("Host:", "Host :")],
    ["a space before the colon of Upgrade", sound.replace("Upgrade:", "Upgrade :")],
    ["a space before the colon of the key", sound.replace("Key:", "Key :")],
    ["words without a colon", adding("a b c")],
    ["a second request line", adding("GET / HTTP/1.1")],
    ["a comment", adding("# a: b")],
  ]),
]);

const FOLDED = "RFC 9112, 5.2: a field folded over lines must get 400 or be unfolded";

const folds: HandshakeGroup = group("O", "Folded fields", [
  refused(400, FOLDED_HEADER, FOLDED, [
    ["a field folded with a space", adding("X: a", " b")],
    ["a field folded with a tab", adding("X: a", "\tb")],
    ["a field folded twice", adding("X: a", " b", " c")],
    ["a fold of blanks only", adding("X: a", " \t ")],
    ["a fold of one space", adding("X: a", " ")],
    ["an empty field, folded", adding("X:", " a")],
    ["a field behind a blank", adding(" X: a")],
    ["a fold right behind the request line", sound.replace("Host", " Host")],
    ["a line of blanks behind the request line", sound.replace("Host", " \r\nHost")],
    ["the Host, folded", sound.replace("Host: ", "Host:\r\n ")],
    ["the key, folded", sound.replace("Key: ", "Key:\r\n\t")],
    ["Upgrade, folded in its middle", sound.replace(": websocket", ": web\r\n socket")],
    ["Transfer-Encoding, folded", adding("Transfer-Encoding:", " chunked")],
    ["a Content-Length in a fold", adding("X: a", " Content-Length: 5")],
  ]),
]);

const MANY = "RFC 6585, 5";

const sizes: HandshakeGroup = group("S", "Sizes", [
  refused(431, HEAD_TOO_BIG, MANY, [
    ["a value of 9,000 bytes", adding(`X: ${"a".repeat(9000)}`)],
    ["a name of 9,000 bytes", adding(`${"a".repeat(9000)}: a`)],
    ["a value of blanks", adding(`X: ${" ".repeat(9000)}`)],
    ["a field without an end", `${START}X: ${"a".repeat(9000)}`],
    ["a name without an end", `${START}${"a".repeat(9000)}`],
    ["a head that is one byte too long", exactly(8193)],
    ["2,000 fields", adding(...Array.from({ length: 2000 }, (_, index) => `X${index}:`))],
    ["fields without an end", `${START}${"a:\r\n".repeat(2100)}`],
  ]),
  refused(431, TOO_MANY_HEADERS, MANY, [
    ["65 fields", adding(...Array.from({ length: 60 }, (_, index) => `X${index}: a`))],
    ["65 fields of one name", adding(...Array.from({ length: 60 }, () => "X: a"))],
    ["1,000 fields without values", adding(...Array.from({ length: 1000 }, () => "a:"))],
    ["200 fields of one letter", `${START}${"a:b\r\n".repeat(200)}\r\n`],
  ]),
]);

function exactly(bytes: number): string {
  return adding(`X: ${"a".repeat(bytes - adding("X: ").length)}`);
}

export const fieldGroups: readonly HandshakeGroup[] = [lineEnds, controls, names, folds, sizes];
