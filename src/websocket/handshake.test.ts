import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  acceptKey,
  checkUpgrade,
  encodeRefusal,
  encodeResponse,
  type Refusal,
  type Upgrade,
  writeAccepted,
} from "./handshake.ts";
import * as refusals from "./refusal.ts";
import { COMPLETE, RequestHead } from "./request-head.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const DATE = "Thu, 01 Jan 1970 00:00:00 GMT";
const sound = {
  Host: "a.example",
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": KEY,
  "Sec-WebSocket-Version": "13",
};

/** Checks a request with these headers; undefined leaves one out, an array repeats it. */
function check(changes: Record<string, string | string[] | undefined> = {}): Upgrade | Refusal {
  const fields = Object.entries({ ...sound, ...changes }).flatMap(([name, values]) =>
    [values ?? []].flat().map((value) => `${name}: ${value}\r\n`),
  );
  const bytes = Buffer.from(`GET /chat HTTP/1.1\r\n${fields.join("")}\r\n`, "latin1");
  const head = new RequestHead({
    requestHeadBytesMax: 8192,
    requestHeadersMax: 64,
    requestTargetBytesMax: 4096,
  });
  assert.equal(head.read(bytes, 0, bytes.length, 0), COMPLETE);
  return checkUpgrade(head);
}

describe("a request for a WebSocket", () => {
  test("passes with its key and no subprotocol", () => {
    assert.deepEqual(check(), { key: KEY, subprotocols: [], extensions: [] });
  });

  test("may write its tokens in any case and in lists", () => {
    const changes = { Upgrade: "h2c, WebSocket", Connection: ["keep-alive", "x,\tUPGRADE , y"] };
    assert.deepEqual(check(changes), { key: KEY, subprotocols: [], extensions: [] });
  });

  test("gives the subprotocols in the client's order, from one header or several", () => {
    const upgrade = check({ "Sec-WebSocket-Protocol": ["v2.chat,, v1.chat", "", "json,"] });
    assert.deepEqual(upgrade, {
      key: KEY,
      subprotocols: ["v2.chat", "v1.chat", "json"],
      extensions: [],
    });
  });

  test("gives the extensions in the client's order, from one header or several", () => {
    const upgrade = check({ "Sec-WebSocket-Extensions": ["a; b=1, c", 'd; e="f"; g'] });
    const extensions = [
      { name: "a", parameters: [["b", "1"]] },
      { name: "c", parameters: [] },
      {
        name: "d",
        parameters: [
          ["e", "f"],
          ["g", undefined],
        ],
      },
    ];
    assert.deepEqual(upgrade, { key: KEY, subprotocols: [], extensions });
  });
});

describe("each request that asks wrongly has its refusal", () => {
  const protocol = "Sec-WebSocket-Protocol";
  const key = "Sec-WebSocket-Key";
  const version = "Sec-WebSocket-Version";
  const extensions = "Sec-WebSocket-Extensions";
  const cases: [string, Refusal, Record<string, string | string[] | undefined>][] = [
    ["no Upgrade", refusals.NOT_AN_UPGRADE, { Upgrade: undefined }],
    ["another upgrade", refusals.NOT_AN_UPGRADE, { Upgrade: "h2c" }],
    ["websocket in part", refusals.NOT_AN_UPGRADE, { Upgrade: "xwebsocket, websockets" }],
    ["no Connection", refusals.NOT_AN_UPGRADE, { Connection: undefined }],
    ["Connection: close", refusals.NOT_AN_UPGRADE, { Connection: "close" }],
    ["no version", refusals.WEBSOCKET_VERSION_NOT_SUPPORTED, { [version]: undefined }],
    ["version 8", refusals.WEBSOCKET_VERSION_NOT_SUPPORTED, { [version]: "8" }],
    ["two versions", refusals.WEBSOCKET_VERSION_NOT_SUPPORTED, { [version]: ["13", "13"] }],
    ["no key", refusals.KEY_INVALID, { [key]: undefined }],
    ["an empty key", refusals.KEY_INVALID, { [key]: "" }],
    ["two keys", refusals.KEY_INVALID, { [key]: [KEY, KEY] }],
    ["a key of 15 bytes", refusals.KEY_INVALID, { [key]: "AAAAAAAAAAAAAAAAAAAA" }],
    ["a key of 17 bytes", refusals.KEY_INVALID, { [key]: "AAAAAAAAAAAAAAAAAAAAAAA=" }],
    ["a key of 18 bytes", refusals.KEY_INVALID, { [key]: "AAAAAAAAAAAAAAAAAAAAAAAA" }],
    ["a key in base64url", refusals.KEY_INVALID, { [key]: "dGhlIHNhbXBsZSBub25-_Q==" }],
    ["a key with a bad last digit", refusals.KEY_INVALID, { [key]: "dGhlIHNhbXBsZSBub25jZ-==" }],
    ["a key with a comma", refusals.KEY_INVALID, { [key]: "dGhlIHNhbXBs,SBub25jZQ==" }],
    ["an empty subprotocol", refusals.SUBPROTOCOLS_INVALID, { [protocol]: "" }],
    ["nothing but commas", refusals.SUBPROTOCOLS_INVALID, { [protocol]: " , ," }],
    ["a subprotocol that is no token", refusals.SUBPROTOCOLS_INVALID, { [protocol]: "a b" }],
    ["a subprotocol above ASCII", refusals.SUBPROTOCOLS_INVALID, { [protocol]: "\xe9" }],
    ["a subprotocol twice", refusals.SUBPROTOCOLS_INVALID, { [protocol]: ["a, b", "a"] }],
    ["an extension without a name", refusals.EXTENSIONS_INVALID, { [extensions]: "; a" }],
    ["two lists, one malformed", refusals.EXTENSIONS_INVALID, { [extensions]: ["a", "b; c="] }],
  ];
  for (const [name, refusal, changes] of cases) {
    test(`${name}: ${refusal.status} ${refusal.sentence}`, () => {
      assert.equal(check(changes), refusal);
    });
  }

  test("and a key may use every digit of base64", () => {
    for (const digits of [
      "ABCDEFGHIJKLMNOPQRSTUV",
      "WXYZabcdefghijklmnopqr",
      "stuvwxyz0123456789+/AA",
    ]) {
      assert.deepEqual(check({ [key]: `${digits}==` }), {
        key: `${digits}==`,
        subprotocols: [],
        extensions: [],
      });
    }
  });
});

