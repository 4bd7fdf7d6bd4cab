/**
 * permessage-deflate (RFC 7692) over real sockets, with the addon's codec: what is negotiated, what
 * is read, what is sent. What it may cost is in compression-limits.test.ts.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import { type PerMessageDeflateOptions, WebSocket } from "ws";
import type { Command } from "../src/bus/command.ts";
import { deflateMessage, inflateMessage } from "../src/websocket/codec.test.helper.ts";
import { type InProcessGateway, startInProcess } from "./support/in-process-gateway.ts";
import { clientFrame, RawClient, type ServerFrame } from "./support/raw-client.ts";
import { seededRandom } from "./support/seed.ts";

const TEXT = 1;
const BINARY = 2;
const PING = 9;
const PONG = 10;
const RSV1 = 0x40;
const ECHO = "paths: [/]\nservice: 'echo:'\ncompression: on";
const ANSWER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const WINDOWS = [9, 10, 11, 12, 13, 14, 15];

const random = seededRandom();

function randomBytes(length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => Math.floor(256 * random())));
}

/** Half of it repeats what stands `distance` bytes before, which a smaller window cannot see. */
function repeating(distance: number): Buffer {
  const once = randomBytes(distance);
  return Buffer.concat([once, once]);
}

let gateway: InProcessGateway;
before(async () => {
  gateway = await startInProcess({ hub: ECHO });
});
after(() => gateway.stop());

function open(offer: string): Promise<RawClient> {
  return RawClient.open(gateway.port, "/", { "Sec-WebSocket-Extensions": offer });
}

function extensionsOf(client: RawClient): string | undefined {
  return /^Sec-WebSocket-Extensions: (.*)\r$/m.exec(client.head ?? "")?.[1];
}

function messageOf({ payload, isCompressed }: ServerFrame, windowBits = 15): Buffer {
  return isCompressed ? inflateMessage(payload, windowBits) : payload;
}

describe("an offer", () => {
  const cases: [offer: string, answer: string | undefined][] = [
    ["permessage-deflate", ANSWER],
    ["permessage-deflate; client_max_window_bits", ANSWER],
    ["permessage-deflate; client_max_window_bits=8", ANSWER],
    ["permessage-deflate; server_max_window_bits=8", undefined],
    ["permessage-deflate; server_max_window_bits=8, permessage-deflate", ANSWER],
    ["permessage-deflate; unknown", undefined],
    ["permessage-deflate; client_no_context_takeover=1", undefined],
    ["x-webkit-deflate-frame", undefined],
    ...WINDOWS.map((bits): [string, string] => [
      `permessage-deflate; server_max_window_bits=${bits}`,
      `${ANSWER}; server_max_window_bits=${bits}`,
    ]),
  ];
  for (const [offer, answer] of cases) {
    test(`of "${offer}" is ${answer === undefined ? "declined" : "answered"}`, async () => {
      const client = await open(offer);
      assert.equal(client.status, 101);
      assert.equal(extensionsOf(client), answer);
      client.destroy();
    });
  }

  test("that is malformed is refused, whatever the hub says", async () => {
    const plain = await startInProcess();
    for (const { port } of [gateway, plain]) {
      const headers = { "Sec-WebSocket-Extensions": "permessage-deflate; =1" };
      const client = await RawClient.open(port, "/", headers);
      assert.equal(client.status, 400);
      await client.until(() => client.ended, "the end");
      client.destroy();
    }
    await plain.stop();
  });

  test("stands beside a subprotocol in the answer", async () => {
    const subprotocol = "p".repeat(4000);
    const client = await RawClient.open(gateway.port, "/", {
      "Sec-WebSocket-Protocol": subprotocol,
      "Sec-WebSocket-Extensions": "permessage-deflate; server_max_window_bits=15",
    });
    assert.equal(extensionsOf(client), `${ANSWER}; server_max_window_bits=15`);
    assert.match(client.head ?? "", /\r\nSec-WebSocket-Protocol: p{4000}\r\n/);
    client.destroy();
  });
});

