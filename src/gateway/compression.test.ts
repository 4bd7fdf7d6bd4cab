import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clientFrame } from "../../test/support/raw-client.ts";
import { seededRandom } from "../../test/support/seed.ts";
import { type Answer, emptyAnswer } from "../bus/command.ts";
import { BINARY, TEXT } from "../core/opcode.ts";
import { ACKNOWLEDGED } from "../upstreams/upstream.ts";
import { deflateMessage, inflateMessage, type ZlibCodec } from "../websocket/codec.test.helper.ts";
import { COMPRESS_BYTES_MIN } from "../websocket/deflation.ts";
import { type FakeClient, GatewayWorld, type WorldOptions } from "./gateway.test.helper.ts";

const RSV1 = 0x40;
const SLICE = 256;
const OFFER = "permessage-deflate; server_max_window_bits=";
const MAIN = "paths: [/], service: 'http://service.example/', auth: { connect: false }";

function compressing(options: WorldOptions = {}): GatewayWorld {
  return new GatewayWorld({ hubs: `{ main: { ${MAIN}, compression: on } }`, ...options });
}

function echoing(options: WorldOptions = {}): GatewayWorld {
  const world = compressing(options);
  const upstream = world.upstream();
  upstream.message = (place, _number, opcode, bytes, offset, length) => {
    upstream.sink.reply(place, opcode, bytes, offset, length);
    return ACKNOWLEDGED;
  };
  return world;
}

function codecOf(world: GatewayWorld): ZlibCodec {
  const [codec, ...others] = world.binding.codecs;
  assert.ok(codec !== undefined, "no codec was made");
  assert.deepEqual(others, [], "one codec serves a worker");
  return codec;
}

/** 0: one that offers nothing. */
function open(world: GatewayWorld, windowBits: number, path = "/"): Promise<FakeClient> {
  const offer = { "Sec-WebSocket-Extensions": `${OFFER}${windowBits}` };
  return world.open(path, windowBits === 0 ? {} : offer);
}

interface Received {
  text: string;
  isCompressed: boolean;
}

/** The messages of a client whose window is 2^windowBits: a larger one would not be read. */
function received(client: FakeClient, windowBits: number): Received[] {
  return client.frames
    .filter(({ opcode }) => opcode === TEXT || opcode === BINARY)
    .map(({ payload, isCompressed = false }) => {
      const text = isCompressed ? inflateMessage(payload, windowBits) : payload;
      return { text: text.toString(), isCompressed };
    });
}

function push(world: GatewayWorld, payload: string | Uint8Array): { answer?: Answer } {
  const about = { hub: "main", target: { kind: "all" as const }, excluded: [], pushId: undefined };
  const bytes = Buffer.from(payload);
  const pushed: { answer?: Answer } = {};
  void world.gateway.execute({ verb: "send", ...about, opcode: TEXT, bytes }).then((answer) => {
    pushed.answer = answer;
  });
  return pushed;
}

const long = (word: string, length = 1000) =>
  Array.from({ length }, (_, index) => `${word} ${index % 50}`).join(" ");

/** Bytes that do not become smaller, the same ones every time. */
function noiseOf(length: number): Buffer {
  const random = seededRandom(1);
  return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
}

/** A client's compressed message. */
function compressedFrame(opcode: number, payload: string | Uint8Array): Buffer {
  return clientFrame(opcode | RSV1, deflateMessage(payload));
}

