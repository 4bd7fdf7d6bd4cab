/**
 * One link of a gateway's worker: its HELLO, its channels, and what becomes of each frame. A
 * fault of the gateway closes it, and so does silence; what is not acknowledged comes again.
 */
import type { Socket } from "node:net";
import { HeadgateError } from "../../core/error.ts";
import { decodeGatewayFrame } from "../../link/decode.ts";
import type { LinkFault } from "../../link/fault.ts";
import { isFault } from "../../link/fault.ts";
import {
  CLOSE,
  CONNECT,
  CONNECT_ANSWER,
  CONNECTED,
  type Connect,
  DISCONNECTED,
  GATEWAY_GOODBYE,
  type GatewayFrame,
  HELLO,
  type Hello,
  MESSAGE_BINARY,
  MESSAGE_TEXT,
  OPEN,
  PING,
  PONG,
  RESULT,
  SERVICE_GOODBYE,
  VERSION,
  WELCOME,
} from "../../link/frame.ts";
import { FrameSplitter } from "../../link/splitter.ts";
import { type ConnectOutcome, ConnectRequest } from "../connect-request.ts";
import type { Handlers } from "../handlers.ts";
import type { ConnectionLines } from "../lines.ts";
import type { Call } from "../push/push.ts";
import { isHelloSigned } from "../signature.ts";
import { Commands, type LinkResult } from "./commands.ts";
import { LinkEvents } from "./link-events.ts";
import { LinkOutput } from "./link-output.ts";
import { writeCommand } from "./write-command.ts";

export interface LinkLimits {
  /** Events, and bytes of their payloads, that may be unacknowledged on a link. */
  eventsMax: number;
  bytesMax: number;
  /** The longest frame that is taken. */
  frameBytesMax: number;
  linksMax: number;
  helloTimeoutMs: number;
  /** A PING comes every 5 s; without anything for so long the link is dead. */
  silenceTimeoutMs: number;
  callsMax: number;
  callTimeoutMs: number;
}

export interface LinkOptions {
  hub: string;
  keys: readonly string[];
  limits: LinkLimits;
  handlers: Handlers;
  lines: ConnectionLines;
}

/** From a stranger no more is kept before it has said HELLO. */
const HELLO_BYTES_MAX = 4096;

/** Connect events under way on one link: they are no part of its credit, and clients wait. */
const CONNECTS_MAX = 4096;

/** The client's answer is 503. */
const unavailable: ConnectOutcome = {
  status: 503,
  contentType: "",
  connectionState: "",
  body: Buffer.alloc(0),
};

/** Type, request, status and the lengths of two texts. */
const CONNECT_ANSWER_FIXED_BYTES = 1 + 4 + 2 + 2 + 2;

function frameLength({ body, connectionState, contentType }: ConnectOutcome): number {
  const texts = Buffer.byteLength(connectionState) + Buffer.byteLength(contentType);
  return CONNECT_ANSWER_FIXED_BYTES + texts + body.length;
}

function wrong(sentence: string): LinkFault {
  return { fault: "wrong-value", sentence };
}

function outOfPlace(sentence: string): LinkFault {
  return { fault: "out-of-place", sentence };
}

export class Link {
  readonly #socket: Socket;
  readonly #options: LinkOptions;
  readonly #splitter: FrameSplitter;
  readonly #output: LinkOutput;
  readonly #commands: Commands;
  readonly #helloTimer: NodeJS.Timeout;
  /** Asked at once: a socket that is destroyed does not know it any more. */
  readonly #address: string;
  readonly #onGone: () => void;
  #hello: Hello | undefined;
  #events: LinkEvents | undefined;
  #connectsUnderWay = 0;
  #chunk: Buffer = Buffer.alloc(0);
  #isLeaving = false;
  /** A handler may be under way of which nothing is held. */
  #isReceiving = false;

