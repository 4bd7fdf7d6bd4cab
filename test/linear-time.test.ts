import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Budget } from "../src/core/budget.ts";
import { BINARY, TEXT } from "../src/core/opcode.ts";
import { Admission } from "../src/gateway/admission.ts";
import { PathRouter } from "../src/gateway/paths.ts";
import { parseQuery } from "../src/gateway/query.ts";
import { loadBinding } from "../src/reactor/binding.ts";
import { Reactor, type SlotEvents } from "../src/reactor/reactor.ts";
import { Deflation } from "../src/websocket/deflation.ts";
import { parseExtensions } from "../src/websocket/extensions.ts";
import { checkUpgrade } from "../src/websocket/handshake.ts";
import { Inflation } from "../src/websocket/inflation.ts";
import { acceptDeflate } from "../src/websocket/permessage-deflate.ts";
import { MORE, Receiver, VIOLATION } from "../src/websocket/receiver.ts";
import { COMPLETE, RequestHead } from "../src/websocket/request-head.ts";
import { checkUtf8, UTF8_ACCEPT } from "../src/websocket/utf8.ts";
import { adding, upgrade } from "./conformance/handshake-case.ts";
import { assertLinear, GROWTH_MAX, type Work } from "./support/growth.ts";
import { clientFrame } from "./support/raw-client.ts";

const MANY = 1 << 24;
const binding = loadBinding();
const budget = new Budget(Number.POSITIVE_INFINITY);
const reactor = new Reactor(binding, 16, budget, {} as SlotEvents);
const progress = new Int32Array(2);
const codec = binding.createCodec(progress);
const HEAD_LIMITS = {
  requestHeadBytesMax: MANY,
  requestHeadersMax: 300_000,
  requestTargetBytesMax: MANY,
};

function linear(group: string, works: readonly Work[]): void {
  describe(`${group} takes at most ${GROWTH_MAX} times as long for twice as much:`, () => {
    for (const work of works) test(work.name, () => assertLinear(work));
  });
}

function repeated(frame: Uint8Array, count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => frame));
}

/** Reads a stream in pieces of so many bytes, through the addon's unmasking. */
function reading(stream: Uint8Array, pieceBytes: number): () => void {
  const limits = { framesPerMessageMax: MANY, emptyFramesPerMessageMax: MANY };
  const receiver = new Receiver(reactor.arena, reactor.unmask, limits);
  return () => {
    for (let at = 0; at < stream.length; at += pieceBytes) {
      const piece = stream.subarray(at, at + pieceBytes);
      reactor.arena.set(piece, 0);
      receiver.begin(receiver.partial, false);
      for (let offset = 0; offset < piece.length; offset = receiver.position) {
        const event = receiver.next(offset, piece.length, MANY);
        assert.notEqual(event, VIOLATION);
        if (event === MORE) break;
      }
    }
    assert.equal(receiver.partial, undefined);
  };
}

function fragments(count: number, payload: Uint8Array): Buffer {
  const middle = repeated(clientFrame(0, payload, false), count);
  return Buffer.concat([clientFrame(BINARY, payload, false), middle, clientFrame(0, payload)]);
}

const READ_BYTES = 65_536;
const text = (size: number) => Buffer.from("grüße, 世界 🌍 ".repeat(Math.ceil(size / 27)));

linear("reading frames", [
  {
    name: "many small frames",
    size: 10_000,
    prepare: (size) => reading(repeated(clientFrame(TEXT, "hello"), size), READ_BYTES),
  },
  {
    name: "many empty frames",
    size: 10_000,
    prepare: (size) => reading(repeated(clientFrame(BINARY, ""), size), READ_BYTES),
  },
  {
    name: "many pings in single bytes",
    size: 1000,
    prepare: (size) => reading(repeated(clientFrame(9, "are you there"), size), 1),
  },
  {
    name: "one message in many fragments",
    size: 20_000,
    prepare: (size) => reading(fragments(size, Buffer.alloc(10, 1)), READ_BYTES),
  },
  {
    name: "one message in many fragments of no bytes",
    size: 20_000,
    prepare: (size) => reading(fragments(size, Buffer.alloc(0)), READ_BYTES),
  },
  {
    name: "one message in many fragments in single bytes",
    size: 5000,
    prepare: (size) => reading(fragments(size, Buffer.alloc(10, 1)), 1),
  },
  {
    name: "one large frame in small reads",
    size: 500_000,
    prepare: (size) => reading(clientFrame(BINARY, Buffer.alloc(size, 1)), 100),
  },
  {
    name: "one large text in single bytes",
    size: 50_000,
    prepare: (size) => reading(clientFrame(TEXT, text(size)), 1),
  },
  {
    name: "one large text in large reads",
    size: 2_000_000,
    prepare: (size) => reading(clientFrame(TEXT, text(size)), READ_BYTES),
  },
  {
    name: "unmasking bytes",
    size: 1_000_000,
    prepare: (size) => () => reactor.unmask(0, 0, size, 0x12345678, -1),
  },
  {
    name: "unmasking and checking a text",
    size: 1_000_000,
    prepare: (size) => {
      const bytes = text(size);
      return () => {
        reactor.arena.set(bytes, 0);
        assert.equal(reactor.unmask(0, 0, bytes.length, 0, UTF8_ACCEPT), UTF8_ACCEPT);
      };
    },
  },
  {
    name: "checking a text alone",
    size: 500_000,
    prepare: (size) => {
      const bytes = text(size);
      return () => assert.equal(checkUtf8(UTF8_ACCEPT, bytes, 0, bytes.length), UTF8_ACCEPT);
    },
  },
]);

