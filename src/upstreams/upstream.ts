/**
 * What the gateway asks of the carrier that takes a hub's events to its service, and what the
 * carrier may ask of the gateway. Every carrier implements this, and the gateway treats all
 * alike; the echo: service is one of them.
 */
import type { MessageOpcode } from "../core/opcode.ts";
import type { UpstreamCounts } from "../metrics/worker-counts.ts";

/** `message` was dealt with before it returned. */
export const ACKNOWLEDGED = 0;
/** `message` was copied, and `acknowledged` or `fail` follows. */
export const HELD = 1;

export type MessageOutcome = typeof ACKNOWLEDGED | typeof HELD;

/** The question whether a client is let in. */
export interface ConnectRequest {
  connectionId: string;
  /** Without the query. */
  path: string;
  params: Readonly<Record<string, string>>;
  query: Record<string, string[]>;
  headers: Record<string, string[]>;
  subprotocols: readonly string[];
  /** The client's, without a port. */
  address: string;
}

export type ConnectAnswer =
  | {
      accepted: true;
      userId: string | undefined;
      groups: string[];
      subprotocol: string | undefined;
      connectionState: string | undefined;
    }
  | { accepted: false; status: number; contentType: string | undefined; body: Uint8Array };

/** What events say of the connection they are about. */
export interface ConnectionFacts {
  connectionId: string;
  userId: string | undefined;
  subprotocol: string | undefined;
  connectionState: string | undefined;
}

/**
 * One hub's carrier. A place (core/connection-id.ts) names a connection. Events of one place are
 * delivered in the order of the calls; those of different places go in parallel.
 */
export interface Upstream {
  /** What the messages take that are held until they are acknowledged, their payload included. */
  readonly heldMemoryBytes: number;
  /** For the metrics; undefined for carriers that leave nothing to count (echo:). */
  counts(): UpstreamCounts | undefined;
  /**
   * Asks the service; never rejects: no answer within `timeoutMs` is a refusal with 503. The
   * answer's shape has been checked (userId, groups and state are within their limits).
   */
  connect(request: ConnectRequest, timeoutMs: number): Promise<ConnectAnswer>;
  /** Delivered at least once, before the connection's first message is. */
  connected(place: number): void;
  /**
   * `bytes` are valid only until this returns: a carrier that keeps them copies them.
   * `number` counts the connection's messages from 1.
   */
  message(
    place: number,
    number: number,
    opcode: MessageOpcode,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): MessageOutcome;
  /**
   * The last event of a place, behind messages that are still held. `facts` is read within this
   * call; afterwards the sink no longer knows the place.
   */
  disconnected(place: number, reason: string, code: number): void;
  /**
   * The client vanished, or was refused by us, after its `connect` had been accepted and before
   * it was open: the service is told `disconnected` though no place is known to the sink.
   */
  abandoned(facts: ConnectionFacts, reason: string, code: number): void;
  /** Delivers what is held for at most `timeoutMs`, then drops it, counted and logged. */
  close(timeoutMs: number): Promise<void>;
}

export type UpstreamTarget =
  | { kind: "connection"; connectionId: string }
  | { kind: "user"; user: string }
  | { kind: "group"; group: string }
  | { kind: "all" };

/** What a service asks of the gateway by itself, over its carrier; its hub is the carrier's. */
export interface UpstreamCommand {
  /** A connection or a user joins and leaves. */
  verb: "send" | "close" | "join" | "leave" | "leave-all" | "exists";
  target: UpstreamTarget;
  /** Ids of connections that `send` and `close` leave out. */
  excluded: string[];
  /** Of the message to send, as `bytes` is; valid until the command is executed. */
  opcode: MessageOpcode;
  bytes: Uint8Array;
  /** The group that is joined or left, the reason to close; otherwise empty. */
  argument: string;
  /** The same id within two minutes sends to no connection twice. */
  pushId: string | undefined;
}

export interface UpstreamCommandAnswer {
  /** Connections of this worker that it was about. */
  matched: number;
  /** Of those, the ones that it had no effect on: too slow a receiver, one group too many. */
  dropped: number;
}

/** Why a client is closed for what became of its messages: rows of gateway/disconnect.ts. */
export type FailReason =
  | "service-unavailable"
  | "service-error"
  | "service-refused"
  /** Longer than the carrier can take to the service. */
  | "message-too-big";

/** The gateway as a carrier sees it. Calls for a place that is gone do nothing. */
export interface UpstreamSink {
  /** Of a place that is open. */
  facts(place: number): ConnectionFacts;
  /** Sends one message to the client. `bytes` are copied or written before this returns. */
  reply(
    place: number,
    opcode: MessageOpcode,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void;
  setConnectionState(place: number, connectionState: string | undefined): void;
  /** The service acknowledged `messages` of HELD ones with `bytes` of payload in all. */
  acknowledged(place: number, messages: number, bytes: number): void;
  /** A message cannot be delivered, and none behind it will be: the client is closed. */
  fail(place: number, reason: FailReason): void;
  /** Carries out a push on the connections that this worker holds. */
  execute(command: UpstreamCommand): Promise<UpstreamCommandAnswer>;
}