describe("a hub with compression on", () => {
  test("answers an offer and compresses for whoever made it", async () => {
    const world = echoing();
    const client = await open(world, 11);
    assert.match(
      client.head ?? "",
      /Sec-WebSocket-Extensions: [^\r]*; server_max_window_bits=11\r/,
    );
    client.socket.send(compressedFrame(TEXT, long("a")));
    client.text(long("b"));
    await world.settle();
    assert.deepEqual(received(client, 11), [
      { text: long("a"), isCompressed: true },
      { text: long("b"), isCompressed: true },
    ]);
    assert.deepEqual(codecOf(world).deflated, [11, 11]);
  });

  test("sends plain what is too short, and what would not become smaller", async () => {
    const world = echoing();
    const client = await open(world, 15);
    client.text("short", "x".repeat(COMPRESS_BYTES_MIN - 1), "x".repeat(COMPRESS_BYTES_MIN));
    client.send(BINARY, noiseOf(1000));
    await world.settle();
    const isCompressed = received(client, 15).map((message) => message.isCompressed);
    assert.deepEqual(isCompressed, [false, false, true, false]);
  });

  test("leaves those alone who offer nothing, or nothing that it can take", async () => {
    const world = echoing();
    for (const windowBits of [0, 8]) {
      const client = await open(world, windowBits);
      assert.doesNotMatch(client.head ?? "", /Sec-WebSocket-Extensions/i);
      client.text(long("a"));
      await world.settle();
      assert.deepEqual(received(client, 15), [{ text: long("a"), isCompressed: false }]);
      client.socket.send(compressedFrame(TEXT, "a"));
      await world.settle();
      assert.match(client.closeFrame ?? "", /^1002 /);
    }
    assert.deepEqual(codecOf(world).deflated, []);
  });

  test("has the window that was offered once its service was asked", async () => {
    const world = compressing({
      hubs: "{ main: { paths: [/], service: 'http://a/', compression: on } }",
    });
    const client = await open(world, 10);
    assert.match(client.head ?? "", /server_max_window_bits=10\r/);
    const payload = Buffer.from(long("a"));
    world.upstream().sink.reply(client.place, TEXT, payload, 0, payload.length);
    await world.settle();
    assert.deepEqual(received(client, 10), [{ text: long("a"), isCompressed: true }]);
  });

  test("counts payload as it was before it was compressed, in and out", async () => {
    const world = echoing();
    const client = await open(world, 15);
    client.socket.send(compressedFrame(TEXT, long("a")));
    await world.settle();
    push(world, long("b"));
    await world.settle();
    const { bytesSentTotal, hubs } = world.gateway.counts();
    assert.equal(bytesSentTotal, long("a").length + long("b").length);
    assert.equal(hubs.main?.bytesReceivedTotal, long("a").length);
  });

  test("holds for its service what a message is once it is inflated", async () => {
    const limits = "{ unacknowledgedBytesMax: 65536 }";
    const world = compressing({ limits });
    const client = await open(world, 15);
    const frame = compressedFrame(TEXT, "x".repeat(100_000));
    assert.ok(frame.length < 200);
    client.socket.send(Buffer.concat([frame, frame]));
    await world.settle();
    assert.equal(world.upstream().messages.length, 1);
    assert.ok(world.parts.budget.held("parked") > 0);
  });
});

test("a worker without compression has no codec, and answers no offer", async () => {
  const world = new GatewayWorld();
  const client = await open(world, 15);
  assert.doesNotMatch(client.head ?? "", /Sec-WebSocket-Extensions/i);
  assert.deepEqual(world.binding.codecs, []);
});

test("hubs with compression and without share a worker, and each its connections", async () => {
  const plain = "{ paths: [/plain], service: 'http://a/', auth: { connect: false } }";
  const world = compressing({ hubs: `{ main: { ${MAIN}, compression: on }, plain: ${plain} }` });
  const client = await open(world, 15, "/plain");
  assert.doesNotMatch(client.head ?? "", /Sec-WebSocket-Extensions/i);
  client.socket.send(compressedFrame(TEXT, "a"));
  await world.settle();
  assert.match(client.closeFrame ?? "", /^1002 /);
});

test("a slot that had compression gives it to nobody who has it next", async () => {
  const world = echoing();
  const first = await open(world, 12);
  const slot = world.slotOf(first);
  first.socket.break();
  await world.settle();
  const next = await open(world, 0);
  assert.equal(world.slotOf(next), slot);
  next.text(long("a"));
  await world.settle();
  assert.deepEqual(received(next, 15), [{ text: long("a"), isCompressed: false }]);
});

