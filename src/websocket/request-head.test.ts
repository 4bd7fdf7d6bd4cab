import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import type { Refusal } from "./handshake.ts";
import * as refusals from "./refusal.ts";
import { COMPLETE, INCOMPLETE, REFUSED, RequestHead } from "./request-head.ts";

const limits = { requestHeadBytesMax: 600, requestHeadersMax: 6, requestTargetBytesMax: 100 };
const OFFSET = 11;

/** The last state of a head that comes in these pieces, within bytes of somebody else's. */
function readPieces(bytes: Uint8Array, pieceBytes: number, head = new RequestHead(limits)) {
  const arena = new Uint8Array(bytes.length + 2 * OFFSET).fill(0x0a);
  arena.set(bytes, OFFSET);
  let state: number = INCOMPLETE;
  let scanned = 0;
  while (state === INCOMPLETE && scanned < bytes.length) {
    const length = Math.min(scanned + pieceBytes, bytes.length);
    state = head.read(arena, OFFSET, OFFSET + length, scanned);
    scanned = length;
  }
  return { state, head, scanned };
}

/** Reads a text whole, cut in two at every place, and byte by byte: all must agree. */
function read(text: string) {
  const bytes = Buffer.from(text, "latin1");
  const whole = readPieces(bytes, bytes.length);
  for (let cut = 1; cut < bytes.length; cut++) {
    const head = new RequestHead(limits);
    let state: number = head.read(bytes, 0, cut, 0);
    if (state === INCOMPLETE) state = head.read(bytes, 0, bytes.length, cut);
    assert.equal(state, whole.state, `cut at ${cut}`);
    if (state === REFUSED) assert.equal(head.refusal, whole.head.refusal);
    else assert.equal(head.length, whole.head.length);
  }
  const byteByByte = readPieces(bytes, 1);
  assert.equal(byteByByte.state, whole.state);
  if (whole.state === REFUSED) assert.equal(byteByByte.head.refusal, whole.head.refusal);
  return whole;
}

function complete(text: string): RequestHead {
  const { state, head } = read(text);
  assert.equal(state, COMPLETE, state === REFUSED ? head.refusal.sentence : "incomplete");
  return head;
}

