/**
 * For tests: any frame that either side may send, as fast-check makes them, and frames to and from
 * their bytes. Payloads lie in the middle of something larger, as they do in a worker's arena.
 */
import fc from "fast-check";
import { BINARY, TEXT } from "../core/opcode.ts";
import { FrameWriter } from "./body.ts";
import { decodeGatewayFrame, decodeServiceFrame } from "./decode.ts";
import { writeFrame } from "./encode.ts";
import { isFault, type LinkFault } from "./fault.ts";
import * as frames from "./frame.ts";

/** Numbers in frame.ts that are no type of a frame. */
const NO_TYPE = /^(?:VERSION|MAGIC|LENGTH_BYTES|.*_MAX|(?:REJECT|RESULT)_.*)$/;

/** The types by the names that they have in frame.ts. */
export const frameTypes = new Map<string, number>(
  Object.entries(frames).flatMap(([name, value]) =>
    typeof value === "number" && !NO_TYPE.test(name) ? [[name, value]] : [],
  ),
);

export const anyByte = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.oneof(fc.maxSafeNat(), u32, fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32));
const text = fc.string({ unit: "binary", maxLength: 40 });

const payload: fc.Arbitrary<frames.Payload> = fc
  .tuple(fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 5 }), fc.nat({ max: 5 }))
  .map(([bytes, before, behind]) => ({
    bytes,
    start: Math.min(before, bytes.length),
    end: Math.max(bytes.length - behind, Math.min(before, bytes.length)),
  }));

/** Records of these fields; those with `withPayload` have a payload besides. */
function frame<Fields>(fields: { [Name in keyof Fields]: fc.Arbitrary<Fields[Name]> }) {
  return fc.record(fields, { noNullPrototype: true }) as unknown as fc.Arbitrary<Fields>;
}

function withPayload<Fields>(fields: { [Name in keyof Fields]: fc.Arbitrary<Fields[Name]> }) {
  return fc
    .tuple(frame<Fields>(fields), payload)
    .map(([rest, { bytes, start, end }]): Fields & frames.Payload => ({
      ...rest,
      ...{ bytes, start, end },
    }));
}

export const messages: fc.Arbitrary<frames.Message> = withPayload({
  type: fc.constantFrom(frames.MESSAGE_TEXT, frames.MESSAGE_BINARY),
  ...{ channel: u32, number: u32, timeMs: u64 },
});

export const gatewayFrames: fc.Arbitrary<frames.GatewayFrame>[] = [
  frame({
    type: fc.constant(frames.HELLO),
    ...{ version: u16, gateway: text, hub: text, nonce: text },
    ...{ frameBytesMax: u32, signature: text },
  }),
  withPayload({
    type: fc.constant(frames.CONNECT),
    ...{ request: u32, timeMs: u64, connectionId: text, traceparent: text, tracestate: text },
  }),
  frame({
    type: fc.constant(frames.OPEN),
    ...{ channel: u32, connectionId: text, userId: text, subprotocol: text, connectionState: text },
  }),
  frame({ type: fc.constant(frames.CONNECTED), channel: u32, timeMs: u64 }),
  messages,
  frame({
    type: fc.constant(frames.DISCONNECTED),
    ...{ channel: u32, timeMs: u64, code: u16, reason: text },
  }),
  frame({ type: fc.constant(frames.PING), token: u32 }),
  frame({
    type: fc.constant(frames.RESULT),
    status: fc.constantFrom(frames.RESULT_DONE, frames.RESULT_FAILED),
    ...{ request: u32, matched: u32, dropped: u32, error: text },
  }),
  frame({ type: fc.constant(frames.GATEWAY_GOODBYE) }),
  frame({ type: fc.constant(frames.CLOSE), channel: u32 }),
];

export const serviceFrames: fc.Arbitrary<frames.ServiceFrame>[] = [
  frame({
    type: fc.constant(frames.WELCOME),
    ...{ version: u16, eventsMax: u32, bytesMax: u32, frameBytesMax: u32 },
  }),
  withPayload({
    type: fc.constant(frames.CONNECT_ANSWER),
    status: fc.integer({ min: 200, max: 599 }),
    ...{ request: u32, contentType: text, connectionState: text },
  }),
  frame({ type: fc.constant(frames.ACKNOWLEDGE), channel: u32, events: u32 }),
  withPayload({
    type: fc.constantFrom(frames.ANSWER_TEXT, frames.ANSWER_BINARY),
    channel: u32,
  }),
  frame({
    type: fc.constant(frames.REJECT),
    kind: fc.constantFrom(frames.REJECT_HELD, frames.REJECT_FAILED, frames.REJECT_REFUSED),
    ...{ channel: u32, retryAfterMs: u32, cause: text },
  }),
  frame({ type: fc.constant(frames.STATE), channel: u32, connectionState: text }),
  withPayload({
    type: fc.constantFrom(frames.SEND_TEXT, frames.SEND_BINARY),
    channel: u32,
  }),
  withPayload({
    type: fc.constant(frames.COMMAND),
    verb: fc.constantFrom(...frames.verbs),
    target: fc.constantFrom(...frames.targets),
    opcode: fc.constantFrom(TEXT, BINARY),
    excluded: fc.array(text, { maxLength: 5 }),
    ...{ request: u32, name: text, argument: text, pushId: text },
  }),
  frame({ type: fc.constant(frames.CREDIT), eventsMax: u32, bytesMax: u32 }),
  frame({ type: fc.constant(frames.PONG), token: u32 }),
  frame({ type: fc.constant(frames.SERVICE_GOODBYE) }),
];

export const anyFrame: fc.Arbitrary<frames.Frame> = fc.oneof(...gatewayFrames, ...serviceFrames);

/** The frame with its length before it. */
export function encode(frame: frames.Frame): Uint8Array {
  const writer = new FrameWriter(1);
  writeFrame(writer, frame);
  return writer.take();
}

/** `type` and body. */
export function decode(bytes: Uint8Array, start = 0, end = bytes.length): frames.Frame | LinkFault {
  const isService = (bytes[start] as number) >= frames.WELCOME;
  return (isService ? decodeServiceFrame : decodeGatewayFrame)(bytes, start, end);
}

/** The same frame with a payload that is its own, so that two can be compared. */
export function standing(frame: frames.Frame | LinkFault): object {
  if (isFault(frame) || !("bytes" in frame)) return frame;
  const { bytes, start, end, ...fields } = frame;
  return { ...fields, payload: Buffer.from(bytes.subarray(start, end)).toString("hex") };
}
