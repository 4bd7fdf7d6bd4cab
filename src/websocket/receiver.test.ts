import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BINARY, TEXT } from "../core/opcode.ts";
import { OPCODE_CLOSE, OPCODE_PING, OPCODE_PONG } from "./frame-header.ts";
import {
  type ClientFrame,
  concat,
  encodeClientFrame,
  eventsOf,
  Feeder,
  feeder,
  limits,
  MESSAGE_BYTES_MAX,
  naiveUnmask,
} from "./receiver.test.helper.ts";
import { MESSAGE, Receiver } from "./receiver.ts";
import * as violations from "./violation.ts";

function hex(payload: string | Uint8Array): string {
  return Buffer.from(payload).toString("hex");
}

const hello: ClientFrame = { opcode: TEXT, payload: "Hello" };
const longText = "Größe ".repeat(30);
const longBytes = Uint8Array.from({ length: 200 }, (_, index) => index);

describe("messages", () => {
  test("a whole frame is a message", () => {
    assert.deepEqual(eventsOf(hello), [`message 1 ${hex("Hello")}`]);
  });

  test("the sample frame of RFC 6455 is read", () => {
    const reader = feeder();
    reader.feed(Uint8Array.of(0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58));
    assert.deepEqual(reader.events, [`message 1 ${hex("Hello")}`]);
  });

  test("several messages in one read are reported in order", () => {
    const events = eventsOf(hello, { opcode: BINARY, payload: longBytes }, hello);
    const binary = `message 2 ${Buffer.from(longBytes).toString("hex")}`;
    assert.deepEqual(events, [`message 1 ${hex("Hello")}`, binary, `message 1 ${hex("Hello")}`]);
  });

  test("an empty message is a message", () => {
    assert.deepEqual(eventsOf({ opcode: TEXT, payload: "" }), ["message 1 "]);
  });

  test("a long text is checked and reported", () => {
    const events = eventsOf({ opcode: TEXT, payload: longText });
    assert.deepEqual(events, [`message 1 ${hex(longText)}`]);
  });

  test("every payload length around the short path's end is unmasked", () => {
    for (let length = 0; length <= 70; length++) {
      const payload = longBytes.subarray(0, length);
      const reader = feeder();
      reader.feed(encodeClientFrame({ opcode: BINARY, payload, key: [1, 128, 255, 254] }));
      assert.deepEqual(reader.events, [`message 2 ${Buffer.from(payload).toString("hex")}`]);
      assert.equal(reader.unmaskCalls, length < 64 ? 0 : 1);
    }
  });

  test("a whole frame is reported in the arena and leaves nothing behind", () => {
    const arena = new Uint8Array(256);
    const frame = encodeClientFrame(hello);
    arena.set(frame, 50);
    const receiver = new Receiver(arena, naiveUnmask(arena), limits);
    assert.equal(receiver.next(50, 50 + frame.length, MESSAGE_BYTES_MAX), MESSAGE);
    assert.equal(receiver.payload, arena);
    assert.equal(receiver.payloadOffset, 56);
    assert.equal(receiver.payloadLength, 5);
    assert.equal(receiver.position, 61);
    assert.equal(receiver.partial, undefined);
  });
});

describe("messages of one read", () => {
  function offsetsOf(...frames: ClientFrame[]): number[] {
    const arena = new Uint8Array(256);
    const stream = concat(...frames.map(encodeClientFrame));
    arena.set(stream, 16);
    const receiver = new Receiver(arena, naiveUnmask(arena), limits);
    receiver.begin(undefined, false);
    const offsets: number[] = [];
    for (let at = 16; at < 16 + stream.length; at = receiver.position) {
      receiver.next(at, 16 + stream.length, MESSAGE_BYTES_MAX);
      offsets.push(receiver.payloadOffset);
    }
    return offsets;
  }
  const long = { opcode: BINARY, payload: new Uint8Array(70) };

  test("stand side by side, with room for the headers of answers between them", () => {
    assert.deepEqual(offsetsOf(hello, hello, long), [22, 22 + 5 + 2, 22 + 5 + 2 + 5 + 2]);
  });

  test("stay where they are behind a control frame, whose payload may be owed", () => {
    const ping = { opcode: OPCODE_PING, payload: "p" };
    assert.deepEqual(offsetsOf(hello, ping, hello, hello), [22, 33, 40, 47]);
  });
});

