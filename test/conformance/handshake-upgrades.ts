/**
 * Cases of the opening handshake that are sound HTTP and ask for a WebSocket wrongly (RFC 6455,
 * 4.2.1): Upgrade, Connection, version, key. Lists of names have a file of their own.
 */
import {
  KEY_INVALID,
  NOT_AN_UPGRADE,
  WEBSOCKET_VERSION_NOT_SUPPORTED,
} from "../../src/websocket/refusal.ts";
import {
  adding,
  group,
  type HandshakeGroup,
  KEY,
  type Row,
  refused,
  replacing,
  saying,
} from "./handshake-case.ts";

const UPGRADE = "RFC 6455, 4.2.1: Upgrade has the value websocket, in any case";
const CONNECTION = "RFC 6455, 4.2.1: Connection has the token Upgrade, in any case";
const PLAIN = "RFC 9110, 15.5.22: 426 says by Upgrade what is spoken here";

function protocol(sentence: string, ...values: string[]): Row {
  return [sentence, saying("Upgrade", ...values)];
}

function connection(sentence: string, ...values: string[]): Row {
  return [sentence, saying("Connection", ...values)];
}

const upgrades: HandshakeGroup = group("U", "Upgrade and Connection", [
  refused(426, NOT_AN_UPGRADE, UPGRADE, [
    ["no Upgrade", replacing("Upgrade")],
    protocol("an empty Upgrade", ""),
    protocol("commas only", ", ,"),
    protocol("another protocol", "h2c"),
    protocol("a list without it", "h2c, TLS/1.3, IRC/6.9"),
    protocol("a word that begins with it", "websockets"),
    protocol("a word that ends with it", "xwebsocket"),
    protocol("two words", "web socket"),
    protocol("a hyphen in it", "web-socket"),
    protocol("a version behind it", "websocket/13"),
    protocol("a parameter behind it", "websocket;q=1"),
    protocol("quotes around it", '"websocket"'),
    protocol("a semicolon for a comma", "h2c;websocket"),
    protocol("a space for a comma", "h2c websocket"),
    protocol("a letter above ASCII", "webs\xf6cket"),
    protocol("a sign that folds into its k", "websoc\xe2\x84\xaaet"),
    protocol("a no-break space behind it", "websocket\xa0"),
    ["Upgrade with an underscore in its name", replacing("Upgrade", "_Upgrade: websocket")],
    ["h2c with its settings", replacing("Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")],
  ]),
  refused(426, NOT_AN_UPGRADE, CONNECTION, [
    ["no Connection", replacing("Connection")],
    connection("an empty Connection", ""),
    connection("close", "close"),
    connection("keep-alive", "keep-alive"),
    connection("a list without it", "keep-alive, close, HTTP2-Settings"),
    connection("a word that begins with it", "Upgraded"),
    connection("a word that ends with it", "no-upgrade"),
    connection("two words", "keep-alive upgrade"),
    connection("a semicolon for a comma", "keep-alive; Upgrade"),
    connection("quotes around it", '"Upgrade"'),
    connection("websocket, which belongs into Upgrade", "websocket"),
    ["Proxy-Connection alone", replacing("Connection", "Proxy-Connection: Upgrade")],
  ]),
  refused(426, NOT_AN_UPGRADE, PLAIN, [
    ["a page that is asked for", "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n"],
    ["a WebSocket's key and version alone", replacing("Upgrade").replace(/Connection: .*\r\n/, "")],
    [
      "an event stream that is asked for",
      "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\n\r\n",
    ],
    ["a range", "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n"],
    ["a condition", "GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n"],
    ["a length of 0", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"],
  ]),
]);

const VERSION =
  "RFC 6455, 4.2.2: a version that is not understood gets the one that is; 4.1: it is 13";

function version(sentence: string, ...values: string[]): Row {
  return [sentence, saying("Sec-WebSocket-Version", ...values)];
}

const versions: HandshakeGroup = group("W", "Versions of the protocol", [
  refused(426, WEBSOCKET_VERSION_NOT_SUPPORTED, VERSION, [
    ["no version", replacing("Sec-WebSocket-Version")],
    version("an empty version", ""),
    version("version 0", "0"),
    version("version 7, of a draft", "7"),
    version("version 8, of a draft", "8"),
    version("version 12, of a draft", "12"),
    version("version 14, which does not exist", "14"),
    version("version 255, the last", "255"),
    version("version 256, above the last", "256"),
    version("version 1", "1"),
    version("version 130", "130"),
    version("version 113", "113"),
    version("13 with a minus", "-13"),
    version("13 with a plus", "+13"),
    version("13 with a zero in front", "013"),
    version("13 with a fraction", "13.0"),
    version("13 in hexadecimal", "0x0d"),
    version("13 in letters", "thirteen"),
    version("13 in quotes", '"13"'),
    version("13 with a space in it", "1 3"),
    version("13 with a parameter", "13;q=1"),
    version("13 with a comma", "13,"),
    version("13 as a draft's name", "hybi-13"),
    version("13 above ASCII", "\xb9\xb3"),
    version("13 and 8 in one field", "13, 8"),
    version("8 and 13 in one field", "8, 13"),
    version("13 twice in one field", "13, 13"),
    version("13 twice in two fields", "13", "13"),
    version("8 and 13 in two fields", "8", "13"),
    version("13 and nothing in two fields", "13", ""),
    [
      "the keys of a draft",
      `${replacing(
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5",
        "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00",
      ).replace(/Sec-WebSocket-Version: 13\r\n/, "")}^n:ds[4U`,
    ],
    ["a draft's name of the version", replacing("Sec-WebSocket-Version", "Sec-WebSocket-Draft: 2")],
  ]),
]);

const KEYED = "RFC 6455, 4.2.1: a key in base64 that when decoded has 16 bytes";
const ONE_KEY = "RFC 6455, 11.3.1: the key must not appear more than once";

function key(sentence: string, ...values: string[]): Row {
  return [sentence, saying("Sec-WebSocket-Key", ...values)];
}

const keys: HandshakeGroup = group("K", "Keys", [
  refused(400, KEY_INVALID, KEYED, [
    ["no key", replacing("Sec-WebSocket-Key")],
    key("an empty key", ""),
    key("a key of 1 byte", "AA=="),
    key("a key of 15 bytes", "AAAAAAAAAAAAAAAAAAAA"),
    key("a key of 17 bytes", "AAAAAAAAAAAAAAAAAAAAAAA="),
    key("a key of 18 bytes", "AAAAAAAAAAAAAAAAAAAAAAAA"),
    key("a key of 32 bytes", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    key("a key of 4,000 bytes", "AAAA".repeat(1333)),
    key("16 bytes without padding", KEY.slice(0, 22)),
    key("16 bytes with half of their padding", KEY.slice(0, 23)),
    key("16 bytes with too much padding", `${KEY}=`),
    key("16 bytes and more behind their padding", `${KEY}AAAA`),
    key("padding in front", `==${KEY.slice(0, 22)}`),
    key("padding in the middle", "dGhlIHNhbXB==ZSBub25jZQ="),
    key("padding only", "=".repeat(24)),
    key("a hyphen of base64url", "dGhlIHNhbXBsZSBub25-ZQ=="),
    key("an underscore of base64url", "dGhlIHNhbXBsZSBub25_ZQ=="),
    key("a space in it", "dGhlIHNhbXBs SBub25jZQ=="),
    key("a tab in it", "dGhlIHNhbXBs\tSBub25jZQ=="),
    key("a comma in it", "dGhlIHNhbXBs,SBub25jZQ=="),
    key("an asterisk in it", "dGhlIHNhbXBs*SBub25jZQ=="),
    key("a dot in it", "dGhlIHNhbXBs.SBub25jZQ=="),
    key("a colon in it", "dGhlIHNhbXBs:SBub25jZQ=="),
    key("a letter above ASCII in it", "dGhlIHNhbXBs\xe9SBub25jZQ=="),
    key("quotes around it", `"${KEY}"`),
    key("a parameter behind it", `${KEY};a`),
    key("percent-encoded padding", `${KEY.slice(0, 22)}%3D%3D`),
    key("16 bytes in hexadecimal", "000102030405060708090a0b0c0d0e0f"),
    key("a UUID", "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"),
    key("the answer to a key", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
  ]),
  refused(400, KEY_INVALID, ONE_KEY, [
    key("the same key twice", KEY, KEY),
    key("two keys", KEY, "AAAAAAAAAAAAAAAAAAAAAA=="),
    key("a key and nothing", KEY, ""),
    key("nothing and a key", "", KEY),
    key("two keys in one field", `${KEY}, ${KEY}`),
    ["a second key in another case", adding(`SEC-WEBSOCKET-KEY: ${KEY}`)],
  ]),
]);

export const upgradeGroups: readonly HandshakeGroup[] = [upgrades, versions, keys];
