/**
 * Frames there and back, and what is wrong with those that are no frames. Nothing that a peer can
 * send makes the decoder throw, and it never reads past the frame.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { propertyRuns, testSeed } from "../../test/support/seed.ts";
import { BINARY } from "../core/opcode.ts";
import { FrameWriter } from "./body.ts";
import { decodeGatewayFrame, decodeServiceFrame } from "./decode.ts";
import { isFault } from "./fault.ts";
import * as frames from "./frame.ts";
import {
  anyByte,
  anyFrame,
  decode,
  encode,
  frameTypes,
  gatewayFrames,
  serviceFrames,
  standing,
} from "./frames.test.helper.ts";

const runs = { seed: testSeed(), numRuns: propertyRuns(100, 20_000) };
const types = [...frameTypes.values()];

function faultOf(frame: object): string {
  assert.ok(isFault(frame), `is whole: ${JSON.stringify(frame)}`);
  assert.match(frame.sentence, /^[a-z].*[^.]$/);
  return frame.fault;
}

describe("a frame there and back", () => {
  test("is the same, whatever is in it", () => {
    for (const kind of [...gatewayFrames, ...serviceFrames] as fc.Arbitrary<frames.Frame>[]) {
      const property = fc.property(kind, (frame) => {
        const bytes = encode(frame);
        assert.equal(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0), bytes.length - 4);
        assert.deepEqual(standing(decode(bytes, 4)), standing(frame));
      });
      fc.assert(property, runs);
    }
  });

  test("is tried with every type that there is", () => {
    const tried = new Set<number>();
    for (const kind of [...gatewayFrames, ...serviceFrames] as fc.Arbitrary<frames.Frame>[]) {
      for (const { type } of fc.sample(kind, { seed: testSeed(), numRuns: 40 })) tried.add(type);
    }
    assert.equal(types.length, 24);
    assert.deepEqual(
      types.filter((type) => !tried.has(type)),
      [],
    );
  });

  test("is found where it lies, between other bytes", () => {
    const property = fc.property(
      anyFrame,
      fc.uint8Array(),
      fc.uint8Array(),
      (frame, left, right) => {
        const body = encode(frame).subarray(4);
        const bytes = Buffer.concat([left, body, right]);
        const decoded = decode(bytes, left.length, left.length + body.length);
        assert.deepEqual(standing(decoded), standing(frame));
      },
    );
    fc.assert(property, runs);
  });

  test("keeps what looks like a byte order mark, and zeros", () => {
    const state = "\ufeffa\0b";
    const frame: frames.State = { type: frames.STATE, channel: 1, connectionState: state };
    assert.deepEqual(decode(encode(frame), 4), frame);
  });
});

/** Frames without payload end where they end; those with one may lose some of it. */
function hasPayload(frame: frames.Frame): boolean {
  return "bytes" in frame;
}

