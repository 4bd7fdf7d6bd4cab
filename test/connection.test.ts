/** One connection from its first byte to its last, over real sockets, with the echo service. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type InProcessGateway, startInProcess } from "./support/in-process-gateway.ts";
import { clientFrame, RawClient, upgradeHead } from "./support/raw-client.ts";
import { seededRandom } from "./support/seed.ts";

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

const random = seededRandom();

function randomBytes(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, () => 256 * random()));
}

describe("a connection to echo:", () => {
  let gateway: InProcessGateway;
  let client: RawClient;

  before(async () => {
    gateway = await startInProcess();
  });
  after(() => gateway.stop());

  async function withClient(run: () => Promise<void>): Promise<void> {
    client = await RawClient.open(gateway.port);
    assert.equal(client.status, 101);
    await run();
    client.destroy();
  }

  test("gets the accept key of RFC 6455 for the key of RFC 6455", () =>
    withClient(async () => {
      assert.match(
        client.head as string,
        /\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/,
      );
    }));

  test("gets back every length around every limit of the frame format", () =>
    withClient(async () => {
      for (const length of [0, 1, 63, 64, 125, 126, 127, 65_535, 65_536, 131_072]) {
        const payload = randomBytes(length);
        client.sendFrame(BINARY, payload);
        const frame = await client.nextFrame();
        assert.equal(frame.opcode, BINARY);
        assert.ok(frame.payload.equals(payload), `${length} bytes came back changed`);
      }
    }));

  test("gets back a thousand pipelined messages in their order", () =>
    withClient(async () => {
      const texts = Array.from({ length: 1000 }, (_, index) => `message ${index} é`);
      client.send(Buffer.concat(texts.map((text) => clientFrame(TEXT, text))));
      await client.until(() => client.frames.length === 1000, "a thousand frames");
      assert.deepEqual(
        client.frames.map(({ payload }) => payload.toString()),
        texts,
      );
    }));

  test("is served when every byte comes by itself", () =>
    withClient(async () => {
      const bytes = Buffer.concat([
        clientFrame(TEXT, "in ", false),
        clientFrame(PING, "between"),
        clientFrame(0, "pieces: é ✓"),
        clientFrame(BINARY, randomBytes(300)),
      ]);
      for (const byte of bytes) client.send(Buffer.of(byte));
      await client.until(() => client.frames.length === 3, "three frames");
      assert.deepEqual(
        client.frames.map(({ opcode, payload }) => [opcode, payload.length]),
        [
          [PONG, "between".length],
          [TEXT, Buffer.byteLength("in pieces: é ✓")],
          [BINARY, 300],
        ],
      );
      assert.equal(client.frames[1]?.payload.toString(), "in pieces: é ✓");
    }));

  test("gets the first of the subprotocols that it offers, since nobody else chooses", async () => {
    const offered = { "Sec-WebSocket-Protocol": "chat.v2, chat.v1" };
    client = await RawClient.open(gateway.port, "/", offered);
    assert.match(client.head as string, /\r\nSec-WebSocket-Protocol: chat\.v2\r\n/);
    client.destroy();
  });

  test("may send frames right behind its request head", async () => {
    client = await RawClient.connect(gateway.port);
    client.send(Buffer.concat([Buffer.from(upgradeHead("/")), clientFrame(TEXT, "early")]));
    assert.equal((await client.nextFrame()).payload.toString(), "early");
    client.destroy();
  });

  test("may send its request head byte by byte", async () => {
    client = await RawClient.connect(gateway.port);
    for (const byte of Buffer.from(upgradeHead("/"))) client.send(Buffer.of(byte));
    client.sendFrame(TEXT, "late");
    assert.equal((await client.nextFrame()).payload.toString(), "late");
    client.destroy();
  });

  test("has its close frame answered with its code, and then a FIN", () =>
    withClient(async () => {
      client.sendFrame(CLOSE, Buffer.from([0x0f, 0xa0, ...Buffer.from("bye")]));
      assert.deepEqual(await client.closeFrame(), { code: 4000, reason: "" });
      await client.until(() => client.ended, "the FIN");
      client.socket.end();
      await client.until(() => client.closed, "the end");
      assert.equal(client.error, undefined);
    }));

  test("has an empty close frame answered with an empty one", () =>
    withClient(async () => {
      client.sendFrame(CLOSE);
      assert.deepEqual(await client.closeFrame(), { code: 1005, reason: "" });
    }));

  test("that sends on behind its close frame still reads the answer, not a reset", () =>
    withClient(async () => {
      client.send(Buffer.concat([clientFrame(CLOSE, ""), randomBytes(200_000)]));
      await client.closeFrame();
      await client.until(() => client.ended, "the FIN");
      client.socket.end();
      await client.until(() => client.closed, "the end");
      assert.equal(client.error, undefined);
    }));

  const violations: [string, Buffer, number][] = [
    ["a frame without a mask", Buffer.from([0x81, 0x02, 0x68, 0x69]), 1002],
    ["a reserved bit", Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002],
    ["a reserved opcode", Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002],
    ["a continuation of nothing", clientFrame(0, "x"), 1002],
    ["a close frame of one byte", clientFrame(CLOSE, "x"), 1002],
    ["a close code that nobody may send", clientFrame(CLOSE, Buffer.from([0x03, 0xed])), 1002],
    ["text that is not UTF-8", clientFrame(TEXT, Buffer.from([0xc3, 0x28])), 1007],
    ["a message over the limit", clientFrame(BINARY, Buffer.alloc(131_073)), 1009],
    ["a thousand pings at once", Buffer.concat(Array(1000).fill(clientFrame(PING, ""))), 1008],
  ];
  for (const [what, bytes, code] of violations) {
    test(`that sends ${what} is closed with ${code}, and told how much was accepted`, () =>
      withClient(async () => {
        client.send(Buffer.concat([clientFrame(TEXT, "fine"), bytes]));
        const frame = await client.closeFrame();
        assert.equal(frame.code, code);
        assert.match(frame.reason, /^.+ accepted=1$/);
        assert.equal(client.frames[0]?.payload.toString(), "fine");
        await client.until(() => client.ended, "the FIN");
      }));
  }
});

describe("a request that is no handshake", () => {
  let gateway: InProcessGateway;

  before(async () => {
    gateway = await startInProcess({ hub: "paths: [/, '/rooms/:room']\nservice: 'echo:'" });
  });
  after(() => gateway.stop());

  const refusals: [string, string, number, RegExp][] = [
    ["plain HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 426, /speaks WebSocket/],
    ["plain HTTP to no hub", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 426, /speaks WebSocket/],
    ["an upgrade to no hub", upgradeHead("/nowhere"), 404, /No hub has this path/],
    ["a path that is no UTF-8", upgradeHead("/rooms/%ff"), 404, /No hub/],
    ["another page's origin", upgradeHead("/", { Origin: "https://evil.example" }), 403, /origin/],
    ["the wrong version", upgradeHead("/", { "Sec-WebSocket-Version": "8" }), 426, /must be 13/],
    ["a short key", upgradeHead("/", { "Sec-WebSocket-Key": "AAAA" }), 400, /16 bytes/],
    ["a method of its own", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", 426, /is a GET/],
    [
      "a head without an end",
      `GET / HTTP/1.1\r\nHost: a\r\nX: ${"a".repeat(9000)}`,
      431,
      /too big/,
    ],
    ["a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, /ws:\/\//],
  ];
  for (const [what, bytes, status, sentence] of refusals) {
    test(`${what} is answered with ${status}, a sentence and a FIN`, async () => {
      const client = await RawClient.connect(gateway.port);
      client.send(Buffer.from(bytes, "latin1"));
      await client.until(() => client.ended, "the FIN");
      assert.equal(client.status, status);
      assert.match(client.rest, sentence);
      client.socket.end();
      await client.until(() => client.closed, "the end");
      assert.equal(client.error, undefined);
    });
  }

  test("what follows a refused head is never read as another request", async () => {
    const client = await RawClient.connect(gateway.port);
    client.send(`GET /x HTTP/1.1\r\nHost: a\r\n\r\n${upgradeHead("/")}`);
    await client.until(() => client.ended, "the FIN");
    assert.equal(client.status, 426);
    assert.doesNotMatch(client.rest, /101/);
    client.destroy();
  });

  test("/healthz and /readyz are answered with 200", async () => {
    for (const path of ["/healthz", "/readyz"]) {
      const client = await RawClient.connect(gateway.port);
      client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await client.until(() => client.ended, "the FIN");
      assert.equal(client.status, 200);
      client.destroy();
    }
  });

  test("a page of the same host is let in, whatever its port", async () => {
    const origin = { Origin: "http://gateway.example:3000" };
    const client = await RawClient.open(gateway.port, "/rooms/blue", origin);
    assert.equal(client.status, 101);
    client.destroy();
  });
});

test("a hub that lists origins lets in pages of these alone", async () => {
  const gateway = await startInProcess({
    hub: "paths: [/]\nservice: 'echo:'\norigins: ['https://app.example']",
  });
  const status = async (origin: string) => {
    const client = await RawClient.open(gateway.port, "/", { Origin: origin });
    client.destroy();
    return client.status;
  };
  assert.equal(await status("https://app.example"), 101);
  assert.equal(await status("http://gateway.example"), 403);
  await gateway.stop();
});
