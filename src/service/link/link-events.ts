/**
 * The events of one link: which connection each is about, their order, and what the handlers'
 * outcomes become. The path of a message whose handler returns no promise ends here in a frame.
 */
import { HeadgateError } from "../../core/error.ts";
import type { LinkFault } from "../../link/fault.ts";
import {
  type Close,
  type Connected,
  type Disconnected,
  MESSAGE_TEXT,
  type Message as MessageFrame,
  type Open,
  REJECT,
  REJECT_FAILED,
  STATE,
} from "../../link/frame.ts";
import { Connection } from "../connection.ts";
import type { Rejection } from "../fault.ts";
import type { Handlers, Outcome, ServiceEvent } from "../handlers.ts";
import { ConnectedEvent, DisconnectedEvent } from "../lifecycle.ts";
import type { ConnectionLines } from "../lines.ts";
import { Message } from "../message.ts";
import { Channel } from "./channel.ts";
import type { LinkOutput } from "./link-output.ts";

export interface LinkEventsOptions {
  eventsMax: number;
  bytesMax: number;
  frameBytesMax: number;
  /** The longest frame that the gateway takes. */
  answerBytesMax: number;
  /** Nothing is under way any more. */
  onIdle(): void;
}

/** Of an ANSWER, before its payload. */
const ANSWER_HEADER_BYTES = 5;
/** Of a REJECT: for a log. */
const CAUSE_LENGTH_MAX = 1000;

export class LinkEvents {
  readonly #output: LinkOutput;
  readonly #handlers: Handlers;
  readonly #lines: ConnectionLines;
  readonly #options: LinkEventsOptions;
  readonly #channels = new Map<number, Channel>();
  #lastChannel = 0;
  /** Events that are under way or wait, and the bytes of the messages among them. */
  #heldEvents = 0;
  #heldBytes = 0;
  #isOver = false;

  constructor(
    output: LinkOutput,
    handlers: Handlers,
    lines: ConnectionLines,
    options: LinkEventsOptions,
  ) {
    this.#output = output;
    this.#handlers = handlers;
    this.#lines = lines;
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#heldEvents === 0;
  }

  open(frame: Open): LinkFault | undefined {
    const { channel: number, connectionId, connectionState, subprotocol, userId } = frame;
    if (number <= this.#lastChannel) {
      const sentence = `channel ${number} was opened behind ${this.#lastChannel}`;
      return { fault: "out-of-place", sentence };
    }
    this.#lastChannel = number;
    const connection = new Connection(connectionId, userId, subprotocol, connectionState);
    const channel = new Channel(number, connection);
    this.#channels.set(number, channel);
    // A handler may be under way from a link that broke.
    const earlier = this.#lines.tailOf(connectionId);
    if (earlier !== undefined) {
      channel.busy = earlier.then(() => this.#proceed(channel));
    }
    return undefined;
  }

  /** Of a link that takes nothing any more: what the gateway says of this channel is no fault. */
  pass({ channel }: Open): void {
    this.#lastChannel = Math.max(this.#lastChannel, channel);
  }

  message(frame: MessageFrame): LinkFault | undefined {
    const channel = this.#channels.get(frame.channel);
    if (channel === undefined) return this.#judgeUnknown(frame.channel);
    const { bytes, end, number, start, timeMs, type } = frame;
    const fields = { number, timeMs, isText: type === MESSAGE_TEXT };
    // Chunks of a socket are Buffers, and so are the link's own copies.
    const chunk = bytes as Buffer;
    const message = new Message(channel.connection, undefined, fields, chunk, start, end);
    return this.#take(channel, message);
  }

  connected({ channel: number, timeMs }: Connected): LinkFault | undefined {
    const channel = this.#channels.get(number);
    if (channel === undefined) return this.#judgeUnknown(number);
    return this.#take(channel, new ConnectedEvent(channel.connection, undefined, timeMs));
  }

  disconnected(frame: Disconnected): LinkFault | undefined {
    const channel = this.#channels.get(frame.channel);
    if (channel === undefined) return this.#judgeUnknown(frame.channel);
    const { connection } = channel;
    return this.#take(channel, new DisconnectedEvent(connection, undefined, frame.timeMs, frame));
  }

  /** The gateway gave a channel up: what is under way ends before what comes of it on another. */
  close({ channel: number }: Close): LinkFault | undefined {
    const channel = this.#channels.get(number);
    if (channel === undefined) return this.#judgeUnknown(number);
    const { busy, connection, underWay } = channel;
    channel.isOver = true;
    channel.underWay = undefined;
    this.#channels.delete(number);
    for (const event of channel.drop()) this.#release(event);
    if (underWay !== undefined) this.#release(underWay);
    if (busy !== undefined) this.#lines.run(connection.id, "link", () => busy);
    return undefined;
  }

  /** The link is gone: what is under way goes on, and what waits comes again elsewhere. */
  abandon(): void {
    this.#isOver = true;
    for (const channel of this.#channels.values()) {
      const { busy, connection } = channel;
      channel.drop();
      if (busy !== undefined) this.#lines.run(connection.id, "link", () => busy);
    }
    this.#channels.clear();
  }

  /** One that is over may have events under way; one that never was may not. */
  #judgeUnknown(number: number): LinkFault | undefined {
    if (number <= this.#lastChannel) return undefined;
    return { fault: "out-of-place", sentence: `channel ${number} has an event and is not open` };
  }

  #take(channel: Channel, event: ServiceEvent): LinkFault | undefined {
    if (channel.busy !== undefined) {
      channel.wait(event);
      return this.#hold(event);
    }
    const outcome = this.#handlers.take(event);
    if (!(outcome instanceof Promise)) {
      this.#answer(channel, event, outcome);
      return undefined;
    }
    this.#follow(channel, event, outcome);
    return this.#hold(event);
  }