describe("a push", () => {
  const windows = [0, 9, 10, 11, 12, 13, 14, 15];

  test("is compressed once for each window, and everybody has it", async () => {
    const world = compressing();
    const clients: [FakeClient, number][] = [];
    for (let round = 0; round < 3; round += 1) {
      for (const windowBits of windows) clients.push([await open(world, windowBits), windowBits]);
    }
    const pushed = push(world, long("news"));
    await world.settle();
    assert.deepEqual(codecOf(world).deflated, windows.slice(1));
    assert.deepEqual(pushed.answer, { ...emptyAnswer(), matched: clients.length });
    for (const [client, windowBits] of clients) {
      const isCompressed = windowBits !== 0;
      assert.deepEqual(received(client, windowBits), [{ text: long("news"), isCompressed }]);
    }
  });

  test("in many slices is compressed once all the same", async () => {
    const world = compressing();
    const clients: FakeClient[] = [];
    for (let index = 0; index < 2 * SLICE + 10; index += 1) {
      clients.push(await open(world, index % 3 === 0 ? 9 : 14));
    }
    const pushed = push(world, long("news"));
    await world.settle();
    assert.equal(pushed.answer?.matched, clients.length);
    assert.deepEqual(codecOf(world).deflated, [9, 14]);
    for (const client of clients) assert.equal(received(client, 15)[0]?.text, long("news"));
  });

  test("keeps its place among others and answers, for every receiver", async () => {
    const world = compressing();
    const clients: [FakeClient, number][] = [];
    for (let index = 0; index < SLICE + 20; index += 1) {
      const windowBits = windows[index % windows.length] as number;
      clients.push([await open(world, windowBits), windowBits]);
    }
    const texts = Array.from({ length: 8 }, (_, index) =>
      index % 2 === 0 ? long(`push ${index}`) : `short ${index}`,
    );
    for (const text of texts) push(world, text);
    await world.settle();
    for (const [client, windowBits] of clients) {
      assert.deepEqual(
        received(client, windowBits).map(({ text }) => text),
        texts,
      );
    }
  });

  test("that is short or cannot become smaller is sent plain to all together", async () => {
    const world = compressing();
    const clients = [await open(world, 9), await open(world, 15), await open(world, 0)];
    push(world, "x".repeat(COMPRESS_BYTES_MIN - 1));
    await world.settle();
    assert.deepEqual(codecOf(world).deflated, []);
    push(world, noiseOf(1000));
    await world.settle();
    for (const client of clients) {
      assert.equal(client.frames.length, 2);
      assert.ok(client.frames[1]?.payload.equals(noiseOf(1000)));
    }
  });

  test("larger than the arena's frames reaches everybody, and is held once a window", async () => {
    const world = compressing();
    const slow: FakeClient[] = [];
    for (const windowBits of [15, 15, 15]) slow.push(await open(world, windowBits));
    const text = long("word", 200_000);
    for (const { socket } of slow) socket.room = 10;
    push(world, text);
    await world.settle();
    const compressedBytes = world.parts.budget.held("queued");
    assert.ok(compressedBytes < text.length / 2, `${compressedBytes} bytes`);
    for (const { socket } of slow) socket.room = Number.POSITIVE_INFINITY;
    await world.settle();
    for (const client of slow) assert.equal(received(client, 15)[0]?.text, text);
    assert.equal(world.parts.budget.held("queued"), 0);
  });

  test("does not reach those who leave before it comes to them", async () => {
    const world = compressing();
    const many: FakeClient[] = [];
    for (let index = 0; index < SLICE; index += 1) many.push(await open(world, 9));
    const leaver = await open(world, 15);
    const pushed = push(world, long("news"));
    leaver.socket.break();
    world.poller.wake();
    await world.settle();
    assert.equal(pushed.answer?.matched, SLICE);
    for (const client of many) assert.equal(received(client, 9).length, 1);
    assert.deepEqual(received(leaver, 15), []);
  });
});

test("what one connection is sent is not overwritten by what its sending leads to", async () => {
  const world = compressing();
  const { sink } = world.upstream();
  const reply = ({ place }: FakeClient, text: string) => {
    const bytes = Buffer.from(text);
    sink.reply(place, TEXT, bytes, 0, bytes.length);
  };
  const [first, other, leaver] = [
    await open(world, 15),
    await open(world, 15),
    await open(world, 15),
  ];
  // Whoever hears, within a flush, that a socket broke may send to others.
  const close = world.poller.close.bind(world.poller);
  world.poller.close = (slot, reset) => {
    close(slot, reset);
    reply(other, long("secret"));
  };
  sink.fail(leaver.place, "service-error");
  leaver.socket.break();
  // Nearly all of the room for frames, so that one of the next has to make some by a flush.
  const noise = noiseOf(60_000);
  for (let left = 2 << 20; left > 60_000; left -= 60_004) {
    sink.reply(first.place, BINARY, noise, 0, noise.length);
  }
  assert.deepEqual(received(other, 15), []);
  // Base64 becomes smaller by a quarter.
  const texts = Array.from(
    { length: 8 },
    (_, index) => `${index} ${noise.toString("base64", 30_000)}`,
  );
  for (const text of texts) reply(first, text);
  await world.settle();
  const messages = received(first, 15).filter(({ isCompressed }) => isCompressed);
  // Not deepEqual, whose difference would be a page of each.
  assert.equal(messages.length, texts.length);
  assert.ok(messages.every(({ text }, index) => text === texts[index]));
  assert.deepEqual(received(other, 15), [{ text: long("secret"), isCompressed: true }]);
});
