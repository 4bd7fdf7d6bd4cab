/**
 * The frames of the link between a gateway's worker and one instance of a service: their types,
 * their fields and their bytes. A frame is a length (u32, which counts what is behind it), a type
 * (u8) and a body; numbers are big-endian. Pure: it opens no socket and keeps no state.
 */
import type { MessageOpcode } from "../core/opcode.ts";

export const VERSION = 1;
/** The first four bytes of a HELLO's body: "HGLK". */
export const MAGIC = 0x48474c4b;
/** A frame's length, which counts neither itself nor anything but its type and body. */
export const LENGTH_BYTES = 4;
/** A name or a text in a frame: two bytes of length before it. */
export const TEXT_BYTES_MAX = 0xffff;
/** Connection ids that a COMMAND can leave out: two bytes of count before them. */
export const EXCLUDED_MAX = 0xffff;

/** Types of frames; below 0x40 the gateway sends them, from there on the service. */
export const HELLO = 0x01;
export const CONNECT = 0x02;
export const OPEN = 0x03;
export const CONNECTED = 0x04;
export const MESSAGE_TEXT = 0x05;
export const MESSAGE_BINARY = 0x06;
export const DISCONNECTED = 0x07;
export const PING = 0x08;
export const RESULT = 0x09;
export const GATEWAY_GOODBYE = 0x0a;
export const CLOSE = 0x0b;
export const WELCOME = 0x41;
export const CONNECT_ANSWER = 0x42;
export const ACKNOWLEDGE = 0x43;
export const ANSWER_TEXT = 0x44;
export const ANSWER_BINARY = 0x45;
export const REJECT = 0x46;
export const STATE = 0x47;
export const SEND_TEXT = 0x48;
export const SEND_BINARY = 0x49;
export const COMMAND = 0x4a;
export const CREDIT = 0x4b;
export const PONG = 0x4c;
export const SERVICE_GOODBYE = 0x4d;

/** What a REJECT says of the event: as a service over HTTP would by 503, 500 and 400. */
export const REJECT_HELD = 1;
export const REJECT_FAILED = 2;
export const REJECT_REFUSED = 3;

/** What a COMMAND does, and to whom; as the commands of the bus. */
export const verbs = ["send", "close", "join", "leave", "leave-all", "exists"] as const;
export const targets = ["connection", "user", "group", "all"] as const;
export type Verb = (typeof verbs)[number];
export type TargetKind = (typeof targets)[number];

/** What a RESULT says: done, or why not. */
export const RESULT_DONE = 0;
export const RESULT_FAILED = 1;

/** Bytes of a frame's payload: valid as long as what they were read from. */
export interface Payload {
  bytes: Uint8Array;
  start: number;
  end: number;
}

export interface Hello {
  type: typeof HELLO;
  version: number;
  /** The gateway's name: what HTTP has in `WebHook-Request-Origin`. */
  gateway: string;
  hub: string;
  /** What the worker's connection ids begin with. */
  nonce: string;
  /** The largest length of a frame that the gateway takes. */
  frameBytesMax: number;
  /** `t=…,v1=…`, or empty where the hub has no signing keys. */
  signature: string;
}

export interface Connect extends Payload {
  type: typeof CONNECT;
  request: number;
  timeMs: number;
  connectionId: string;
  traceparent: string;
  tracestate: string;
}

export interface Open {
  type: typeof OPEN;
  channel: number;
  connectionId: string;
  userId: string;
  subprotocol: string;
  connectionState: string;
}

export interface Connected {
  type: typeof CONNECTED;
  channel: number;
  timeMs: number;
}

export interface Message extends Payload {
  type: typeof MESSAGE_TEXT | typeof MESSAGE_BINARY;
  channel: number;
  number: number;
  timeMs: number;
}

export interface Disconnected {
  type: typeof DISCONNECTED;
  channel: number;
  timeMs: number;
  code: number;
  reason: string;
}

export interface Ping {
  type: typeof PING | typeof PONG;
  token: number;
}

export interface Result {
  type: typeof RESULT;
  request: number;
  status: number;
  matched: number;
  dropped: number;
  /** Empty when it is done. */
  error: string;
}

/** The gateway gave the channel up: what is under way on it comes again on another one. */
export interface Close {
  type: typeof CLOSE;
  channel: number;
}

export interface Goodbye {
  type: typeof GATEWAY_GOODBYE | typeof SERVICE_GOODBYE;
}

export interface Welcome {
  type: typeof WELCOME;
  version: number;
  /** How many events, with how many bytes of payload, may be unacknowledged on the link. */
  eventsMax: number;
  bytesMax: number;
  frameBytesMax: number;
}

export interface ConnectAnswer extends Payload {
  type: typeof CONNECT_ANSWER;
  request: number;
  status: number;
  contentType: string;
  connectionState: string;
}

/** Of the oldest events of a channel that are not acknowledged yet. */
export interface Acknowledge {
  type: typeof ACKNOWLEDGE;
  channel: number;
  events: number;
}

/** Acknowledges the oldest, and sends the client something. */
export interface Answer extends Payload {
  type: typeof ANSWER_TEXT | typeof ANSWER_BINARY;
  channel: number;
}

export interface Reject {
  type: typeof REJECT;
  channel: number;
  kind: number;
  retryAfterMs: number;
  cause: string;
}

export interface State {
  type: typeof STATE;
  channel: number;
  connectionState: string;
}

export interface Send extends Payload {
  type: typeof SEND_TEXT | typeof SEND_BINARY;
  channel: number;
}

export interface Command extends Payload {
  type: typeof COMMAND;
  /** 0: no RESULT is wanted. */
  request: number;
  verb: Verb;
  target: TargetKind;
  /** A connection id, a user or a group; empty for all. */
  name: string;
  opcode: MessageOpcode;
  /** The group of a join or leave, or the reason of a close. */
  argument: string;
  pushId: string;
  excluded: string[];
}

export interface Credit {
  type: typeof CREDIT;
  eventsMax: number;
  bytesMax: number;
}

export type GatewayFrame =
  | Hello
  | Connect
  | Open
  | Connected
  | Message
  | Disconnected
  | (Ping & { type: typeof PING })
  | Result
  | (Goodbye & { type: typeof GATEWAY_GOODBYE })
  | Close;

export type ServiceFrame =
  | Welcome
  | ConnectAnswer
  | Acknowledge
  | Answer
  | Reject
  | State
  | Send
  | Command
  | Credit
  | (Ping & { type: typeof PONG })
  | (Goodbye & { type: typeof SERVICE_GOODBYE });

export type Frame = GatewayFrame | ServiceFrame;
