import assert from "node:assert/strict";
import { test } from "node:test";
import { serverFrame } from "./bench.test.helper.ts";
import {
  CLOSE,
  FAULT,
  MESSAGE,
  MORE,
  PING,
  PONG,
  ServerFrames,
  type UnfinishedFrames,
} from "./server-frames.ts";

const NAMES = { [MESSAGE]: "message", [PING]: "ping", [PONG]: "pong", [CLOSE]: "close" } as const;
const BYTES_MAX = 100_000;

/** What a reader says of a stream that comes in these pieces. */
function read(stream: Buffer, cuts: number[]): string[] {
  const frames = new ServerFrames();
  const events: string[] = [];
  let unfinished: UnfinishedFrames | undefined;
  let offset = 0;
  for (const end of [...cuts, stream.length]) {
    // A copy that is overwritten afterwards, as the arena is.
    const piece = Buffer.from(stream.subarray(offset, end));
    frames.unfinished = unfinished;
    let event = frames.next(piece, 0, piece.length, BYTES_MAX);
    while (event !== MORE) {
      if (event === FAULT) return [...events, `fault ${frames.fault}`];
      const { payload, payloadOffset, payloadLength, opcode, closeCode } = frames;
      const text = Buffer.from(payload)
        .subarray(payloadOffset, payloadOffset + payloadLength)
        .toString("latin1");
      events.push(`${NAMES[event]} ${opcode} ${event === CLOSE ? closeCode : text}`);
      if (event === CLOSE) return events;
      event = frames.next(piece, frames.position, piece.length, BYTES_MAX);
    }
    unfinished = frames.unfinished;
    piece.fill(0xdb);
    offset = end;
  }
  if (unfinished !== undefined) events.push("unfinished");
  return events;
}

const long = "x".repeat(300);
const stream = Buffer.concat([
  serverFrame(1, "hello"),
  serverFrame(9, "are you there"),
  serverFrame(2, long),
  serverFrame(1, "in ", false),
  serverFrame(10, ""),
  serverFrame(0, "three ", false),
  serverFrame(9, "!"),
  serverFrame(0, "pieces"),
  serverFrame(2, ""),
  serverFrame(8, Buffer.concat([Buffer.from([0x03, 0xe9]), Buffer.from("bye")])),
  serverFrame(1, "behind the close"),
]);
const told = [
  "message 1 hello",
  "ping 9 are you there",
  `message 2 ${long}`,
  "pong 10 ",
  "ping 9 !",
  "message 1 in three pieces",
  "message 2 ",
  "close 8 1001",
];

test("messages, control frames between fragments and a close are read in their order", () => {
  assert.deepEqual(read(stream, []), told);
});

test("a stream is read alike however it is cut in two, and byte by byte", () => {
  for (let cut = 1; cut < stream.length; cut += 1) assert.deepEqual(read(stream, [cut]), told);
  assert.deepEqual(
    read(
      stream,
      Array.from({ length: stream.length - 1 }, (_, at) => at + 1),
    ),
    told,
  );
});

test("lengths of 16 and 64 bits are read in whatever pieces they come", () => {
  for (const length of [125, 126, 65_535, 65_536]) {
    const frame = serverFrame(2, "y".repeat(length));
    for (const cuts of [[], [1], [2], [3], [9], [11], [5000].filter((cut) => cut < length)]) {
      const [event = ""] = read(frame, cuts);
      assert.equal(event.length, "message 2 ".length + length);
    }
  }
});

test("what is not whole is neither told nor lost", () => {
  for (const length of [1, 2, 6]) {
    assert.deepEqual(read(serverFrame(1, "hello").subarray(0, length), []), ["unfinished"]);
  }
  assert.deepEqual(read(serverFrame(1, "begun", false), []), ["unfinished"]);
  assert.deepEqual(read(serverFrame(8, ""), []), ["close 8 1005"]);
});

const faults: [name: string, bytes: Uint8Array, fault: string][] = [
  ["a masked frame", Uint8Array.of(0x81, 0x80, 1, 2, 3, 4), "a masked frame"],
  ["a reserved bit", Uint8Array.of(0xc1, 0), "a reserved bit"],
  ["opcode 3", Uint8Array.of(0x83, 0), "a reserved opcode"],
  ["opcode 11", Uint8Array.of(0x8b, 0), "a reserved opcode"],
  ["a ping in pieces", Uint8Array.of(0x09, 0), "a control frame too long or in pieces"],
  ["a long ping", Uint8Array.of(0x89, 126, 0, 126), "a control frame too long or in pieces"],
  ["a fragment of nothing", Uint8Array.of(0x80, 0), "a fragment out of place"],
  ["a message in a message", Uint8Array.of(0x01, 0, 0x81, 0), "a fragment out of place"],
  [
    "too long",
    Uint8Array.of(0x82, 127, 0, 0, 0, 0, 0, 1, 0x86, 0xa1),
    "a message that is too long",
  ],
  ["a close of one byte", Uint8Array.of(0x88, 1, 3), "a close frame of one byte"],
];

for (const [name, bytes, fault] of faults) {
  test(`the server breaks a rule with ${name}, in one piece and in many`, () => {
    const cuts = Array.from({ length: bytes.length - 1 }, (_, at) => at + 1);
    assert.deepEqual(read(Buffer.from(bytes), []), [`fault ${fault}`]);
    assert.deepEqual(read(Buffer.from(bytes), cuts), [`fault ${fault}`]);
  });
}

test("fragments together may not be longer than a message", () => {
  const half = "z".repeat(BYTES_MAX / 2 + 1);
  const bytes = Buffer.concat([serverFrame(1, half, false), serverFrame(0, half)]);
  assert.deepEqual(read(bytes, []), ["fault a message that is too long"]);
});
