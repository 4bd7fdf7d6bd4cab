/**
 * A row of the table that the contract suite runs over: how a carrier's service is started, seen,
 * told what to answer and taken away, how the carrier is opened, and which promises it keeps.
 */
import type { RecordingLog } from "../../../test/support/recording-log.ts";
import type { HubLimits } from "../../config/configuration.ts";
import type { MessageOpcode } from "../../core/opcode.ts";
import type { EventName } from "../delivery/event.ts";
import type { Upstream, UpstreamCommand, UpstreamSink } from "../upstream.ts";

/** One delivery of an event, as its service sees it, whatever brought it there. */
export interface ReceivedEvent {
  kind: EventName;
  /** The same on every delivery; "" for connect, which is asked once. */
  id: string;
  connectionId: string;
  /** 0 for what is no message. */
  number: number;
  /** Of a message; empty otherwise. */
  bytes: Buffer;
  opcode: MessageOpcode | undefined;
  user: string | undefined;
  subprotocol: string | undefined;
  state: string | undefined;
  /** Of disconnected. */
  end: { reason: string; code: number } | undefined;
  /** Of connect. */
  handshake: Handshake | undefined;
}

export interface Handshake {
  path: string;
  params: Readonly<Record<string, string>>;
  query: Readonly<Record<string, readonly string[]>>;
  headers: Readonly<Record<string, readonly string[]>>;
  subprotocols: readonly string[];
  address: string;
}

/** What a service says of connected, a message or disconnected. */
export type Answer =
  | "taken"
  | "held"
  | "failed"
  | "refused"
  | { reply?: { opcode: MessageOpcode; bytes: Buffer }; state?: string };

export type ConnectReply =
  | { userId?: string; groups?: string[]; subprotocol?: string; connectionState?: string }
  | { status: number; body: string; contentType: string }
  /** It could not decide. */
  | "failed";

/** Those that not every carrier keeps. */
export type Promised =
  /** A message is held until it was acknowledged by somebody else. */
  | "waits"
  /** The service itself answers each event: reply, state, held, failed, refused. */
  | "verdicts"
  /** What was accepted while the service was away is there when it is back. */
  | "keeps"
  /** The service can push by itself. */
  | "pushes"
  /** How long events took is told. */
  | "measures"
  /** There is a length that the carrier refuses without asking its service. */
  | "bounds";

export interface ServiceSide {
  /** Every delivery, in the order in which it came. */
  readonly events: ReceivedEvent[];
  /** Only where `verdicts` is kept. */
  answer: (event: ReceivedEvent) => Answer | Promise<Answer>;
  /** Called for connect; one that never settles is a service that hangs. */
  answerConnect: (event: ReceivedEvent) => ConnectReply | Promise<ConnectReply>;
  /** Looks whether more has come, where the service is not told of it. */
  refresh(): Promise<void>;
  /** As a process that is killed: the service, or the broker where there is one. */
  goAway(): Promise<void>;
  /** At the same address. */
  comeBack(): Promise<void>;
  /** Nothing is taken until `thaw`, while connections stay. */
  freeze(): Promise<void>;
  thaw(): void;
  /** Undefined where `pushes` is not kept. */
  push: ((command: UpstreamCommand) => Promise<void>) | undefined;
  stop(): Promise<void>;
}

export interface OpenOptions {
  nonce: string;
  sink: UpstreamSink;
  log: RecordingLog;
  limits: HubLimits;
  /** What every carrier is told beside. */
  rules: typeof testRules;
}

export const testRules = {
  name: "gateway.example",
  signingKeys: [] as readonly string[],
  lifecycleQueueMax: 1000,
  connectionStateBytesMax: 256,
  nameBytesMax: 256,
  groupsPerConnectionMax: 8,
  pushBytesMax: 1024 * 1024,
};

export interface OpenCarrier {
  /** With the bytes of payload that it holds. */
  upstream: Upstream & { readonly heldBytes: number };
  /** The service, or the broker, can be reached as far as the carrier knows. */
  isUp(): boolean;
}

export interface Carrier {
  name: string;
  /** Why it cannot be tried here. */
  missing: string | false;
  /** As in `counts()`. */
  label: string;
  /** Why a promise is not kept: it is the reason by which its sentences are left out. */
  lacks: Readonly<Partial<Record<Promised, string>>>;
  /** The longest payload that is tried; one byte more is too long where `bounds` is kept. */
  payloadBytesMax: number;
  /** That are surely too many where `bounds` is kept. */
  payloadBytesTooMany: number;
  /** The service is there when this resolves. */
  start(): Promise<{ service: ServiceSide; open(options: OpenOptions): OpenCarrier }>;
}