/** Reads a whole head and asks what the gateway asks of it. */
function heading(request: string): () => void {
  const bytes = Buffer.from(request, "latin1");
  const head = new RequestHead(HEAD_LIMITS);
  return () => {
    assert.equal(head.read(bytes, 0, bytes.length, 0), COMPLETE);
    assert.ok(!("status" in checkUpgrade(head)));
  };
}

function list(size: number, element: (index: number) => string, separator = ", "): string {
  return Array.from({ length: size }, (_, index) => element(index)).join(separator);
}

/** A head in single bytes, of which the last never comes. */
function trickling(request: string): () => void {
  const bytes = Buffer.from(request, "latin1");
  const limits = { ...HEAD_LIMITS, handshakesPendingMax: 1 };
  // What it has beside these is needed only behind a head's end, and to tell that a client left.
  const departure = { release: () => {} };
  const admission = new Admission({ reactor, budget, limits, departure } as never);
  return () => {
    for (const byte of bytes) {
      reactor.arena[0] = byte;
      admission.received(1, 0, 1);
    }
    admission.gone(1);
  };
}

linear("reading a request head", [
  {
    name: "one long field",
    size: 500_000,
    prepare: (size) => heading(adding(`X: ${"a".repeat(size)}`)),
  },
  {
    name: "many fields",
    size: 2000,
    prepare: (size) => heading(adding(list(size, (index) => `X${index}: a`, "\r\n"))),
  },
  {
    name: "many fields, all of which services are told",
    size: 1000,
    prepare: (size) => {
      const bytes = Buffer.from(adding(list(size, (index) => `X${index % 500}: a`, "\r\n")));
      const head = new RequestHead(HEAD_LIMITS);
      head.read(bytes, 0, bytes.length, 0);
      return () => assert.ok(head.headers());
    },
  },
  {
    name: "one field repeated many times",
    size: 10_000,
    prepare: (size) => heading(adding(list(size, () => "Connection: a", "\r\n"))),
  },
  {
    name: "a long path",
    size: 500_000,
    prepare: (size) => heading(upgrade(`GET /${"a/%41".repeat(size / 5)} HTTP/1.1`)),
  },
  {
    name: "a long query",
    size: 500_000,
    prepare: (size) => heading(upgrade(`GET /?${"a=%&".repeat(size / 4)} HTTP/1.1`)),
  },
  {
    name: "one long field in single bytes",
    size: 5000,
    prepare: (size) => trickling(`GET / HTTP/1.1\r\nX: ${"a".repeat(size)}`),
  },
  {
    name: "many fields in single bytes",
    size: 1000,
    prepare: (size) => trickling(`GET / HTTP/1.1\r\n${"a: b\r\n".repeat(size)}`),
  },
  {
    name: "a long target in single bytes",
    size: 5000,
    prepare: (size) => trickling(`GET /${"a".repeat(size)}`),
  },
  {
    name: "many subprotocols",
    size: 500,
    prepare: (size) => heading(adding(`Sec-WebSocket-Protocol: ${list(size, (i) => `p${i}`)}`)),
  },
  {
    name: "subprotocols with many blanks and commas",
    size: 200_000,
    prepare: (size) => heading(adding(`Sec-WebSocket-Protocol: ${" ,\t".repeat(size / 3)}a`)),
  },
  {
    name: "one long subprotocol",
    size: 500_000,
    prepare: (size) => heading(adding(`Sec-WebSocket-Protocol: ${"a".repeat(size)}`)),
  },
]);

