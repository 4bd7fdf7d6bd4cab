import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import { BINARY, TEXT } from "../core/opcode.ts";
import { deflateMessage } from "./codec.test.helper.ts";
import {
  type ClientFrame,
  compressibleFeeder,
  concat,
  encodeClientFrame,
  eventsOf,
  eventsThrough,
  MESSAGE_BYTES_MAX,
} from "./receiver.test.helper.ts";
import * as violations from "./violation.ts";

const RSV1 = 4;
const CONTINUATION = 0;
const PING = 9;

function received(...frames: ClientFrame[]): string[] {
  return eventsThrough(compressibleFeeder, frames);
}

function message(opcode: number, payload: Uint8Array | string): string {
  return `message ${opcode} ${Buffer.from(payload).toString("hex")}`;
}

function compressed(opcode: number, payload: Uint8Array | string): ClientFrame {
  return { opcode, payload: deflateMessage(payload), rsv: RSV1 };
}

/** A compressed message in frames of `length` bytes. */
function fragments(opcode: number, payload: Uint8Array | string, length: number): ClientFrame[] {
  const whole = deflateMessage(payload);
  const frames: ClientFrame[] = [];
  for (let at = 0; at < whole.length; at += length) {
    const first = at === 0 ? { opcode, rsv: RSV1 } : { opcode: CONTINUATION };
    const fin = at + length >= whole.length;
    frames.push({ ...first, payload: whole.subarray(at, at + length), fin });
  }
  return frames;
}

const text = "Zoë says hello, and hello again, and hello once more: hello.";
const bytes = Uint8Array.from({ length: 256 }, (_, index) => (index * 31) & 255);

describe("a connection that negotiated compression reads", () => {
  test("compressed messages and plain ones, one after the other", () => {
    const frames = [
      compressed(TEXT, text),
      { opcode: TEXT, payload: text },
      compressed(BINARY, bytes),
      { opcode: BINARY, payload: bytes },
      compressed(TEXT, ""),
      compressed(TEXT, text),
    ];
    const expected = [text, text].map((each) => message(TEXT, each));
    expected.push(message(BINARY, bytes), message(BINARY, bytes));
    expected.push(message(TEXT, ""), message(TEXT, text));
    assert.deepEqual(received(...frames), expected);
  });

  test("a compressed message in fragments, with control frames between", () => {
    for (const length of [8, 20, 1000]) {
      const parts = fragments(TEXT, text, length);
      const ping: ClientFrame = { opcode: PING, payload: "p" };
      const frames = parts.flatMap((part) => [part, ping]);
      const events = received(...frames, { opcode: TEXT, payload: "plain" });
      assert.deepEqual(
        events.filter((event) => !event.startsWith("ping")),
        [message(TEXT, text), message(TEXT, "plain")],
      );
      assert.equal(events.length, parts.length + 2);
    }
  });

  test("a compressed message whose last frame is empty", () => {
    const frames = [
      { ...compressed(TEXT, text), fin: false },
      { opcode: CONTINUATION, payload: "" },
    ];
    assert.deepEqual(received(...frames), [message(TEXT, text)]);
  });

  test("a compressed message whose first frame is empty", () => {
    const frames = [
      { opcode: BINARY, payload: "", rsv: RSV1, fin: false },
      { opcode: CONTINUATION, payload: deflateMessage(bytes) },
    ];
    assert.deepEqual(received(...frames), [message(BINARY, bytes)]);
  });

  test("a message of stored blocks", () => {
    const stored = Uint8Array.of(0, 5, 0, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0);
    assert.deepEqual(received({ opcode: TEXT, payload: stored, rsv: RSV1 }), [
      message(TEXT, "Hello"),
    ]);
  });

  test("messages at the limit, which may be longer while they are compressed", () => {
    const random = randomBytes(MESSAGE_BYTES_MAX);
    const frame = compressed(BINARY, random);
    assert.ok(frame.payload.length > MESSAGE_BYTES_MAX);
    assert.deepEqual(received(frame), [message(BINARY, random)]);
    assert.deepEqual(received(...fragments(BINARY, random, 100)), [message(BINARY, random)]);
  });
});

