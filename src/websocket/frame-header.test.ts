import assert from "node:assert/strict";
import { test } from "node:test";
import { checkFrameHeader, decodeFrameHeader, FrameHeader } from "./frame-header.ts";
import { encodeClientFrame } from "./receiver.test.helper.ts";
import { LENGTH_NOT_MINIMAL } from "./violation.ts";

function decode(bytes: Uint8Array): FrameHeader {
  const header = new FrameHeader();
  assert(decodeFrameHeader(bytes, 0, bytes.length, header));
  return header;
}

test("every length that a header can announce is read", () => {
  const cases: [bigint, number, number][] = [
    [0n, 6, 0],
    [125n, 6, 125],
    [126n, 8, 126],
    [65535n, 8, 65535],
    [65536n, 14, 65536],
    [2n ** 31n, 14, 2 ** 31],
    [2n ** 32n + 5n, 14, 2 ** 32 + 5],
    [2n ** 53n - 1n, 14, Number.MAX_SAFE_INTEGER],
    [2n ** 53n, 14, Number.MAX_SAFE_INTEGER],
    [2n ** 63n - 1n, 14, Number.MAX_SAFE_INTEGER],
    [2n ** 63n, 14, Infinity],
    [2n ** 64n - 1n, 14, Infinity],
  ];
  for (const [announcedLength, headerBytes, length] of cases) {
    const header = decode(encodeClientFrame({ opcode: 2, payload: "", announcedLength }));
    assert.equal(header.length, length);
    assert.equal(header.headerBytes, headerBytes);
  }
});

test("a header is read only when all of it is there, wherever it stands", () => {
  for (const announcedLength of [5n, 300n, 70_000n]) {
    for (const masked of [true, false]) {
      const frame = encodeClientFrame({ opcode: 1, payload: "", announcedLength, masked });
      const bytes = new Uint8Array(40);
      bytes.set(frame, 9);
      const header = new FrameHeader();
      for (let length = 0; length < frame.length; length++) {
        assert.equal(decodeFrameHeader(bytes, 9, 9 + length, header), false);
      }
      assert.equal(decodeFrameHeader(bytes, 9, 9 + frame.length, header), true);
      assert.equal(header.length, Number(announcedLength));
      assert.equal(header.masked, masked);
    }
  }
});

test("the first byte's bits and the mask in the order of memory are read", () => {
  const key = [0x11, 0x22, 0x33, 0xf4] as const;
  const header = decode(encodeClientFrame({ opcode: 9, payload: "", fin: false, rsv: 5, key }));
  assert.deepEqual(
    { ...header },
    {
      fin: false,
      rsv: 5,
      opcode: 9,
      masked: true,
      length: 0,
      key: 0xf4332211 | 0,
      headerBytes: 6,
    },
  );
});

test("a used header keeps nothing of the frame before", () => {
  const header = new FrameHeader();
  const long = encodeClientFrame({ opcode: 2, payload: "", announcedLength: 2n ** 63n, rsv: 7 });
  assert(decodeFrameHeader(long, 0, long.length, header));
  const short = encodeClientFrame({ opcode: 1, payload: "" });
  assert(decodeFrameHeader(short, 0, short.length, header));
  assert.deepEqual({ ...header }, { ...decode(short) });
});

test("a length in more bytes than it needs is told from one that needs them", () => {
  for (const [announcedLength, lengthBytes, minimal] of [
    [125n, 2, false],
    [126n, 2, true],
    [65535n, 8, false],
    [65536n, 8, true],
  ] as const) {
    const frame = encodeClientFrame({ opcode: 2, payload: "", announcedLength, lengthBytes });
    const expected = minimal ? undefined : LENGTH_NOT_MINIMAL;
    assert.equal(checkFrameHeader(decode(frame), false, false), expected);
  }
});

test("all 16 opcodes pass or fail as the protocol says, inside a message and outside", () => {
  const passing = (fragmented: boolean) =>
    Array.from({ length: 16 }, (_, opcode) => opcode).filter((opcode) => {
      const header = decode(encodeClientFrame({ opcode, payload: "" }));
      return checkFrameHeader(header, fragmented, false) === undefined;
    });
  assert.deepEqual(passing(false), [1, 2, 8, 9, 10]);
  assert.deepEqual(passing(true), [0, 8, 9, 10]);
});