function negotiating(header: string): () => void {
  return () => {
    const offers = parseExtensions(header);
    assert.ok(offers);
    acceptDeflate(offers);
  };
}

linear("negotiating extensions", [
  {
    name: "many offers",
    size: 500,
    prepare: (size) => negotiating(list(size, (index) => `x-${index}; a=1; b="2"`)),
  },
  {
    name: "many offers of compression that cannot be taken",
    size: 1000,
    prepare: (size) => negotiating(list(size, () => "permessage-deflate; a")),
  },
  {
    name: "one offer with many parameters",
    size: 500,
    prepare: (size) => negotiating(`permessage-deflate; ${list(size, (i) => `p${i}`, ";")}`),
  },
  {
    name: "one parameter with a long value in quotes, all of it escaped",
    size: 50_000,
    prepare: (size) => negotiating(`a; b="${"\\c".repeat(size)}"`),
  },
  {
    name: "many blanks and commas",
    size: 200_000,
    prepare: (size) => negotiating(`${" ,\t".repeat(size / 3)}a`),
  },
]);

/** Deflates a message and inflates it again. */
function compressing(message: Buffer): () => void {
  const deflation = new Deflation(codec);
  const inflation = new Inflation(codec, progress);
  assert.ok(deflation.deflate(message, 0, message.length, 15));
  const deflated = Buffer.from(deflation.take().subarray(0, deflation.length));
  return () => {
    assert.ok(deflation.deflate(message, 0, message.length, 15));
    assert.equal(inflation.inflate(deflated, 0, deflated.length, MANY), undefined);
    assert.equal(inflation.length, message.length);
    inflation.take();
  };
}

linear("compressing a message, and reading it", [
  { name: "of text", size: 500_000, prepare: (size) => compressing(text(size)) },
  { name: "of zeros", size: 1_000_000, prepare: (size) => compressing(Buffer.alloc(size)) },
  {
    name: "of two letters in no order",
    size: 200_000,
    prepare: (size) => {
      let state = 1;
      return compressing(
        Buffer.from(
          Uint8Array.from({ length: size }, () => {
            state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
            return 97 + (state >>> 31);
          }),
        ),
      );
    },
  },
]);

function routing(patterns: string[], path: string): () => void {
  const router = new PathRouter();
  for (const pattern of patterns) router.add(pattern, 0);
  return () => {
    router.match(path);
  };
}

const numbers = (size: number) => Array.from({ length: size }, (_, index) => index);

linear("finding a path's hub, and its query's values", [
  {
    name: "among many literal paths, which are added one by one",
    size: 2000,
    prepare: (size) => () =>
      routing(
        numbers(size).map((index) => `/a/${index}`),
        "/a/x",
      )(),
  },
  {
    name: "among many patterns, which are added one by one",
    size: 2000,
    prepare: (size) => () =>
      routing(
        numbers(size).map((index) => `/:a/${index}`),
        "/a/x",
      )(),
  },
  {
    name: "among many patterns of which none matches",
    size: 2000,
    prepare: (size) =>
      routing(
        numbers(size).map((index) => `/:a/:b/${index}`),
        "/a/b/x",
      ),
  },
  {
    name: "among many patterns of which none matches a path that is long to decode",
    size: 500,
    prepare: (size) => {
      const patterns = numbers(size).map((index) => `/:a/${index}`);
      return routing(patterns, `/${"%41".repeat(size * 20)}/x`);
    },
  },
  {
    name: "with a long path of many segments",
    size: 50_000,
    prepare: (size) => routing(["/:a/:b"], "/a".repeat(size)),
  },
  {
    name: "with one long pattern and a path that fits but for its end",
    size: 5000,
    prepare: (size) => {
      const params = numbers(size).map((index) => `/:p${index}`);
      return routing([`${params.join("")}/end`], `${"/a".repeat(size)}/other`);
    },
  },
  {
    name: "with one long pattern and a path that fits it",
    size: 500,
    prepare: (size) => {
      const params = numbers(size).map((index) => `/:p${index}`);
      return routing([params.join("")], "/a".repeat(size));
    },
  },
  {
    name: "with a long percent-encoded parameter",
    size: 20_000,
    prepare: (size) => routing(["/:a"], `/${"%41".repeat(size)}`),
  },
  {
    name: "in a query of many names",
    size: 500,
    prepare: (size) => {
      const query = list(size, (index) => `n${index}=v`, "&");
      return () => void parseQuery(query);
    },
  },
  {
    name: "in a query of one name many times",
    size: 1000,
    prepare: (size) => {
      const query = "a=%41&".repeat(size);
      return () => void parseQuery(query);
    },
  },
]);