describe("fragments", () => {
  test("are assembled to one message of the first one's kind", () => {
    const events = eventsOf(
      { opcode: BINARY, payload: "abc", fin: false },
      { opcode: 0, payload: "", fin: false },
      { opcode: 0, payload: "defgh", fin: false },
      { opcode: 0, payload: "i" },
      hello,
    );
    assert.deepEqual(events, [`message 2 ${hex("abcdefghi")}`, `message 1 ${hex("Hello")}`]);
  });

  test("may cut a character of a text in two", () => {
    const bytes = new TextEncoder().encode("a😀b");
    for (let cut = 0; cut <= bytes.length; cut++) {
      const events = eventsOf(
        { opcode: TEXT, payload: bytes.subarray(0, cut), fin: false },
        { opcode: 0, payload: bytes.subarray(cut) },
      );
      assert.deepEqual(events, [`message 1 ${hex("a😀b")}`]);
    }
  });

  test("let control frames pass between them", () => {
    const events = eventsOf(
      { opcode: TEXT, payload: "ab", fin: false },
      { opcode: OPCODE_PING, payload: "are you there" },
      { opcode: 0, payload: "cd", fin: false },
      { opcode: OPCODE_PONG, payload: "" },
      { opcode: 0, payload: "ef" },
      { opcode: OPCODE_PING, payload: longBytes.subarray(0, 125) },
    );
    assert.deepEqual(events, [
      `ping 9 ${hex("are you there")}`,
      "pong 10 ",
      `message 1 ${hex("abcdef")}`,
      `ping 9 ${Buffer.from(longBytes.subarray(0, 125)).toString("hex")}`,
    ]);
  });

  test("let a close frame end the stream between them", () => {
    const events = eventsOf(
      { opcode: TEXT, payload: "ab", fin: false },
      { opcode: OPCODE_CLOSE, payload: "" },
      hello,
    );
    assert.deepEqual(events, ["close 8 1005 "]);
  });

  test("up to the limit of frames and of empty frames are taken", () => {
    const part: ClientFrame = { opcode: 0, payload: "x", fin: false };
    const first: ClientFrame = { ...part, opcode: BINARY };
    const frames = [first, ...Array(6).fill(part), { ...part, fin: true }];
    assert.deepEqual(eventsOf(...frames), [`message 2 ${hex("xxxxxxxx")}`]);
    const empty: ClientFrame = { ...part, payload: "" };
    const empties = eventsOf(first, empty, empty, { ...empty, fin: true });
    assert.deepEqual(empties, [`message 2 ${hex("x")}`]);
  });
});