describe("a head that is sound", () => {
  test("gives its target in parts", () => {
    const head = complete("GET /chat/blue?a=1&b=?%20 HTTP/1.1\r\nHost: a.example:80\r\n\r\n");
    assert.equal(head.target, "/chat/blue?a=1&b=?%20");
    assert.equal(head.path, "/chat/blue");
    assert.equal(head.query, "a=1&b=?%20");
  });

  test("ends behind its empty line, whatever follows", () => {
    const text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert.equal(complete(`${text}\x81\x80more\n`).length, text.length);
  });

  test("gives its fields without regard to case and without the blanks around them", () => {
    const head = complete("GET / HTTP/1.1\r\nhOsT:a\r\nX-One: \t 1 2 \t\r\nx-empty:\r\n\r\n");
    assert.equal(head.header("host"), "a");
    assert.equal(head.header("x-one"), "1 2");
    assert.equal(head.header("x-empty"), "");
    assert.equal(head.header("x-on"), undefined);
    assert.equal(head.count("x-one"), 1);
    assert.equal(head.count("x-on"), 0);
  });

  test("joins a repeated field in order, and lists it apart", () => {
    const head = complete("GET / HTTP/1.1\r\nA: 1\r\nHost: b\r\na: 2, 3\r\nA:4\r\n\r\n");
    assert.equal(head.header("a"), "1, 2, 3, 4");
    assert.equal(head.count("a"), 3);
    assert.deepEqual({ ...head.headers() }, { a: ["1", "2, 3", "4"], host: ["b"] });
  });

  test("lists fields that are named like parts of every object", () => {
    const head = complete("GET / HTTP/1.1\r\nHost: a\r\n__proto__: x\r\nconstructor: y\r\n\r\n");
    const headers = head.headers();
    assert.equal(Object.getPrototypeOf(headers), null);
    assert.deepEqual(Object.entries(headers), [
      ["host", ["a"]],
      ["__proto__", ["x"]],
      ["constructor", ["y"]],
    ]);
  });

  test("may have bytes above ASCII in a value, taken as Latin-1", () => {
    const head = complete("GET / HTTP/1.1\r\nHost: a\r\nX: gr\xfc\xdf\r\n\r\n");
    assert.equal(head.header("x"), "grüß");
  });

  test("may say that it has no body", () => {
    complete("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  });

  test("keeps nothing of the head before it", () => {
    const head = new RequestHead(limits);
    readPieces(Buffer.from("GET /x?y HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n"), 99, head);
    readPieces(Buffer.from("GET / HTTP/1.1\r\nHost: b\r\n\r\n"), 99, head);
    assert.deepEqual([head.path, head.query, head.header("host")], ["/", "", "b"]);
    assert.equal(head.header("x"), undefined);
  });

  test("reaches each limit", () => {
    const line = `GET /${"t".repeat(99)} HTTP/1.1\r\nHost: a\r\n`;
    const fields = `a: b\r\n`.repeat(4);
    const rest = limits.requestHeadBytesMax - line.length - fields.length - "x: \r\n\r\n".length;
    complete(`${line}${fields}x: ${"y".repeat(rest)}\r\n\r\n`);
  });
});

describe("one reader for many clients", () => {
  const blue = "GET /blue?a HTTP/1.1\r\nHost: a\r\n\r\n";
  const bare = "GET /blue HTTP/1.1\r\nA: 1\r\nLonger: 22\r\nHost: b\r\n\r\n";
  const bad = "GET /bad HTTP/1.1\r\nHost : a\r\n\r\n";
  for (const pieceBytes of [1, 7, 600]) {
    test(`tells each of its own, in pieces of ${pieceBytes} bytes`, () => {
      const reader = new RequestHead(limits);
      const told = [blue, blue, bare, bad, blue, bare].map((text) => {
        const { state, head } = readPieces(Buffer.from(text), pieceBytes, reader);
        if (state !== COMPLETE) return head.refusal.sentence;
        return [head.path, head.query, head.header("host"), head.header("longer")].join(" ");
      });
      const refusal = refusals.SPACE_BEFORE_COLON.sentence;
      const ofBlue = "/blue a a ";
      const ofBare = "/blue  b 22";
      assert.deepEqual(told, [ofBlue, ofBlue, ofBare, refusal, ofBlue, ofBare]);
    });
  }
});

describe("what is asked of a field", () => {
  const fields = "Connection: keep-alive ,\tUPGRADE\r\nConnection: x\r\nUpgrade: websockets";
  const head = complete(`GET / HTTP/1.1\r\nHost: a\r\nV: 13\r\n${fields}\r\n\r\n`);

  test("a list has a token whole, in any case and field, blanks around it", () => {
    const tokens = ["upgrade", "keep-alive", "x", "keep", "", "websocket"];
    const found = tokens.filter((token) => head.lists("connection", token));
    assert.deepEqual(found, ["upgrade", "keep-alive", "x"]);
    assert.equal(head.lists("upgrade", "websocket"), false);
    assert.equal(head.lists("absent", ""), false);
  });

  test("a value is the field's own where the field is there once, byte for byte", () => {
    assert.equal(head.has("v", "13"), true);
    assert.equal(head.has("v", "1"), false);
    assert.equal(head.has("host", "A"), false);
    assert.equal(head.has("connection", "keep-alive ,\tUPGRADE"), false, "it is there twice");
    assert.equal(head.has("absent", ""), false);
  });
});

describe("each malformed head has its refusal", () => {
  const host = "Host: a\r\n";
  const start = `GET / HTTP/1.1\r\n${host}`;
  const cases: [string, Refusal, string][] = [
    ["a TLS handshake", refusals.TLS_ON_PLAIN_PORT, "\x16\x03\x01\x02\x00\x01\x00"],
    ["the HTTP/2 preface", refusals.HTTP_2_PREFACE, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["HTTP/1.0", refusals.HTTP_1_0, `GET / HTTP/1.0\r\n${host}\r\n`],
    ["HTTP/3.0", refusals.VERSION_NOT_SUPPORTED, `GET / HTTP/3.0\r\n${host}\r\n`],
    ["HTTP/0.9", refusals.REQUEST_LINE_INVALID, "GET /\r\n"],
    ["a version in lower case", refusals.REQUEST_LINE_INVALID, `GET / http/1.1\r\n${host}\r\n`],
    ["a version of three digits", refusals.REQUEST_LINE_INVALID, "GET / HTTP/1.11\r\n"],
    ["a version that is no number", refusals.REQUEST_LINE_INVALID, "GET / HTTP/1.x\r\n"],
    ["no method", refusals.REQUEST_LINE_INVALID, ` / HTTP/1.1\r\n${host}\r\n`],
    ["no target", refusals.REQUEST_LINE_INVALID, `GET  HTTP/1.1\r\n${host}\r\n`],
    ["no space at all", refusals.REQUEST_LINE_INVALID, "GET\r\n"],
    ["two spaces", refusals.REQUEST_LINE_INVALID, `GET  / HTTP/1.1\r\n${host}\r\n`],
    ["a space in the target", refusals.REQUEST_LINE_INVALID, `GET /a b HTTP/1.1\r\n${host}\r\n`],
    ["a space at the end", refusals.REQUEST_LINE_INVALID, `GET / HTTP/1.1 \r\n${host}\r\n`],
    ["an empty first line", refusals.REQUEST_LINE_INVALID, `\r\n${start}\r\n`],
    ["a method that is no token", refusals.REQUEST_LINE_INVALID, "G(T / HTTP/1.1\r\n"],
    ["a method without an end", refusals.METHOD_UNKNOWN, "A".repeat(25)],
    ["a WebSocket frame", refusals.REQUEST_LINE_INVALID, "\x81\x85abcd"],
    ["a carriage return alone", refusals.BARE_CARRIAGE_RETURN, `${start}X: a\rb\r\n\r\n`],
    ["two carriage returns", refusals.BARE_CARRIAGE_RETURN, `${start}X: a\r\r\n\r\n`],
    ["a line feed alone", refusals.BARE_LINE_FEED, `${start}X: a\nb\r\n\r\n`],
    ["line feeds for ends of lines", refusals.BARE_LINE_FEED, "GET / HTTP/1.1\nHost: a\n\n"],
    ["NUL in a value", refusals.CONTROL_BYTE, `${start}X: a\x00b\r\n\r\n`],
    ["DEL in a value", refusals.CONTROL_BYTE, `${start}X: a\x7fb\r\n\r\n`],
    ["POST", refusals.NOT_A_GET, `POST / HTTP/1.1\r\n${host}Content-Length: 2\r\n\r\n{}`],
    ["HEAD", refusals.HEAD_NOT_A_GET, `HEAD / HTTP/1.1\r\n${host}\r\n`],
    ["get in lower case", refusals.METHOD_UNKNOWN, `get / HTTP/1.1\r\n${host}\r\n`],
    ["a target with a host", refusals.TARGET_NOT_A_PATH, `GET http://a/ HTTP/1.1\r\n${host}\r\n`],
    ["an authority as target", refusals.TARGET_NOT_A_PATH, `GET a:80 HTTP/1.1\r\n${host}\r\n`],
    ["an asterisk", refusals.TARGET_NOT_A_PATH, `GET * HTTP/1.1\r\n${host}\r\n`],
    ["a query alone", refusals.TARGET_NOT_A_PATH, `GET ?a HTTP/1.1\r\n${host}\r\n`],
    ["a target in UTF-8", refusals.TARGET_INVALID, `GET /\xc3\xa9 HTTP/1.1\r\n${host}\r\n`],
    ["a tab in the target", refusals.TARGET_INVALID, `GET /a\tb HTTP/1.1\r\n${host}\r\n`],
    ["a percent sign", refusals.TARGET_PERCENT_INVALID, `GET /a%2 HTTP/1.1\r\n${host}\r\n`],
    ["a fragment", refusals.TARGET_HAS_FRAGMENT, `GET /a#b HTTP/1.1\r\n${host}\r\n`],
    ["a long target", refusals.TARGET_TOO_LONG, `GET /${"t".repeat(100)} HTTP/1.1\r\n${host}\r\n`],
    ["a target without an end", refusals.TARGET_TOO_LONG, `GET /${"t".repeat(595)}`],
    ["too many bytes", refusals.HEAD_TOO_BIG, `${start}X: ${"x".repeat(600)}\r\n\r\n`],
    ["too many fields", refusals.TOO_MANY_HEADERS, `${start}${"a: b\r\n".repeat(6)}\r\n`],
    ["a folded field", refusals.FOLDED_HEADER, `${start}X: a\r\n b\r\n\r\n`],
    ["a folded first field", refusals.FOLDED_HEADER, `GET / HTTP/1.1\r\n\tx: y\r\n${host}\r\n`],
    ["an empty name", refusals.HEADER_NAME_INVALID, `${start}: a\r\n\r\n`],
    ["a name that is no token", refusals.HEADER_NAME_INVALID, `${start}a(b: c\r\n\r\n`],
    ["a name above ASCII", refusals.HEADER_NAME_INVALID, `${start}\xe9: c\r\n\r\n`],
    ["a field without a colon", refusals.HEADER_NAME_INVALID, `${start}abc\r\n\r\n`],
    ["a line of one letter", refusals.HEADER_NAME_INVALID, `${start}a\r\n\r\n`],
    ["a space before the colon", refusals.SPACE_BEFORE_COLON, `${start}a : c\r\n\r\n`],
    ["no Host", refusals.HOST_MISSING, "GET / HTTP/1.1\r\nHos: a\r\n\r\n"],
    ["no field at all", refusals.HOST_MISSING, "GET / HTTP/1.1\r\n\r\n"],
    ["Host twice", refusals.HOST_REPEATED, `${start}HOST: a\r\n\r\n`],
    ["an empty Host", refusals.HOST_INVALID, "GET / HTTP/1.1\r\nHost: \r\n\r\n"],
    ["two hosts in one", refusals.HOST_INVALID, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"],
    ["a Host with a user", refusals.HOST_INVALID, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"],
    ["a Host with a path", refusals.HOST_INVALID, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"],
    ["a body", refusals.BODY_NOT_ALLOWED, `${start}Content-Length: 5\r\n\r\nhello`],
    ["a second length", refusals.BODY_NOT_ALLOWED, `${start}${"Content-Length: 0, 5\r\n"}\r\n`],
    ["+0 as a length", refusals.BODY_NOT_ALLOWED, `${start}Content-Length: +0\r\n\r\n`],
    [
      "two lengths",
      refusals.BODY_NOT_ALLOWED,
      `${start}Content-Length: 0\r\nContent-Length: 5\r\n\r\n`,
    ],
    ["chunks", refusals.BODY_NOT_ALLOWED, `${start}Transfer-Encoding: chunked\r\n\r\n`],
    ["any coding", refusals.BODY_NOT_ALLOWED, `${start}transfer-encoding: identity\r\n\r\n`],
  ];
  for (const [name, refusal, text] of cases) {
    test(`${name}: ${refusal.status} ${refusal.sentence}`, () => {
      const { state, head } = read(text);
      assert.equal(state, REFUSED);
      assert.equal(head.refusal.sentence, refusal.sentence);
    });
  }

  test("and every control byte is refused wherever it stands", () => {
    const text = `${start}X: y\r\n\r\n`;
    for (let byte = 0; byte < 128; byte++) {
      if ([0x09, 0x0a, 0x0d].includes(byte) || (byte >= 0x20 && byte < 0x7f)) continue;
      for (let at = 0; at < text.length; at++) {
        const broken = text.slice(0, at) + String.fromCharCode(byte) + text.slice(at);
        assert.equal(readPieces(Buffer.from(broken, "latin1"), 999).state, REFUSED);
      }
    }
  });

  test("a refusal is frozen, and its sentence and headers fit into a response", () => {
    for (const refusal of Object.values(refusals)) {
      assert(Object.isFrozen(refusal) && Object.isFrozen(refusal.headers));
      for (const text of [refusal.sentence, ...Object.values(refusal.headers)]) {
        assert.match(text, /^[\x20-\x7e]+$/);
      }
    }
  });
});

describe("what is certain is told early", () => {
  function bytesNeeded(text: string): number {
    const { state, scanned } = readPieces(Buffer.from(text, "latin1"), 1);
    assert.equal(state, REFUSED);
    return scanned;
  }

  test("TLS at its first byte, and garbage at its first wrong one", () => {
    assert.equal(bytesNeeded("\x16\x03\x01"), 1);
    assert.equal(bytesNeeded("\x00\x00"), 1);
    assert.equal(bytesNeeded("GE{T"), 3);
    assert.equal(bytesNeeded("a".repeat(100)), 25);
  });

  test("a bad first line at its end", () => {
    const line = "POST / HTTP/1.1\r\n";
    assert.equal(bytesNeeded(`${line}Host: a\r\n\r\n`), line.length);
  });

  test("too much at the limit", () => {
    const text = `GET / HTTP/1.1\r\nx: ${"x".repeat(2000)}`;
    assert.equal(bytesNeeded(text), limits.requestHeadBytesMax);
  });
});

test("a head that comes byte by byte is looked at a number of times that is linear", () => {
  const big = { requestHeadBytesMax: 8192, requestHeadersMax: 2000, requestTargetBytesMax: 4096 };
  const line = `GET /${"t".repeat(3000)} HTTP/1.1\r\nHost: a\r\n`;
  for (const fields of ["a:\r\n".repeat(1000), `a: ${"b".repeat(4000)}\r\n`]) {
    const bytes = Buffer.from(`${line}${fields}\r\n`);
    let looks = 0;
    const counted = new Proxy(bytes, {
      get(target, property) {
        if (typeof property === "string" && /^\d+$/.test(property)) looks++;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const head = new RequestHead(big);
    for (let end = 1; end < bytes.length; end++) {
      assert.equal(head.read(counted, 0, end, end - 1), INCOMPLETE);
    }
    assert.equal(head.read(counted, 0, bytes.length, bytes.length - 1), COMPLETE);
    assert(looks < 8 * bytes.length, `${looks} looks at ${bytes.length} bytes`);
  }
});

/** What a sound head is, said once more, by a regular expression. */
const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const SOUND = new RegExp(
  `^GET (/[!-"$-~]{0,99}) HTTP/1\\.1\r\n((?:${TOKEN}:[\t -~\x80-\xff]*\r\n){0,6})\r\n`,
);

function isSound(text: string): boolean {
  const match = SOUND.exec(text);
  if (match === null || match[0].length > limits.requestHeadBytesMax) return false;
  const fields = (match[2] as string).split("\r\n").slice(0, -1);
  const values = (name: string) =>
    fields
      .filter((field) => field.split(":", 1)[0]?.toLowerCase() === name)
      .map((field) => field.slice(name.length + 1).replace(/^[\t ]+|[\t ]+$/g, ""));
  const [host = "", ...more] = values("host");
  if (more.length > 0 || !/^[-.~!$&'()*+;=\w]+(?::\d*)?$/.test(host)) return false;
  if (values("transfer-encoding").length > 0) return false;
  return values("content-length").every((value) => value === "0");
}

test("a generated head, whole or in pieces, is taken if and only if it is sound", () => {
  const field = fc.constantFrom(
    "Host: a.example",
    "host:b:80",
    "Connection: Upgrade",
    "Content-Length: 0",
    "Content-Length: 1",
    "Transfer-Encoding: chunked",
    "X: \t caf\xe9 ",
    "Y:",
  );
  const target = fc.constantFrom("/", "/a?b", "/a#b", "*", "/é", `/${"t".repeat(99)}`);
  const piece = fc.constantFrom("\r", "\n", "\r\n", " ", "\t", ":", "\0", "\x7f", "a", "\xff", "");
  const head = fc.record({
    target: fc.oneof({ weight: 9, arbitrary: fc.constant("/chat") }, target),
    fields: fc.array(field, { maxLength: 5 }),
    host: fc.constantFrom(["Host: h"], ["Host: h"], ["Host: h"], []),
    breaks: fc.array(fc.tuple(fc.nat({ max: 200 }), piece, fc.nat({ max: 1 })), { maxLength: 2 }),
    keptBytes: fc.constantFrom(999, 999, 999, 50),
    pieceBytes: fc.integer({ min: 1, max: 60 }),
  });
  const seen = { sound: 0, refused: 0, incomplete: 0 };
  const property = fc.property(head, (parts) => {
    const { target, fields, host, breaks, keptBytes, pieceBytes } = parts;
    let text = [`GET ${target} HTTP/1.1`, ...host, ...fields, "", ""].join("\r\n");
    for (const [at, put, removed] of breaks) {
      text = text.slice(0, at) + put + text.slice(at + removed);
    }
    text = text.slice(0, keptBytes);
    const bytes = Buffer.from(text, "latin1");
    const { state, head } = readPieces(bytes, bytes.length);
    assert.equal(state === COMPLETE, isSound(text), JSON.stringify(text));
    if (state === INCOMPLETE) assert(!text.includes("\r\n\r\n"));
    const inPieces = readPieces(bytes, pieceBytes);
    assert.equal(inPieces.state, state);
    if (state === REFUSED) assert.equal(inPieces.head.refusal, head.refusal);
    seen[state === COMPLETE ? "sound" : state === REFUSED ? "refused" : "incomplete"]++;
  });
  fc.assert(property, { seed: testSeed(), numRuns: propertyRuns(4000, 10_000_000) });
  for (const [kind, count] of Object.entries(seen)) assert(count > 100, `${count} were ${kind}`);
});