describe("the answer", () => {
  test("has the accept key of RFC 6455's sample", () => {
    assert.equal(acceptKey(KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  });

  test("is written where it is wanted, and nothing beside it", () => {
    for (const [subprotocol, extension, lines] of [
      [undefined, undefined, ""],
      ["v1.chat", undefined, "Sec-WebSocket-Protocol: v1.chat\r\n"],
      [undefined, "a; b=1", "Sec-WebSocket-Extensions: a; b=1\r\n"],
      ["c", "d", "Sec-WebSocket-Protocol: c\r\nSec-WebSocket-Extensions: d\r\n"],
    ] as const) {
      const into = new Uint8Array(300);
      const bytes = writeAccepted(into, 10, KEY, subprotocol, extension);
      const subprotocolBytes = subprotocol === undefined ? 0 : 26 + subprotocol.length;
      const extensionBytes = extension === undefined ? 0 : 28 + extension.length;
      assert.equal(bytes, 129 + subprotocolBytes + extensionBytes);
      assert.equal(
        Buffer.from(into.subarray(10, 10 + bytes)).toString("latin1"),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
          `Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n${lines}\r\n`,
      );
      assert(into.subarray(0, 10).every((byte) => byte === 0));
      assert(into.subarray(10 + bytes).every((byte) => byte === 0));
    }
  });

  test("that does not fit is a bug and not cut", () => {
    assert.throws(
      () => writeAccepted(new Uint8Array(128), 0, KEY, undefined, undefined),
      /no room/,
    );
  });
});

describe("a refusal", () => {
  test("is a whole response that closes the connection", () => {
    const response = Buffer.from(encodeRefusal(refusals.HOST_MISSING, DATE)).toString("latin1");
    assert.equal(
      response,
      `HTTP/1.1 400 Bad Request\r\nDate: ${DATE}\r\n` +
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 28\r\n" +
        "Connection: close\r\n\r\n" +
        "The Host header is missing.\n",
    );
  });

  test("that names a protocol to upgrade to says so in Connection too", () => {
    const response = Buffer.from(encodeRefusal(refusals.WEBSOCKET_VERSION_NOT_SUPPORTED, DATE));
    const lines = response.toString("latin1").split("\r\n");
    assert.equal(lines[0], "HTTP/1.1 426 Upgrade Required");
    assert(lines.includes("Upgrade: websocket"));
    assert(lines.includes("Sec-WebSocket-Version: 13"));
    assert.deepEqual(
      lines.filter((line) => /^connection:/i.test(line)),
      ["Connection: Upgrade, close"],
    );
  });

  test("to a HEAD ends with its head, which is the same as with a body", () => {
    const response = Buffer.from(encodeRefusal(refusals.HEAD_NOT_A_GET, DATE)).toString();
    const toPost = Buffer.from(encodeRefusal(refusals.NOT_A_GET, DATE)).toString();
    assert.match(response, /^HTTP\/1\.1 426 Upgrade Required\r\n.*\r\nUpgrade: websocket\r\n/s);
    assert.equal(response, toPost.slice(0, toPost.indexOf("\r\n\r\n") + 4));
    assert.notEqual(response, toPost);
  });

  test("counts its sentence in bytes", () => {
    const response = Buffer.from(
      encodeRefusal({ status: 400, sentence: "grün", headers: {} }, DATE),
    );
    const [head, body] = response.toString("utf8").split("\r\n\r\n");
    assert.match(head as string, /^Content-Length: 6$/m);
    assert.equal(body, "grün\n");
  });
});

describe("a service's own response", () => {
  test("passes on its status, type and bytes", () => {
    const body = Uint8Array.of(0, 255, 10);
    const response = Buffer.from(encodeResponse(402, "application/octet-stream", body, DATE));
    assert.equal(
      response.toString("latin1"),
      `HTTP/1.1 402 Payment Required\r\nDate: ${DATE}\r\n` +
        "Content-Type: application/octet-stream\r\n" +
        "Content-Length: 3\r\nConnection: close\r\n\r\n\x00\xff\n",
    );
  });

  test("may have neither a type nor a status that has a name", () => {
    const response = Buffer.from(encodeResponse(499, undefined, new Uint8Array(0), DATE));
    assert.equal(
      response.toString("latin1"),
      `HTTP/1.1 499 \r\nDate: ${DATE}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    );
  });

  test("cannot smuggle a header in its type", () => {
    const response = encodeResponse(400, "a/b\r\nSet-Cookie: x", new Uint8Array(0), DATE);
    assert(!Buffer.from(response).toString("latin1").includes("Set-Cookie"));
  });
});