describe("what is unfinished", () => {
  test("takes no more memory than twice what has arrived, whatever is announced", () => {
    const reader = new Feeder(65536, 2 ** 30, limits);
    const announcedLength = 2n ** 29n;
    const frame = encodeClientFrame({ opcode: BINARY, payload: "", announcedLength });
    reader.feed(frame);
    assert.equal(reader.partial?.bytesHeld, 0);
    let received = 0;
    for (const length of [1, 10, 100, 1000, 10_000, 60_000]) {
      reader.feed(new Uint8Array(length));
      received += length;
      const held = reader.partial?.bytesHeld ?? 0;
      assert(held >= received && held <= 2 * received + 64, `${held} for ${received}`);
    }
  });

  test("is whole again when its frames' headers were cut where its memory has seams", () => {
    const payload = new Uint8Array(40_000).map((_, index) => index % 251);
    const first = encodeClientFrame({ opcode: BINARY, payload, fin: false });
    const last = encodeClientFrame({ opcode: 0, payload });
    const ping = encodeClientFrame({ opcode: OPCODE_PING, payload: payload.subarray(0, 125) });
    // The first 64 KiB end within the second frame or, of a shorter one, within the ping.
    for (const length of [25_400, 25_500, 25_536, 40_000]) {
      const second = encodeClientFrame({
        opcode: 0,
        payload: payload.subarray(0, length),
        fin: false,
      });
      const stream = concat(first, second, ping, ping, last);
      const whole = concat(payload, payload.subarray(0, length), payload);
      const reader = new Feeder(64, 2 ** 20, limits);
      for (let at = 0; at < stream.length; at += 9) reader.feed(stream.subarray(at, at + 9));
      assert.deepEqual(reader.events, [
        ...Array(2).fill(`ping 9 ${hex(payload.subarray(0, 125))}`),
        `message 2 ${hex(whole)}`,
      ]);
    }
  });

  test("is copied a number of times that does not grow with the number of pieces", () => {
    const reader = new Feeder(64, 2 ** 20, limits);
    const frame = encodeClientFrame({ opcode: TEXT, payload: new Uint8Array(20_000).fill(97) });
    const sizes = new Set<number>();
    for (const byte of frame) {
      reader.feed(Uint8Array.of(byte));
      if (reader.partial !== undefined) sizes.add(reader.partial.bytesHeld);
    }
    assert.equal(reader.events.length, 1);
    assert.equal(reader.unmaskedBytes, 20_000, "each byte is unmasked and checked once");
    assert(sizes.size <= 14, `${sizes.size} sizes`);
  });

  test("is copied a number of times that does not grow with the number of fragments", () => {
    const manyFrames = { framesPerMessageMax: 10_000, emptyFramesPerMessageMax: 1 };
    const reader = new Feeder(64, 2 ** 20, manyFrames);
    const sizes = new Set<number>();
    for (let index = 0; index < 5000; index++) {
      const opcode = index === 0 ? BINARY : 0;
      reader.feed(encodeClientFrame({ opcode, payload: "four", fin: false }));
      sizes.add(reader.partial?.bytesHeld ?? 0);
    }
    assert.equal(reader.partial?.length, 20_000);
    assert(sizes.size <= 14, `${sizes.size} sizes`);
  });

  test("is nothing behind a control frame that came in pieces outside a message", () => {
    const reader = feeder();
    for (const byte of encodeClientFrame({ opcode: OPCODE_PING, payload: "ping" })) {
      reader.feed(Uint8Array.of(byte));
    }
    assert.deepEqual(reader.events, [`ping 9 ${hex("ping")}`]);
    assert.equal(reader.partial, undefined);
  });

  test("is the connection's own, so that streams may alternate", () => {
    const arena = new Uint8Array(64);
    const receiver = new Receiver(arena, naiveUnmask(arena), limits);
    const streams = ["one", "two"].map((text) => {
      const first = encodeClientFrame({ opcode: TEXT, payload: text.slice(0, 1), fin: false });
      const key = [text.length, 2, 3, 4] as const;
      return concat(first, encodeClientFrame({ opcode: 0, payload: text.slice(1), key }));
    });
    const partials: (typeof receiver.partial)[] = [undefined, undefined];
    const texts: string[] = [];
    for (let index = 0; index < 15; index++) {
      for (const [connection, stream] of streams.entries()) {
        receiver.begin(partials[connection], false);
        arena[0] = stream[index] as number;
        if (receiver.next(0, 1, 64) === MESSAGE) {
          const { payload, payloadOffset: offset, payloadLength } = receiver;
          const bytes = payload.subarray(offset, offset + payloadLength);
          texts.push(Buffer.from(bytes).toString());
        }
        partials[connection] = receiver.partial;
      }
    }
    assert.deepEqual(texts, ["one", "two"]);
  });

  test("keeps the time that somebody else stamped on it until the message is whole", () => {
    const arena = new Uint8Array(64);
    const receiver = new Receiver(arena, naiveUnmask(arena), limits);
    const stream = concat(
      encodeClientFrame({ opcode: TEXT, payload: "ab", fin: false }),
      encodeClientFrame({ opcode: OPCODE_PING, payload: "p" }),
      encodeClientFrame({ opcode: 0, payload: "cd" }),
    );
    const message = feedBytes(receiver, arena, stream.subarray(0, 1));
    assert(message !== undefined);
    message.startedAt = 4711;
    assert.equal(feedBytes(receiver, arena, stream.subarray(1, -1)), message);
    assert.equal(message.startedAt, 4711);
    assert.equal(feedBytes(receiver, arena, stream.subarray(-1)), undefined);
  });
});

