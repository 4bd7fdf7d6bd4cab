/**
 * Cases of clients that speak something else than HTTP/1.1, and of clients that leave in the
 * middle of their request. Their first bytes are what each protocol begins with.
 */
import {
  BARE_LINE_FEED,
  CONTROL_BYTE,
  HTTP_2_PREFACE,
  METHOD_UNKNOWN,
  NOT_A_GET,
  REQUEST_LINE_INVALID,
  TLS_ON_PLAIN_PORT,
  VERSION_NOT_SUPPORTED,
} from "../../src/websocket/refusal.ts";
import { group, type HandshakeGroup, refused, UNANSWERED, upgrade } from "./handshake-case.ts";

/** A ClientHello of TLS 1.2 without extensions, in records of the given version. */
function clientHello(minorVersion: string): string {
  const body = `\x03\x03${"r".repeat(32)}\0\0\x02\x13\x01\x01\0`;
  const handshake = `\x01\0\0${String.fromCharCode(body.length)}${body}`;
  return `\x16\x03${minorVersion}\0${String.fromCharCode(handshake.length)}${handshake}`;
}

function utf16(text: string): string {
  return Buffer.from(text, "utf16le").toString("latin1");
}

const FIRST = "it is told by its first bytes, long before a line ends";

const strangers: HandshakeGroup = group("Z", "What is no HTTP/1.1", [
  refused(400, TLS_ON_PLAIN_PORT, "RFC 8446, 5.1: a record of a handshake begins with 22", [
    ["a TLS ClientHello", clientHello("\x01")],
    ["a ClientHello in records of TLS 1.2", clientHello("\x03")],
    ["a ClientHello of SSL 3.0", clientHello("\0")],
    ["the first byte of a ClientHello", "\x16"],
  ]),
  refused(505, HTTP_2_PREFACE, "RFC 9113, 3.4: the preface is made to be refused", [
    ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"],
    ["the first line of the preface", "PRI * HTTP/2.0\r\n"],
  ]),
  refused(400, REQUEST_LINE_INVALID, FIRST, [
    ["an SSLv2 ClientHello", "\x80\x2e\x01\0\x02\0\x15\0\0\0\x10\x01\0\x80\x02\0\x80"],
    ["an alert of TLS", "\x15\x03\x03\0\x02\x02\x28"],
    [
      "the PROXY protocol, version 2",
      "\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0P\0P",
    ],
    ["a WebSocket frame", "\x81\x85\x12\x34\x56\x78zQ:t}"],
    ["a WebSocket ping", "\x89\x80\0\0\0\0"],
    ["NULs", "\0".repeat(64)],
    ["bytes of 255", "\xff".repeat(64)],
    ["a byte order mark and a request", `\xef\xbb\xbf${upgrade()}`],
    ["a request in UTF-16", utf16(upgrade())],
    ["a request in UTF-16 behind its mark", `\xff\xfe${utf16(upgrade())}`],
    ["Redis", "*1\r\n$4\r\nPING\r\n", "an asterisk is a token and a carriage return is no space"],
    ["MQTT", "\x10\x0e\0\x04MQTT\x04\x02\0<\0\x02ab"],
    ["AMQP", "AMQP\0\0\x09\x01"],
    ["SOCKS 4", "\x04\x01\0P\x7f\0\0\x01\0"],
    ["SOCKS 5", "\x05\x01\0"],
    ["PostgreSQL", "\0\0\0\x08\x04\xd2\x16\x2f"],
    ["RDP", "\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0"],
    ["DNS over TCP", "\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0"],
    ["TFTP's error", "\0\x05\0\x01"],
    ["gzip", "\x1f\x8b\x08\0\0\0\0\0"],
    ["an ELF file", "\x7fELF\x02\x01\x01"],
    ["JSON", '{"method":"GET"}\r\n'],
    ["XML", "<?xml version='1.0'?>\r\n"],
    ["a policy file of Flash", "<policy-file-request/>\0"],
    ["an answer of HTTP", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
    ["a chunk", "5\r\nhello\r\n0\r\n\r\n"],
    ["an empty line", "\r\n\r\n"],
    ["an empty line with a line feed", "\n\n"],
    ["spaces", " ".repeat(64)],
    ["memcached", "stats\r\n"],
    ["FTP", "QUIT\r\n"],
    ["telnet's options", "\xff\xfd\x18\xff\xfd\x20"],
    ["a key of SSH", "ssh-rsa\tAAAA\r\n"],
  ]),
  refused(400, REQUEST_LINE_INVALID, "the first line is no request line", [
    ["SSH", "SSH-2.0-OpenSSH_9.6 a\r\n"],
    ["SMTP", "EHLO client.example\r\n"],
    ["IMAP", "a1 LOGIN user password\r\n"],
    ["IRC", "NICK ann\r\nUSER ann 0 * :Ann\r\n"],
    ["NATS", "CONNECT {}\r\nPING\r\n"],
    ["STOMP", "CONNECT accept-version:1.2\r\n\r\n"],
    ["the PROXY protocol, version 1", `PROXY TCP4 127.0.0.1 127.0.0.1 56324 80\r\n${upgrade()}`],
    ["the PROXY protocol of an unknown family", `PROXY UNKNOWN\r\n${upgrade()}`],
    ["SIP", "OPTIONS sip:a@b.example SIP/2.0\r\n\r\n"],
    ["RTSP", "OPTIONS rtsp://a.example/ RTSP/1.0\r\nCSeq: 1\r\n\r\n"],
    ["a sentence", "hello gateway\r\n"],
  ]),
  refused(400, BARE_LINE_FEED, undefined, [["SMTP with line feeds", "HELO client\n"]]),
  refused(400, CONTROL_BYTE, undefined, [["words and control bytes", "GET \x01\x02\x03\x04"]]),
  refused(426, NOT_A_GET, undefined, [
    ["a proxy's tunnel", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"],
  ]),
  refused(501, METHOD_UNKNOWN, undefined, [
    ["SSDP", 'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\n\r\n'],
    ["base64 without an end", "QUFB".repeat(500)],
  ]),
  refused(505, VERSION_NOT_SUPPORTED, undefined, [
    ["HTTP/2 in the words of HTTP/1", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"],
  ]),
]);

const LEFT = "RFC 9112, 8: to a request that is not complete an answer may be sent, and need not";

const halves: HandshakeGroup = group("Q", "Requests that end before their head does", [
  refused(UNANSWERED, undefined, LEFT, [
    ["nothing, then FIN", ""],
    ["one letter, then FIN", "G"],
    ["a method, then FIN", "GET"],
    ["half a request line, then FIN", "GET /rooms/bl"],
    ["a request line without its line feed, then FIN", "GET / HTTP/1.1\r"],
    ["a request line, then FIN", "GET / HTTP/1.1\r\n"],
    ["half a field, then FIN", "GET / HTTP/1.1\r\nHost: gate"],
    ["one field, then FIN", "GET / HTTP/1.1\r\nHost: gateway.example\r\n"],
    ["all fields without the empty line, then FIN", upgrade().slice(0, -2)],
    ["all but the last line feed, then FIN", upgrade().slice(0, -1)],
    ["half of what is no HTTP, then FIN", "hello"],
    ["8,000 bytes, then FIN", `GET / HTTP/1.1\r\nX: ${"a".repeat(8000)}`],
  ]),
]);

export const strangerGroups: readonly HandshakeGroup[] = [strangers, halves];
