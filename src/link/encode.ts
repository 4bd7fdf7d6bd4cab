/**
 * The bytes of each frame. What stands before a message, which is written most often, has a
 * function of its own, without an object. It does not look at how large a frame becomes.
 */
import assert from "node:assert/strict";
import { TEXT } from "../core/opcode.ts";
import { type FrameWriter, putU32, putU64 } from "./body.ts";
import {
  ACKNOWLEDGE,
  ANSWER_BINARY,
  ANSWER_TEXT,
  CLOSE,
  COMMAND,
  CONNECT,
  CONNECT_ANSWER,
  CONNECTED,
  type Command,
  CREDIT,
  DISCONNECTED,
  EXCLUDED_MAX,
  type Frame,
  GATEWAY_GOODBYE,
  HELLO,
  LENGTH_BYTES,
  MAGIC,
  MESSAGE_BINARY,
  MESSAGE_TEXT,
  OPEN,
  PING,
  PONG,
  REJECT,
  RESULT,
  SEND_BINARY,
  SEND_TEXT,
  SERVICE_GOODBYE,
  type ServiceFrame,
  STATE,
  targets,
  verbs,
  WELCOME,
} from "./frame.ts";

/** Before a message's payload: length, type, channel, number, time. */
export const MESSAGE_HEADER_BYTES = LENGTH_BYTES + 1 + 4 + 4 + 8;

/** What stands before the payload of a message. */
export function writeMessageHeader(
  into: Uint8Array,
  at: number,
  opcode: number,
  channel: number,
  number: number,
  timeMs: number,
  payloadBytes: number,
): void {
  putU32(into, at, MESSAGE_HEADER_BYTES - LENGTH_BYTES + payloadBytes);
  into[at + 4] = opcode === TEXT ? MESSAGE_TEXT : MESSAGE_BINARY;
  putU32(into, at + 5, channel);
  putU32(into, at + 9, number);
  putU64(into, at + 13, timeMs);
}

export function writeFrame(writer: FrameWriter, frame: Frame): void {
  writer.begin(frame.type);
  writeBody(writer, frame);
  writer.end();
}

function writeBody(writer: FrameWriter, frame: Frame): void {
  switch (frame.type) {
    case HELLO:
      writer.u32(MAGIC).u16(frame.version).text(frame.gateway).text(frame.hub);
      writer.text(frame.nonce).u32(frame.frameBytesMax).text(frame.signature);
      return;
    case CONNECT:
      writer.u32(frame.request).u64(frame.timeMs).text(frame.connectionId);
      writer.text(frame.traceparent).text(frame.tracestate).payload(frame);
      return;
    case OPEN:
      writer.u32(frame.channel).text(frame.connectionId).text(frame.userId);
      writer.text(frame.subprotocol).text(frame.connectionState);
      return;
    case CONNECTED:
      writer.u32(frame.channel).u64(frame.timeMs);
      return;
    case MESSAGE_TEXT:
    case MESSAGE_BINARY:
      writer.u32(frame.channel).u32(frame.number).u64(frame.timeMs).payload(frame);
      return;
    case DISCONNECTED:
      writer.u32(frame.channel).u64(frame.timeMs).u16(frame.code).text(frame.reason);
      return;
    case PING:
      writer.u32(frame.token);
      return;
    case RESULT:
      writer.u32(frame.request).u8(frame.status).u32(frame.matched).u32(frame.dropped);
      writer.text(frame.error);
      return;
    case GATEWAY_GOODBYE:
      return;
    case CLOSE:
      writer.u32(frame.channel);
      return;
    default:
      writeServiceBody(writer, frame);
  }
}

function writeServiceBody(writer: FrameWriter, frame: ServiceFrame): void {
  switch (frame.type) {
    case WELCOME:
      writer.u16(frame.version).u32(frame.eventsMax).u32(frame.bytesMax).u32(frame.frameBytesMax);
      return;
    case CONNECT_ANSWER:
      writer.u32(frame.request).u16(frame.status).text(frame.contentType);
      writer.text(frame.connectionState).payload(frame);
      return;
    case ACKNOWLEDGE:
      writer.u32(frame.channel).u32(frame.events);
      return;
    case ANSWER_TEXT:
    case ANSWER_BINARY:
    case SEND_TEXT:
    case SEND_BINARY:
      writer.u32(frame.channel).payload(frame);
      return;
    case REJECT:
      writer.u32(frame.channel).u8(frame.kind).u32(frame.retryAfterMs).text(frame.cause);
      return;
    case STATE:
      writer.u32(frame.channel).text(frame.connectionState);
      return;
    case COMMAND:
      writeCommand(writer, frame);
      return;
    case CREDIT:
      writer.u32(frame.eventsMax).u32(frame.bytesMax);
      return;
    case PONG:
      writer.u32(frame.token);
      return;
    case SERVICE_GOODBYE:
      return;
  }
}

function writeCommand(writer: FrameWriter, command: Command): void {
  const { request, verb, target, opcode, name, argument, pushId, excluded } = command;
  assert(excluded.length <= EXCLUDED_MAX, `${excluded.length} excluded ids have no place`);
  writer.u32(request).u8(verbs.indexOf(verb)).u8(targets.indexOf(target)).u8(opcode);
  writer.text(name).text(argument).text(pushId).u16(excluded.length);
  for (const connectionId of excluded) writer.text(connectionId);
  writer.payload(command);
}