  constructor(socket: Socket, options: LinkOptions, onGone: () => void) {
    const { frameBytesMax, helloTimeoutMs } = options.limits;
    this.#socket = socket;
    this.#address = socket.remoteAddress ?? "a local socket";
    this.#options = options;
    this.#onGone = onGone;
    this.#splitter = new FrameSplitter(frameBytesMax);
    this.#output = new LinkOutput(socket);
    this.#commands = new Commands(options.limits);
    this.#helloTimer = setTimeout(() => {
      this.#fail(outOfPlace(`no HELLO came within ${helloTimeoutMs} ms`));
    }, helloTimeoutMs);
    socket.setNoDelay(true);
    socket.setTimeout(options.limits.silenceTimeoutMs, () => this.#judgeSilence());
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", (cause) => this.#report("broke", cause));
    socket.on("close", () => this.#ended());
  }

  /** What the ids of its connections begin with; undefined before HELLO. */
  get nonce(): string | undefined {
    return this.#hello?.nonce;
  }

  /** Rejects with a HeadgateError. */
  async call(call: Call): Promise<LinkResult> {
    const frameBytesMax = this.#hello?.frameBytesMax ?? 0;
    if (this.#commands.isFull || this.#socket.writableLength > this.#options.limits.bytesMax) {
      const message = "The link has as many pushes under way as it takes; wait for some of them.";
      throw new HeadgateError("HG_PUSH_BUSY", message);
    }
    const write = writeCommand(call, frameBytesMax);
    return this.#commands.ask((request) => this.#output.frame(write(request)));
  }

  /** Takes no further event, and ends the link when what was taken is answered. */
  leave(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    if (this.#hello === undefined) {
      this.#socket.destroy();
      return;
    }
    this.#output.frame({ type: SERVICE_GOODBYE });
    this.#output.flush();
    this.#endWhenIdle();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    // It crossed our end, and cannot be answered: the gateway asks elsewhere.
    if (this.#socket.writableEnded) return;
    this.#chunk = chunk;
    this.#isReceiving = true;
    const fault = this.#output.gather(() =>
      this.#splitter.push(chunk, 0, chunk.length, this.#visit),
    );
    this.#isReceiving = false;
    if (fault !== undefined) this.#fail(fault);
    else if (this.#hello === undefined && this.#splitter.keptBytes > HELLO_BYTES_MAX) {
      this.#fail(outOfPlace(`${this.#splitter.keptBytes} bytes came, and no HELLO`));
    } else this.#endWhenIdle();
  }

  readonly #visit = (bytes: Uint8Array, start: number, end: number): LinkFault | undefined => {
    // Its own memory where the frame was cut: the splitter writes the next one into it.
    const isWhole = bytes === this.#chunk;
    const owned = isWhole ? bytes : Buffer.from(bytes.subarray(start, end));
    const frame = isWhole
      ? decodeGatewayFrame(owned, start, end)
      : decodeGatewayFrame(owned, 0, owned.length);
    return isFault(frame) ? frame : this.#take(frame);
  };

  #take(frame: GatewayFrame): LinkFault | undefined {
    if (this.#events === undefined) {
      if (frame.type === HELLO) return this.#welcome(frame);
      return outOfPlace("the first frame is no HELLO");
    }
    // What it does not take comes again to another instance; a client that asks waits.
    if (this.#isLeaving && frame.type <= DISCONNECTED && frame.type > CONNECT) {
      if (frame.type === OPEN) this.#events.pass(frame);
      return undefined;
    }
    switch (frame.type) {
      case MESSAGE_TEXT:
      case MESSAGE_BINARY:
        return this.#events.message(frame);
      case OPEN:
        return this.#events.open(frame);
      case CONNECTED:
        return this.#events.connected(frame);
      case DISCONNECTED:
        return this.#events.disconnected(frame);
      case CONNECT:
        return this.#connect(frame);
      case PING:
        this.#output.frame({ type: PONG, token: frame.token });
        return undefined;
      case RESULT:
        this.#commands.settle(frame);
        this.#endWhenIdle();
        return undefined;
      case CLOSE:
        return this.#events.close(frame);
      case GATEWAY_GOODBYE:
        // It closes the link when all is acknowledged, which needs nothing of us.
        return undefined;
      case HELLO:
        return outOfPlace("a second HELLO came");
    }
  }

  #welcome(hello: Hello): LinkFault | undefined {
    const { hub, keys, limits, lines, handlers } = this.#options;
    const { bytesMax, eventsMax, frameBytesMax } = limits;
    if (hello.version !== VERSION) {
      return wrong(`it speaks version ${hello.version} of the link, and this service ${VERSION}`);
    }
    if (hello.hub !== hub) {
      return wrong(`it is for the hub "${hello.hub}", and this service for "${hub}"`);
    }
    if (keys.length > 0 && !isHelloSigned(keys, hello)) {
      return wrong(
        hello.signature === ""
          ? "its HELLO is not signed: the hub has no signingKeys, and this service has keys"
          : "its HELLO is not signed by a key of this service, or too old",
      );
    }
    clearTimeout(this.#helloTimer);
    this.#hello = hello;
    this.#events = new LinkEvents(this.#output, handlers, lines, {
      ...{ eventsMax, bytesMax, frameBytesMax },
      answerBytesMax: hello.frameBytesMax,
      onIdle: () => this.#endWhenIdle(),
    });
    this.#output.frame({ type: WELCOME, version: VERSION, eventsMax, bytesMax, frameBytesMax });
    return undefined;
  }

  #connect(frame: Connect): LinkFault | undefined {
    const { handlers } = this.#options;
    if (this.#connectsUnderWay >= CONNECTS_MAX) {
      this.#answerConnect(frame.request, unavailable);
      return undefined;
    }
    const { bytes, connectionId, end, start, timeMs } = frame;
    let request: ConnectRequest;
    try {
      request = new ConnectRequest(connectionId, timeMs, bytes.subarray(start, end), frame);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return wrong(`a CONNECT tells no handshake: ${error.message}`);
    }
    this.#connectsUnderWay += 1;
    void handlers.connect(request).then((outcome) => {
      this.#connectsUnderWay -= 1;
      this.#answerConnect(frame.request, outcome);
      this.#endWhenIdle();
    });
    return undefined;
  }

  #answerConnect(request: number, outcome: ConnectOutcome): void {
    const frameBytesMax = this.#hello?.frameBytesMax ?? 0;
    const isTooLong = frameLength(outcome) > frameBytesMax;
    if (isTooLong) {
      const message = `The answer to a connect event is a frame of ${frameLength(outcome)} bytes`;
      const error = `${message}, and the gateway takes ${frameBytesMax}: the client gets 503.`;
      this.#options.handlers.report(new HeadgateError("HG_REPLY_TOO_LONG", error));
    }
    const { body, connectionState, contentType, status } = isTooLong ? unavailable : outcome;
    const payload = { bytes: body, start: 0, end: body.length };
    const frame = { request, status, contentType, connectionState, ...payload };
    this.#output.frame({ type: CONNECT_ANSWER, ...frame });
  }

  #endWhenIdle(): void {
    if (!this.#isLeaving || this.#isReceiving) return;
    if (this.#connectsUnderWay > 0 || this.#commands.size > 0) return;
    if (this.#events?.isIdle === false) return;
    this.#output.flush();
    this.#socket.end();
  }

  /** The loop may have stood still with bytes unread: they are looked at first. */
  #judgeSilence(): void {
    const seen = this.#socket.bytesRead;
    setImmediate(() => {
      if (this.#socket.bytesRead !== seen || this.#socket.destroyed) return;
      this.#fail(outOfPlace(`nothing came for ${this.#options.limits.silenceTimeoutMs} ms`));
    });
  }

  #fail({ fault, sentence }: LinkFault): void {
    if (this.#socket.destroyed) return;
    this.#socket.destroy();
    this.#report(`was closed for ${fault}: ${sentence}`, undefined);
  }

  #report(what: string, cause: Error | undefined): void {
    const who = this.#hello?.gateway ?? this.#address;
    const message = `A link of ${who} ${what}. What was not acknowledged comes again.`;
    const options = cause === undefined ? undefined : { cause };
    this.#options.handlers.report(new HeadgateError("HG_LINK_FAULT", message, options));
  }

  #ended(): void {
    clearTimeout(this.#helloTimer);
    this.#commands.fail();
    this.#events?.abandon();
    this.#onGone();
  }
}