describe("a frame that is none", () => {
  test("is cut short, wherever it ends within its fields", () => {
    const property = fc.property(anyFrame, (frame) => {
      const body = encode(frame).subarray(4);
      const payloadBytes = "bytes" in frame ? frame.end - frame.start : 0;
      for (let end = 1; end < body.length - payloadBytes; end += 1) {
        assert.equal(faultOf(decode(body, 0, end)), "frame-cut-short");
      }
    });
    fc.assert(property, runs);
  });

  test("has bytes behind its last field", () => {
    const property = fc.property(anyFrame, fc.uint8Array({ minLength: 1 }), (frame, more) => {
      fc.pre(!hasPayload(frame));
      const body = Buffer.concat([encode(frame).subarray(4), more]);
      assert.equal(faultOf(decode(body)), "frame-too-long");
    });
    fc.assert(property, runs);
  });

  test("has no type at all", () => {
    for (const decodeFrame of [decodeGatewayFrame, decodeServiceFrame]) {
      assert.equal(faultOf(decodeFrame(new Uint8Array(0), 0, 0)), "frame-cut-short");
      assert.equal(faultOf(decodeFrame(Uint8Array.of(0x0a, 0x4d), 1, 1)), "frame-cut-short");
    }
  });

  test("has a type that this side does not send", () => {
    const known = new Set(types);
    for (let type = 0; type < 256; type += 1) {
      const body = Uint8Array.of(type);
      const fromGateway = known.has(type) && type < 0x40;
      const fromService = known.has(type) && type >= 0x40;
      if (!fromGateway) {
        assert.equal(faultOf(decodeGatewayFrame(body, 0, 1)), "unknown-type");
      }
      if (!fromService) {
        assert.equal(faultOf(decodeServiceFrame(body, 0, 1)), "unknown-type");
      }
    }
  });

  test("has a text that is not UTF-8", () => {
    const texts = ["80", "c3", "c080", "eda080", "f4908080", "41ff", "e282"];
    for (const text of texts) {
      const bytes = Buffer.from(text, "hex");
      const body = Buffer.concat([Buffer.of(frames.STATE, 0, 0, 0, 1, 0, bytes.length), bytes]);
      assert.equal(faultOf(decode(body)), "not-utf8", text);
    }
  });

  test("has a value that its field cannot have", () => {
    const hello = { type: frames.HELLO, version: 1, gateway: "", hub: "", nonce: "" } as const;
    const ofHello = encode({ ...hello, frameBytesMax: 1, signature: "" });
    assert.equal(faultOf(changed(ofHello, 5, 0)), "wrong-value");
    const connected = encode({ type: frames.CONNECTED, channel: 1, timeMs: 0 });
    assert.equal(faultOf(changed(connected, 10, 0x20)), "wrong-value");
    const result = { type: frames.RESULT, request: 1, matched: 0, dropped: 0, error: "" } as const;
    assert.equal(faultOf(decode(encode({ ...result, status: 2 }), 4)), "wrong-value");
    const empty = { bytes: new Uint8Array(0), start: 0, end: 0 };
    const answer = { type: frames.CONNECT_ANSWER, request: 1, contentType: "" } as const;
    for (const status of [0, 100, 199, 600, 65_535]) {
      const frame = { ...answer, connectionState: "", status, ...empty };
      assert.equal(faultOf(decode(encode(frame), 4)), "wrong-value");
    }
    const reject = { type: frames.REJECT, channel: 1, retryAfterMs: 0, cause: "" } as const;
    for (const kind of [0, 4, 255]) {
      assert.equal(faultOf(decode(encode({ ...reject, kind }), 4)), "wrong-value");
    }
  });

  test("is a command with a verb, target or opcode that there is not", () => {
    const bytes = encode({
      type: frames.COMMAND,
      ...{ request: 1, verb: "send", target: "all", opcode: BINARY },
      ...{ name: "", argument: "", pushId: "", excluded: [] },
      ...{ bytes: new Uint8Array(0), start: 0, end: 0 },
    });
    assert.equal(faultOf(changed(bytes, 9, frames.verbs.length)), "wrong-value");
    assert.equal(faultOf(changed(bytes, 10, frames.targets.length)), "wrong-value");
    for (const opcode of [0, 3, 8]) {
      assert.equal(faultOf(changed(bytes, 11, opcode)), "wrong-value");
    }
    const countAt = bytes.length - 2;
    assert.equal(faultOf(changed(bytes, countAt, 0xff)), "frame-cut-short");
  });

  test("is named whatever its bytes are, and nothing is thrown", () => {
    const first = fc.oneof(anyByte, fc.constantFrom(...types));
    const property = fc.property(first, fc.uint8Array({ maxLength: 300 }), (type, rest) => {
      const body = Buffer.concat([Uint8Array.of(type), rest]);
      for (const decodeFrame of [decodeGatewayFrame, decodeServiceFrame]) {
        const frame = decodeFrame(body, 0, body.length);
        // What is whole says the same when it is written again.
        if (isFault(frame)) faultOf(frame);
        else assert.deepEqual(Buffer.from(encode(frame).subarray(4)), body);
      }
    });
    fc.assert(property, { ...runs, numRuns: 5 * runs.numRuns });
  });

  test("is named when one byte of a frame is another", () => {
    const property = fc.property(anyFrame, fc.nat(), anyByte, (frame, place, byte) => {
      const body = Buffer.from(encode(frame).subarray(4));
      body[place % body.length] = byte;
      const read = decode(body);
      if (isFault(read)) faultOf(read);
      else assert.deepEqual(Buffer.from(encode(read).subarray(4)), body);
    });
    fc.assert(property, runs);
  });
});

/** What is read when the byte at `at` is another one. */
function changed(bytes: Uint8Array, at: number, byte: number): object {
  const copy = Uint8Array.from(bytes);
  copy[at] = byte;
  return decode(copy, 4);
}

test("a frame does not fit its limits only by a bug, which is not sent", () => {
  const long = { type: frames.STATE, channel: 1, connectionState: "x".repeat(65_536) } as const;
  assert.throws(() => encode(long), /a text of 65536 bytes has no place in a frame/);
  const wide = { ...long, connectionState: "é".repeat(32_768) };
  assert.throws(() => encode(wide), /a text of 65536 bytes/);
  const fits = { ...long, connectionState: `x${"é".repeat(32_767)}` };
  assert.deepEqual(decode(encode(fits), 4), fits);
  const excluded = new Array<string>(frames.EXCLUDED_MAX).fill("");
  const command = {
    type: frames.COMMAND,
    ...({ request: 0, verb: "send", target: "all", opcode: BINARY } as const),
    ...{ name: "", argument: "", pushId: "" },
    ...{ bytes: new Uint8Array(0), start: 0, end: 0 },
  } as const;
  assert.deepEqual(
    standing(decode(encode({ ...command, excluded }), 4)),
    standing({ ...command, excluded }),
  );
  const more = [...excluded, ""];
  assert.throws(() => encode({ ...command, excluded: more }), /65536 excluded ids have no place/);
  assert.equal(new FrameWriter().take().length, 0);
});