describe("ws as the client", () => {
  const offers: [string, PerMessageDeflateOptions | boolean][] = [
    ["as it is", true],
    ["without context", { serverNoContextTakeover: true, clientNoContextTakeover: true }],
    ["with a window of its own of 8", { clientMaxWindowBits: 8 }],
    ...WINDOWS.map((bits): [string, PerMessageDeflateOptions] => [
      `with a window of ${bits}`,
      { serverMaxWindowBits: bits, clientMaxWindowBits: bits },
    ]),
  ];
  for (const [name, perMessageDeflate] of offers) {
    test(`${name} gets back what it sent, of every length and kind`, async () => {
      const options = typeof perMessageDeflate === "object" ? perMessageDeflate : {};
      const client = new WebSocket(`ws://127.0.0.1:${gateway.port}/`, {
        perMessageDeflate: { ...options, threshold: 0 },
      });
      await new Promise((resolve) => client.once("open", resolve));
      assert.equal(client.extensions, "permessage-deflate");
      const words = "The quick brown fox jumps over the lazy dog. ";
      const messages = [0, 1, 100, 256, 1000, 20_000, 65_536, 131_072].flatMap((length) => [
        Buffer.from(words.repeat(length / words.length + 1)).subarray(0, length),
        randomBytes(length),
        repeating(length >> 1),
      ]);
      const received: Buffer[] = [];
      const done = new Promise<void>((resolve, reject) => {
        client.on("message", (message: Buffer) => {
          received.push(message);
          if (received.length === messages.length) resolve();
        });
        client.once("error", reject);
        client.once("close", (code) => reject(new Error(`closed with ${code}`)));
      });
      for (const message of messages) client.send(message);
      await done;
      assert.ok(messages.every((message, index) => message.equals(received[index] as Buffer)));
      client.terminate();
    });
  }
});

describe("a client", () => {
  for (const windowBits of WINDOWS) {
    test(`that reads a window of ${windowBits} can read what it is sent`, async () => {
      const client = await open(`permessage-deflate; server_max_window_bits=${windowBits}`);
      // Further back than this window, so that a larger one would be tempted.
      const messages = [300, 1000, 3000, 6000, 12_000, 20_000, 30_000].map(repeating);
      for (const message of messages) client.send(clientFrame(BINARY, message));
      for (const message of messages) {
        const frame = await client.nextFrame();
        assert.ok(messageOf(frame, windowBits).equals(message));
        // zlib looks back a little less than its window.
        const canSee = message.length / 2 <= 2 ** windowBits - 262;
        assert.equal(frame.isCompressed ?? false, canSee, `${message.length} bytes`);
      }
      client.destroy();
    });
  }

  test("may send compressed and plain messages as it likes", async () => {
    const client = await open("permessage-deflate");
    const text = "hello ".repeat(100);
    for (let round = 0; round < 20; round += 1) {
      client.send(clientFrame(TEXT | RSV1, deflateMessage(`${text}${round}`)));
      client.send(clientFrame(TEXT, `${text}${round}`));
    }
    for (let index = 0; index < 40; index += 1) {
      const frame = await client.nextFrame();
      assert.equal(frame.isCompressed, true);
      assert.equal(messageOf(frame).toString(), `${text}${index >> 1}`);
    }
    client.destroy();
  });

  test("may send a message in single bytes, and in fragments with pings between", async () => {
    const client = await open("permessage-deflate");
    const message = Buffer.from("hello ".repeat(100));
    const payload = deflateMessage(message);
    for (const byte of clientFrame(TEXT | RSV1, payload)) client.send(Uint8Array.of(byte));
    assert.ok(messageOf(await client.nextFrame()).equals(message));
    for (const [at, byte] of payload.entries()) {
      const opcode = at === 0 ? TEXT | RSV1 : 0;
      client.send(clientFrame(opcode, Uint8Array.of(byte), at === payload.length - 1));
      if (at % 5 === 0) client.sendFrame(PING, `${at}`);
    }
    for (let frame = await client.nextFrame(); ; frame = await client.nextFrame()) {
      if (frame.opcode === PONG) continue;
      assert.ok(messageOf(frame).equals(message));
      break;
    }
    client.destroy();
  });

  test("may compress as RFC 7692's examples do", async () => {
    const client = await open("permessage-deflate");
    // 7.2.3.1, 7.2.3.3 (stored), 7.2.3.4 (BFINAL) and 7.2.3.5 (two blocks).
    for (const hex of [
      "f248cdc9c90700",
      "000500faff48656c6c6f00",
      "f348cdc9c9070000",
      "f248050000 00ffffcac9c90700".replace(" ", ""),
    ]) {
      client.send(clientFrame(TEXT | RSV1, Buffer.from(hex, "hex")));
      assert.equal((await client.nextFrame()).payload.toString(), "Hello");
    }
    client.destroy();
  });

  test("may use any of zlib's settings", async () => {
    const client = await open("permessage-deflate");
    const { Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_SYNC_FLUSH } = constants;
    const message = Buffer.concat([randomBytes(60_000), Buffer.alloc(71_072, "ab")]);
    for (const strategy of [Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE]) {
      for (const [level, memLevel] of [
        [0, 8],
        [1, 1],
        [9, 9],
      ] as const) {
        const options = { strategy, level, memLevel, finishFlush: Z_SYNC_FLUSH };
        const payload = deflateRawSync(message, options).subarray(0, -4);
        client.send(clientFrame(BINARY | RSV1, payload));
        assert.ok(messageOf(await client.nextFrame()).equals(message));
      }
    }
    client.destroy();
  });
});