describe("a connection that negotiated compression breaks the protocol", () => {
  const open: ClientFrame = { ...compressed(TEXT, text), fin: false };
  const tooBig = "x".repeat(MESSAGE_BYTES_MAX + 1);
  const long = new Uint8Array(2 * MESSAGE_BYTES_MAX);
  const cases: [string, violations.Violation, ClientFrame[]][] = [
    ["RSV2", violations.RESERVED_BIT_SET, [{ opcode: TEXT, payload: "a", rsv: 2 }]],
    ["RSV3", violations.RESERVED_BIT_SET, [{ opcode: TEXT, payload: "a", rsv: 1 }]],
    ["RSV1 and RSV2", violations.RESERVED_BIT_SET, [{ ...compressed(TEXT, text), rsv: 6 }]],
    ["RSV1 and RSV3", violations.RESERVED_BIT_SET, [{ ...compressed(TEXT, text), rsv: 5 }]],
    ["RSV1 of a ping", violations.RESERVED_BIT_SET, [{ opcode: PING, payload: "", rsv: RSV1 }]],
    ["RSV1 of a pong", violations.RESERVED_BIT_SET, [{ opcode: 10, payload: "", rsv: RSV1 }]],
    ["RSV1 of a close", violations.RESERVED_BIT_SET, [{ opcode: 8, payload: "", rsv: RSV1 }]],
    ["RSV1 of an unknown frame", violations.RESERVED_BIT_SET, [compressed(3, "a")]],
    [
      "RSV1 of a continuation",
      violations.RESERVED_BIT_SET,
      [open, { opcode: CONTINUATION, payload: "", rsv: RSV1 }],
    ],
    [
      "RSV1 of a plain message's continuation",
      violations.RESERVED_BIT_SET,
      [
        { opcode: TEXT, payload: "a", fin: false },
        { opcode: CONTINUATION, payload: "", rsv: RSV1 },
      ],
    ],
    [
      "RSV1 of a ping within a message",
      violations.RESERVED_BIT_SET,
      [open, { opcode: PING, payload: "", rsv: RSV1 }],
    ],
    [
      "a compressed message inside another",
      violations.EXPECTED_CONTINUATION,
      [open, compressed(TEXT, text)],
    ],
    [
      "what is no DEFLATE",
      violations.INVALID_DEFLATE,
      [{ opcode: BINARY, payload: Uint8Array.of(0xff, 0xff, 0xff), rsv: RSV1 }],
    ],
    [
      "what ends in the middle",
      violations.INVALID_DEFLATE,
      [{ opcode: BINARY, payload: deflateMessage(text).subarray(0, 20), rsv: RSV1 }],
    ],
    [
      "fragments that end in the middle",
      violations.INVALID_DEFLATE,
      [
        { opcode: BINARY, payload: deflateMessage(text).subarray(0, 20), rsv: RSV1, fin: false },
        { opcode: CONTINUATION, payload: "" },
      ],
    ],
    ["a message above the limit", violations.MESSAGE_TOO_BIG, [compressed(TEXT, tooBig)]],
    ["fragments above it", violations.MESSAGE_TOO_BIG, fragments(TEXT, tooBig, 4)],
    ["a plain message above it", violations.MESSAGE_TOO_BIG, [{ opcode: TEXT, payload: tooBig }]],
    [
      "more compressed bytes than any message within the limit has",
      violations.MESSAGE_TOO_BIG,
      [{ opcode: BINARY, payload: long, rsv: RSV1 }],
    ],
    [
      "the same in fragments",
      violations.MESSAGE_TOO_BIG,
      [
        { opcode: BINARY, payload: long.subarray(0, 250), rsv: RSV1, fin: false },
        { opcode: CONTINUATION, payload: long.subarray(0, 250), fin: false },
      ],
    ],
    [
      "text that is not UTF-8",
      violations.INVALID_UTF8,
      [compressed(TEXT, Uint8Array.of(0x41, 0xc0, 0x80))],
    ],
    [
      "text that ends inside a character",
      violations.INVALID_UTF8,
      [compressed(TEXT, Uint8Array.of(0x41, 0xe2, 0x82))],
    ],
    [
      "plain text that is not UTF-8",
      violations.INVALID_UTF8,
      [{ opcode: TEXT, payload: Uint8Array.of(0xff) }],
    ],
  ];
  for (const [name, violation, frames] of cases) {
    test(`${name}: ${violation.sentence}`, () => {
      assert.equal(received(...frames).at(-1), `violation: ${violation.sentence}`);
    });
  }

  test("and each of the bits is a violation where compression was not negotiated", () => {
    for (let rsv = 1; rsv < 8; rsv += 1) {
      const { sentence } = violations.RESERVED_BIT_SET;
      const events = eventsOf({ ...compressed(TEXT, text), rsv });
      assert.deepEqual(events, [`violation: ${sentence}`]);
    }
  });
});

test("bytes that are not UTF-8 are a message where they are no text", () => {
  const payload = Uint8Array.of(0x41, 0xc0, 0x80);
  assert.deepEqual(received(compressed(BINARY, payload)), [message(BINARY, payload)]);
  // What is compressed need not be UTF-8 either.
  assert.deepEqual(received(compressed(TEXT, "ä")), [message(TEXT, "ä")]);
});

test("streams of compressed and plain messages are read alike in whatever pieces", () => {
  const payload = fc.uint8Array({ maxLength: 250 });
  const one = fc.record({
    payload,
    isCompressed: fc.boolean(),
    pieceBytes: fc.integer({ min: 1, max: 100 }),
  });
  const property = fc.property(
    fc.array(one, { maxLength: 6 }),
    fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 40 }),
    (messages, lengths) => {
      const frames = messages.flatMap(({ payload, isCompressed, pieceBytes }) => {
        if (!isCompressed) return [{ opcode: BINARY, payload }];
        return fragments(BINARY, payload, Math.max(pieceBytes, 50));
      });
      const stream = concat(...frames.map(encodeClientFrame));
      const feeder = compressibleFeeder();
      let at = 0;
      for (const length of [...lengths, stream.length]) {
        feeder.feed(stream.subarray(at, at + length));
        at = Math.min(stream.length, at + length);
      }
      const expected = messages.map(({ payload }) => message(BINARY, payload));
      assert.deepEqual(feeder.events, expected);
      assert.equal(feeder.partial, undefined);
    },
  );
  fc.assert(property, { seed: testSeed(), numRuns: propertyRuns(200, 20_000) });
});