function feedBytes(receiver: Receiver, arena: Uint8Array, bytes: Uint8Array) {
  for (const byte of bytes) {
    arena[0] = byte;
    receiver.next(0, 1, 64);
  }
  return receiver.partial;
}

describe("close frames", () => {
  test("give their code and their reason", () => {
    const payload = concat(Uint8Array.of(0x0f, 0xa0), new TextEncoder().encode("grüß"));
    const events = eventsOf({ opcode: OPCODE_CLOSE, payload });
    assert.deepEqual(events, [`close 8 4000 0fa0${hex("grüß")}`]);
  });

  test("may have the codes of RFC 6455 and of its registry, and no other", () => {
    const ranges = [
      [1000, 1003],
      [1007, 1014],
      [3000, 4999],
    ] as const;
    for (let code = 0; code < 65536; code++) {
      const reader = new Feeder(8, MESSAGE_BYTES_MAX, limits);
      const payload = Uint8Array.of(code >>> 8, code & 255);
      reader.feed(encodeClientFrame({ opcode: OPCODE_CLOSE, payload }));
      const valid = ranges.some(([first, last]) => code >= first && code <= last);
      const expected = valid
        ? `close 8 ${code} ${Buffer.from(payload).toString("hex")}`
        : `violation: ${violations.CLOSE_CODE_INVALID.sentence}`;
      assert.deepEqual(reader.events, [expected]);
    }
  });

  test("end the stream: what follows is not read", () => {
    assert.deepEqual(eventsOf({ opcode: OPCODE_CLOSE, payload: "" }, hello), ["close 8 1005 "]);
  });
});

describe("an error is reported as soon as it is certain", () => {
  const bad = `violation: ${violations.INVALID_UTF8.sentence}`;

  test("inside a frame that has not ended", () => {
    const reader = feeder();
    const payload = concat(Uint8Array.of(0xed, 0xa0), longBytes);
    const frame = encodeClientFrame({ opcode: TEXT, payload });
    const headerBytes = frame.length - payload.length;
    reader.feed(frame.subarray(0, headerBytes + 1));
    assert.deepEqual(reader.events, []);
    reader.feed(frame.subarray(headerBytes + 1, headerBytes + 2));
    assert.deepEqual(reader.events, [bad]);
  });

  test("inside a fragment, though more are to come", () => {
    const reader = feeder();
    const payload = Uint8Array.of(0x61, 0xff);
    reader.feed(encodeClientFrame({ opcode: TEXT, payload, fin: false }));
    assert.deepEqual(reader.events, [bad]);
  });

  test("a message that is too big by its header, before any payload", () => {
    const reader = feeder();
    const announcedLength = BigInt(MESSAGE_BYTES_MAX + 1);
    reader.feed(encodeClientFrame({ opcode: BINARY, payload: "", announcedLength }));
    assert.deepEqual(reader.events, [`violation: ${violations.MESSAGE_TOO_BIG.sentence}`]);
  });
});