  #follow(channel: Channel, event: ServiceEvent, outcome: Promise<Outcome>): void {
    channel.underWay = event;
    channel.busy = outcome.then((settled) => {
      if (channel.underWay !== undefined) this.#release(event);
      channel.underWay = undefined;
      this.#answer(channel, event, settled);
      this.#proceed(channel);
    });
  }

  /** The next ones, up to one that takes its time. */
  #proceed(channel: Channel): void {
    channel.busy = undefined;
    for (let event = channel.next(); event !== undefined; event = channel.next()) {
      const outcome = this.#handlers.take(event);
      if (outcome instanceof Promise) {
        this.#follow(channel, event, outcome);
        return;
      }
      this.#release(event);
      this.#answer(channel, event, outcome);
    }
    if (this.#heldEvents === 0) this.#options.onIdle();
  }

  #hold(event: ServiceEvent): LinkFault | undefined {
    this.#heldEvents += 1;
    if (event.name === "message") {
      event.detach();
      this.#heldBytes += event.byteLength;
    }
    const { bytesMax, eventsMax, frameBytesMax } = this.#options;
    if (this.#heldEvents <= eventsMax && this.#heldBytes <= bytesMax + frameBytesMax) {
      return undefined;
    }
    const what = `${this.#heldEvents} events of ${this.#heldBytes} bytes`;
    return { fault: "out-of-place", sentence: `${what} are unacknowledged, over its credit` };
  }

  #release(event: ServiceEvent): void {
    this.#heldEvents -= 1;
    if (event.name === "message") this.#heldBytes -= event.byteLength;
  }

  #answer(channel: Channel, event: ServiceEvent, outcome: Outcome): void {
    if (this.#isOver || channel.isOver) return;
    if (outcome !== undefined) {
      this.#reject(channel, outcome);
      return;
    }
    if (event.name !== "message") {
      if (event.name === "disconnected") this.#channels.delete(channel.number);
      this.#output.acknowledge(channel);
      return;
    }
    const { encodedReply: reply, newState } = event;
    if (reply !== undefined && this.#isTooLong(reply.bytes.length, event)) {
      const cause = "the reply is too long";
      this.#reject(channel, { kind: REJECT_FAILED, retryAfterMs: 0, cause });
      return;
    }
    if (newState !== undefined) {
      channel.connection.state = newState;
      this.#output.settle(channel);
      this.#output.frame({ type: STATE, channel: channel.number, connectionState: newState });
    }
    if (reply === undefined) this.#output.acknowledge(channel);
    else this.#output.answer(channel, reply);
  }

  #isTooLong(replyBytes: number, message: Message): boolean {
    const { answerBytesMax } = this.#options;
    if (replyBytes + ANSWER_HEADER_BYTES <= answerBytesMax) return false;
    const limit = `the gateway takes frames of ${answerBytesMax}`;
    const sentence = `The reply to message ${message.id} has ${replyBytes} bytes, and ${limit}.`;
    this.#handlers.report(new HeadgateError("HG_REPLY_TOO_LONG", sentence));
    return true;
  }

  /** The channel ends with it, on both sides. */
  #reject(channel: Channel, { cause, kind, retryAfterMs }: Rejection): void {
    channel.isOver = true;
    this.#channels.delete(channel.number);
    for (const event of channel.drop()) this.#release(event);
    this.#output.settle(channel);
    const told = cause.slice(0, CAUSE_LENGTH_MAX);
    this.#output.frame({ type: REJECT, channel: channel.number, kind, retryAfterMs, cause: told });
  }
}
