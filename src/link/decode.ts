/**
 * A frame out of its bytes, or the fault that is in them. Each side takes only what the other may
 * send; whether it may be sent just then is for the sides to judge.
 */
import { BINARY, TEXT } from "../core/opcode.ts";
import { BodyReader } from "./body.ts";
import type { LinkFault } from "./fault.ts";
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
  GATEWAY_GOODBYE,
  type GatewayFrame,
  HELLO,
  MAGIC,
  MESSAGE_BINARY,
  MESSAGE_TEXT,
  OPEN,
  PING,
  PONG,
  REJECT,
  REJECT_HELD,
  REJECT_REFUSED,
  RESULT,
  RESULT_FAILED,
  SEND_BINARY,
  SEND_TEXT,
  SERVICE_GOODBYE,
  type ServiceFrame,
  STATE,
  targets,
  verbs,
  WELCOME,
} from "./frame.ts";

const STATUS_MIN = 200;
const STATUS_MAX = 599;

/** The type stands at `start`. */
export function decodeGatewayFrame(
  bytes: Uint8Array,
  start: number,
  end: number,
): GatewayFrame | LinkFault {
  const body = new BodyReader(bytes, start, end);
  const type = body.u8();
  const frame = readGatewayBody(type, body);
  if (frame === undefined) return body.fault ?? unknownType(type, "gateway");
  body.finish();
  return body.fault ?? frame;
}

export function decodeServiceFrame(
  bytes: Uint8Array,
  start: number,
  end: number,
): ServiceFrame | LinkFault {
  const body = new BodyReader(bytes, start, end);
  const type = body.u8();
  const frame = readServiceBody(type, body);
  if (frame === undefined) return body.fault ?? unknownType(type, "service");
  body.finish();
  return body.fault ?? frame;
}

function unknownType(type: number, side: string): LinkFault {
  const hex = `0x${type.toString(16).padStart(2, "0")}`;
  return { fault: "unknown-type", sentence: `a ${side} sends no frame of type ${hex}` };
}

function readGatewayBody(type: number, body: BodyReader): GatewayFrame | undefined {
  switch (type) {
    case HELLO: {
      if (body.u32() !== MAGIC) body.wrong("a HELLO does not begin with HGLK");
      const [version, gateway, hub] = [body.u16(), body.text(), body.text()];
      const [nonce, frameBytesMax, signature] = [body.text(), body.u32(), body.text()];
      return { type, version, gateway, hub, nonce, frameBytesMax, signature };
    }
    case CONNECT: {
      const [request, timeMs, connectionId] = [body.u32(), body.u64(), body.text()];
      const [traceparent, tracestate] = [body.text(), body.text()];
      const named = { connectionId, traceparent, tracestate };
      return { type, request, timeMs, ...named, ...body.payload() };
    }
    case OPEN: {
      const [channel, connectionId, userId] = [body.u32(), body.text(), body.text()];
      const [subprotocol, connectionState] = [body.text(), body.text()];
      return { type, channel, connectionId, userId, subprotocol, connectionState };
    }
    case CONNECTED:
      return { type, channel: body.u32(), timeMs: body.u64() };
    case MESSAGE_TEXT:
    case MESSAGE_BINARY: {
      const [channel, number, timeMs] = [body.u32(), body.u32(), body.u64()];
      const { bytes, start, end } = body.payload();
      return { type, channel, number, timeMs, bytes, start, end };
    }
    case DISCONNECTED: {
      const [channel, timeMs, code, reason] = [body.u32(), body.u64(), body.u16(), body.text()];
      return { type, channel, timeMs, code, reason };
    }
    case PING:
      return { type, token: body.u32() };
    case RESULT: {
      const [request, status, matched] = [body.u32(), body.u8(), body.u32()];
      if (status > RESULT_FAILED) body.wrong(`${status} is no status of a RESULT`);
      return { type, request, status, matched, dropped: body.u32(), error: body.text() };
    }
    case GATEWAY_GOODBYE:
      return { type };
    case CLOSE:
      return { type, channel: body.u32() };
    default:
      return undefined;
  }
}

function readServiceBody(type: number, body: BodyReader): ServiceFrame | undefined {
  switch (type) {
    case WELCOME: {
      const [version, eventsMax, bytesMax] = [body.u16(), body.u32(), body.u32()];
      return { type, version, eventsMax, bytesMax, frameBytesMax: body.u32() };
    }
    case CONNECT_ANSWER: {
      const [request, status] = [body.u32(), body.u16()];
      if (status < STATUS_MIN || status > STATUS_MAX) body.wrong(`${status} is no status`);
      const [contentType, connectionState] = [body.text(), body.text()];
      return { type, request, status, contentType, connectionState, ...body.payload() };
    }
    case ACKNOWLEDGE:
      return { type, channel: body.u32(), events: body.u32() };
    case ANSWER_TEXT:
    case ANSWER_BINARY:
    case SEND_TEXT:
    case SEND_BINARY: {
      const channel = body.u32();
      const { bytes, start, end } = body.payload();
      return { type, channel, bytes, start, end };
    }
    case REJECT: {
      const [channel, kind, retryAfterMs, cause] = [body.u32(), body.u8(), body.u32(), body.text()];
      if (kind < REJECT_HELD || kind > REJECT_REFUSED) body.wrong(`${kind} is no kind of REJECT`);
      return { type, channel, kind, retryAfterMs, cause };
    }
    case STATE:
      return { type, channel: body.u32(), connectionState: body.text() };
    case COMMAND:
      return readCommand(body);
    case CREDIT:
      return { type, eventsMax: body.u32(), bytesMax: body.u32() };
    case PONG:
      return { type, token: body.u32() };
    case SERVICE_GOODBYE:
      return { type };
    default:
      return undefined;
  }
}

function readCommand(body: BodyReader): Command {
  const [request, verbIndex, targetIndex, opcode] = [body.u32(), body.u8(), body.u8(), body.u8()];
  const [verb, target] = [verbs[verbIndex], targets[targetIndex]];
  if (verb === undefined) body.wrong(`${verbIndex} is no verb`);
  if (target === undefined) body.wrong(`${targetIndex} is no target`);
  if (opcode !== TEXT && opcode !== BINARY) body.wrong(`${opcode} is no opcode of a message`);
  const [name, argument, pushId] = [body.text(), body.text(), body.text()];
  const excluded: string[] = [];
  for (let left = body.u16(); left > 0 && body.fault === undefined; left -= 1) {
    excluded.push(body.text());
  }
  return {
    type: COMMAND,
    request,
    verb: verb ?? "exists",
    target: target ?? "all",
    name,
    opcode: opcode === TEXT ? TEXT : BINARY,
    argument,
    pushId,
    excluded,
    ...body.payload(),
  };
}
