/**
 * The codec against docs/link-vectors.json, which implementations in other languages are held to
 * as well: fields to bytes, bytes to fields, bytes to faults.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { decodeGatewayFrame, decodeServiceFrame } from "./decode.ts";
import { isFault, type LinkFault } from "./fault.ts";
import { type Frame, VERSION, WELCOME } from "./frame.ts";
import { encode, frameTypes, standing } from "./frames.test.helper.ts";
import { FrameSplitter } from "./splitter.ts";

interface Vector {
  name: string;
  from: "gateway" | "service";
  bytes: string;
}
type FrameVector = Vector & { frame: Record<string, unknown> };
type FaultVector = Vector & { fault: LinkFault["fault"] };

const file = new URL("../../../docs/link-vectors.json", import.meta.url);
const { version, frameBytesMax, frames, faults } = JSON.parse(readFileSync(file, "utf8")) as {
  version: number;
  frameBytesMax: number;
  frames: FrameVector[];
  faults: FaultVector[];
};

/** The fields as the vectors have them: the type by its name, the payload in hex. */
function named(frame: Frame | LinkFault): object {
  if (isFault(frame)) return frame;
  const [name] = [...frameTypes].find(([, type]) => type === frame.type) ?? [];
  return { ...standing(frame), type: name };
}

function frameOf({ frame: { type, payload, ...fields } }: FrameVector): Frame {
  const number = frameTypes.get(type as string);
  if (payload === undefined) return { ...fields, type: number } as Frame;
  const bytes = Buffer.from(payload as string, "hex");
  return { ...fields, type: number, bytes, start: 0, end: bytes.length } as unknown as Frame;
}

/** What a stream of one frame is to a receiver of frames of this side. */
function read({ from, bytes }: Vector): Frame | LinkFault {
  const decodeFrame = from === "gateway" ? decodeGatewayFrame : decodeServiceFrame;
  const stream = Buffer.from(bytes, "hex");
  let read: Frame | LinkFault | undefined;
  const fault = new FrameSplitter(frameBytesMax).push(stream, 0, stream.length, (...body) => {
    assert.equal(read, undefined, "more than one frame");
    read = decodeFrame(...body);
    return undefined;
  });
  assert.ok(fault !== undefined || read !== undefined, "not a whole frame");
  return fault ?? (read as Frame | LinkFault);
}

describe("of the vectors", () => {
  for (const vector of frames) {
    test(`${vector.name} has these bytes, and these fields`, () => {
      assert.equal(Buffer.from(encode(frameOf(vector))).toString("hex"), vector.bytes);
      assert.deepEqual(named(read(vector)), vector.frame);
    });
  }
  for (const vector of faults) {
    test(`${vector.name}, from a ${vector.from}, is ${vector.fault}`, () => {
      const frame = read(vector);
      assert.ok(isFault(frame), JSON.stringify(named(frame)));
      assert.equal(frame.fault, vector.fault);
    });
  }
});

test("the vectors have every type, from its side, and are of this version", () => {
  const sides = new Map(frames.map(({ from, frame }) => [frame.type, from]));
  const expected = [...frameTypes].map(([name, type]): [string, string] => [
    name,
    type < WELCOME ? "gateway" : "service",
  ]);
  assert.deepEqual([...sides].sort(), expected.sort());
  assert.equal(version, VERSION);
});

test("the vectors have every fault that a frame by itself can have", () => {
  const found = [...new Set(faults.map(({ fault }) => fault))].sort();
  const expected = ["frame-cut-short", "frame-too-large", "frame-too-long"];
  assert.deepEqual(found, [...expected, "not-utf8", "unknown-type", "wrong-value"]);
});

test("all vectors in one stream are the same frames, in single bytes too", () => {
  for (const from of ["gateway", "service"]) {
    const ofSide = frames.filter((vector) => vector.from === from);
    const stream = Buffer.from(ofSide.map(({ bytes }) => bytes).join(""), "hex");
    const splitter = new FrameSplitter(frameBytesMax);
    const bodies: string[] = [];
    for (let at = 0; at < stream.length; at += 1) {
      splitter.push(stream, at, at + 1, (bytes, start, end) => {
        bodies.push(Buffer.from(bytes.subarray(start, end)).toString("hex"));
        return undefined;
      });
    }
    assert.deepEqual(
      bodies,
      ofSide.map(({ bytes }) => bytes.slice(8)),
    );
  }
});