describe("a client is closed", () => {
  const compressed = (payload: Uint8Array | string) => deflateMessage(payload);
  const good = compressed("hello, hello, hello");
  const cases: [string, number, Buffer[]][] = [
    ["RSV1 without an offer", 1002, []],
    [
      "RSV1 of a continuation",
      1002,
      [clientFrame(TEXT | RSV1, good, false), clientFrame(RSV1, "")],
    ],
    ["RSV1 of a ping", 1002, [clientFrame(PING | RSV1, "")]],
    ["RSV2", 1002, [clientFrame(TEXT | 0x20, "a")]],
    ["RSV1 and RSV3", 1002, [clientFrame(TEXT | RSV1 | 0x10, good)]],
    ["data that is no DEFLATE", 1007, [clientFrame(BINARY | RSV1, Buffer.alloc(40, 0xff))]],
    ["data that is cut", 1007, [clientFrame(BINARY | RSV1, good.subarray(0, -3))]],
    ["text that is not UTF-8", 1007, [clientFrame(TEXT | RSV1, compressed(Buffer.of(0xff)))]],
    [
      "a distance that reaches before its message",
      1007,
      [clientFrame(TEXT | RSV1, good), clientFrame(TEXT | RSV1, reachingBack(good))],
    ],
  ];
  for (const [name, code, frames] of cases) {
    test(`with ${code} for ${name}`, async () => {
      const client = frames.length > 0 ? await open("permessage-deflate") : await open("x");
      client.send(Buffer.concat(frames.length > 0 ? frames : [clientFrame(TEXT | RSV1, good)]));
      const close = await client.closeFrame();
      assert.equal(close.code, code);
      await client.until(() => client.ended, "the end");
      client.destroy();
    });
  }

  /** What a compressor with context takeover sends for a message that it sent before. */
  function reachingBack(first: Buffer): Buffer {
    const { Z_SYNC_FLUSH } = constants;
    const dictionary = Buffer.from("hello, hello, hello");
    const payload = deflateRawSync(dictionary, { dictionary, finishFlush: Z_SYNC_FLUSH });
    assert.ok(payload.length - 4 < first.length);
    return payload.subarray(0, -4);
  }
});

test("a push reaches receivers of every window and of none as they can read it", async () => {
  const offers = [
    "",
    ...WINDOWS.map((bits) => `permessage-deflate; server_max_window_bits=${bits}`),
  ];
  const clients: [RawClient, number][] = [];
  for (const [index, offer] of [...offers, ...offers].entries()) {
    const headers: Record<string, string> =
      offer === "" ? {} : { "Sec-WebSocket-Extensions": offer };
    const client = await RawClient.open(gateway.port, "/", headers);
    clients.push([client, 8 + (index % offers.length)]);
  }
  const text = Buffer.from(
    `${"a push to all of them ".repeat(50)}${randomBytes(300).toString("hex")}`,
  );
  const target = { kind: "all" as const };
  const command: Command = {
    ...{ verb: "send", hub: "main", target, excluded: [], opcode: TEXT, bytes: text },
    pushId: undefined,
  };
  const answer = await gateway.gateway.execute(command);
  assert.equal(answer.matched, clients.length);
  for (const [client, windowBits] of clients) {
    const frame = await client.nextFrame();
    assert.equal(frame.isCompressed ?? false, windowBits > 8);
    assert.ok(messageOf(frame, Math.max(9, windowBits)).equals(text));
    client.destroy();
  }
});
