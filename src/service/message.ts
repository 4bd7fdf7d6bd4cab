/**
 * One message of a client as its handler sees it, over any carrier. The reply and the new state
 * are kept here until the handler is done, and are forgotten where it fails.
 */
import { isUtf8 } from "node:buffer";
import { HeadgateError } from "../core/error.ts";
import { TEXT } from "../core/opcode.ts";
import { TEXT_BYTES_MAX } from "../link/frame.ts";
import type { Connection } from "./connection.ts";
import { type Encoded, encodePayload, type Payload, type PayloadKind } from "./payload.ts";

/** Up to here a copy costs as much as a view, and keeps no chunk of the socket in memory. */
const COPIED_BYTES_MAX = 4096;

export class Message {
  readonly name = "message" as const;
  /** 1, 2, 3 … of its connection. */
  readonly number: number;
  /** When it came to the gateway, in milliseconds since 1970. */
  readonly timeMs: number;
  /** Whether the client sent text; otherwise it is binary. */
  readonly isText: boolean;
  readonly #connection: Connection;
  readonly #id: string | undefined;
  /** The payload lies here until somebody asks for its bytes. */
  #chunk: Buffer;
  #start: number;
  #end: number;
  #bytes: Buffer | undefined;
  #reply: Encoded | undefined;
  #newState: string | undefined;
  #isSettled = false;
  #keepsState = true;

  constructor(
    connection: Connection,
    id: string | undefined,
    fields: { number: number; timeMs: number; isText: boolean },
    chunk: Buffer,
    start: number,
    end: number,
  ) {
    this.#connection = connection;
    this.#id = id;
    this.number = fields.number;
    this.timeMs = fields.timeMs;
    this.isText = fields.isText;
    this.#chunk = chunk;
    this.#start = start;
    this.#end = end;
  }

  /** The same whenever this message is delivered again. */
  get id(): string {
    return this.#id ?? `${this.#connection.id}/${this.number}`;
  }

  get connectionId(): string {
    return this.#connection.id;
  }

  /** "" for none. */
  get userId(): string {
    return this.#connection.userId;
  }

  /** "" for none. */
  get subprotocol(): string {
    return this.#connection.subprotocol;
  }

  /** With what this handler has set already; "" for none. */
  get connectionState(): string {
    return this.#newState ?? this.#connection.state;
  }

  /** How long the payload is. */
  get byteLength(): number {
    return this.#end - this.#start;
  }

  /**
   * The payload, to keep as long as you like. Up to 4 KiB it is a copy; a longer one is a view
   * into the memory that the carrier read it into, which nobody uses again, and which stays in
   * memory with it: 64 KiB over the link and over NATS, the request's body over HTTP.
   */
  get bytes(): Uint8Array {
    if (this.#bytes === undefined) {
      const view = this.#chunk.subarray(this.#start, this.#end);
      this.#bytes = view.length <= COPIED_BYTES_MAX ? Buffer.from(view) : view;
    }
    return this.#bytes;
  }

  /** The payload as UTF-8, decoded when it is asked for. */
  text(): string {
    return this.#chunk.toString("utf8", this.#start, this.#end);
  }

  /**
   * Answers the client with one message, which leaves when the handler is done. A string is
   * text, bytes are binary, and `kind` says otherwise: `message.reply(message.bytes, "text")`.
   * Nothing is sent for an empty one. Throws HG_REPLY_NOT_UTF8 for text that is none,
   * HG_REPLY_TWICE the second time, and HG_HANDLER_OVER behind the handler's end:
   * `service.push.toConnection` has no bounds like the last two.
   */
  reply(payload: Payload, kind?: PayloadKind): void {
    this.#assertUnderWay("reply");
    if (this.#reply !== undefined) {
      throw new HeadgateError(
        "HG_REPLY_TWICE",
        `Message ${this.id} has a reply already; send further ones with push.toConnection.`,
      );
    }
    const encoded = encodePayload(payload, kind);
    // On a link it would be a fault, which costs all that is under way there.
    if (encoded.opcode === TEXT && typeof payload !== "string" && !isUtf8(encoded.bytes)) {
      throw new HeadgateError(
        "HG_REPLY_NOT_UTF8",
        `The reply to message ${this.id} is called text and is not UTF-8; send it as binary.`,
      );
    }
    this.#reply = encoded;
  }

  /**
   * What the gateway keeps with the connection, and its later events have as `connectionState`;
   * "" removes it. The gateway refuses more than `connectionStateBytesMax` (4,096) bytes. Over
   * NATS nothing is answered and so only `connect` sets one: it throws HG_STATE_UNSUPPORTED.
   */
  setConnectionState(state: string): void {
    this.#assertUnderWay("setConnectionState");
    if (!this.#keepsState) {
      throw new HeadgateError(
        "HG_STATE_UNSUPPORTED",
        "Over NATS a message cannot set the connection's state: set it in the answer to connect, " +
          "or keep it in a store by the connection's id.",
      );
    }
    // Whatever else a program without types hands in would fail where nobody catches it.
    if (typeof state !== "string") {
      throw new TypeError(`a connection state is a string, and not ${typeof state}`);
    }
    if (Buffer.byteLength(state) > TEXT_BYTES_MAX) {
      throw new HeadgateError(
        "HG_STATE_TOO_LONG",
        `A connection state may have ${TEXT_BYTES_MAX} bytes; keep more of it in a store.`,
      );
    }
    this.#newState = state;
  }

  #assertUnderWay(verb: string): void {
    if (!this.#isSettled) return;
    throw new HeadgateError(
      "HG_HANDLER_OVER",
      `${verb} came when the handler of message ${this.id} was over; let it return a promise.`,
    );
  }

  /** For carriers: the handler is over. */
  settle(): void {
    this.#isSettled = true;
  }

  /** For carriers that take no answer. */
  refuseState(): void {
    this.#keepsState = false;
  }

  /** For carriers: nothing that is to wait may keep a whole chunk. */
  detach(): void {
    if (this.byteLength > COPIED_BYTES_MAX) return;
    this.#chunk = this.bytes as Buffer;
    this.#start = 0;
    this.#end = this.#chunk.length;
  }

  /** For carriers: undefined for none, and for an empty one. */
  get encodedReply(): Encoded | undefined {
    return this.#reply?.bytes.length === 0 ? undefined : this.#reply;
  }

  /** For carriers: undefined where the handler set none. */
  get newState(): string | undefined {
    return this.#newState;
  }
}
