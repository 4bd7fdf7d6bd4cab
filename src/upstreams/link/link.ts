/**
 * One link of this worker to one instance of the service: HELLO and WELCOME, what may be
 * unacknowledged on it, whose its channels are, and whether it lives. What becomes of the events
 * themselves is delivery.ts's.
 */
import { createHmac } from "node:crypto";
import type { LinkFault } from "../../link/fault.ts";
import {
  CREDIT,
  GATEWAY_GOODBYE,
  HELLO,
  PING,
  PONG,
  RESULT,
  type Result,
  SERVICE_GOODBYE,
  type ServiceFrame,
  VERSION,
  WELCOME,
} from "../../link/frame.ts";
import { ticksOf } from "../../reactor/ticks.ts";
import { nowMs } from "../delivery/agenda.ts";
import type { Lane, QueuedEvent } from "../delivery/lane.ts";
import { ChannelTable } from "./channel-table.ts";
import { LinkSocket, type LinkSocketOptions } from "./socket.ts";

const PING_SECONDS = 5;
/** Without anything for so long a link is dead, and so is one that takes nothing. */
const SILENCE_SECONDS_MAX = 10;
const STALLED_TICKS_MAX = ticksOf(SILENCE_SECONDS_MAX * 1000);
/** Of RESULTs, which no credit bounds: for a service that asks for them and does not read. */
const RESULT_BYTES_MAX = 16 << 20;
/** At the least, in a queue. */
const RESULT_BYTES = 19;

const CLOSED_BEFORE_WELCOME =
  "it closed the link before it said WELCOME; its own log says why, such as another hub, other " +
  "signing keys or a clock that is wrong";

/** What HELLO says of this worker. */
export interface LinkGreeting {
  gateway: string;
  hub: string;
  nonce: string;
  signingKeys: readonly string[];
  /** The largest frame that is taken. */
  frameBytesMax: number;
}

export interface LinkOptions extends Omit<LinkSocketOptions, "frameBytesMax"> {
  /** Never used twice by a worker. */
  id: number;
  greeting: LinkGreeting;
  /** Of the instance: what connections choose it by. */
  seed: number;
}

export interface LinkEvents {
  /** It takes events from now on. */
  welcomed(link: Link): void;
  /** Whatever is about events, connects and commands. */
  frame(link: Link, frame: ServiceFrame): LinkFault | undefined;
  /** It takes no new events: its service says goodbye. */
  leaving(link: Link): void;
  second(link: Link): void;
  /** Behind the frames of one read. */
  read(): void;
  lost(link: Link, cause: string, fault: LinkFault | undefined): void;
}

export class Link {
  readonly id: number;
  readonly seed: number;
  readonly channels = new ChannelTable();
  /** Lanes with something to send that goes over this link. */
  readonly ready = new Set<Lane>();
  /** The largest frame that the service takes. */
  frameBytesMax = 0;
  /** Sent and not acknowledged. */
  eventsUnderWay = 0;
  /** When something was last acknowledged, or the service said WELCOME. */
  progressMs = 0;
  /** For how long it has been connected. */
  seconds = 0;
  readonly #socket: LinkSocket;
  readonly #events: LinkEvents;
  readonly #greeting: LinkGreeting;
  #bytesUnderWay = 0;
  /** An event waits until another one is settled. */
  #isFull = false;
  #eventsMax = 0;
  #bytesMax = 0;
  #isWelcome = false;
  #isLeaving = false;
  #silentSeconds = 0;
  /** Of RESULTs, since nothing waited for the service to read it. */
  #resultBytes = 0;

  /** Throws a sentence where it cannot even be dialled. */
  constructor(options: LinkOptions, events: LinkEvents) {
    const { frameBytesMax } = options.greeting;
    this.id = options.id;
    this.seed = options.seed;
    this.#events = events;
    this.#greeting = options.greeting;
    this.#socket = new LinkSocket(
      { ...options, frameBytesMax },
      {
        connected: () => this.#hello(),
        frame: (frame) => this.#take(frame),
        second: () => this.#second(),
        read: () => events.read(),
        ended: () => (this.#isWelcome ? "it closed the link" : CLOSED_BEFORE_WELCOME),
        lost: (cause, fault) => events.lost(this, cause, fault),
      },
    );
  }

  get isWelcome(): boolean {
    return this.#isWelcome;
  }

  /** Whether new events and connects may go over it. */
  get isOpen(): boolean {
    return this.#isWelcome && !this.#isLeaving && !this.#socket.isClosed;
  }

  /** Its service said goodbye. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  get socket(): Pick<LinkSocket, "isClosed" | "pause" | "resume" | "send" | "sendMessage"> {
    return this.#socket;
  }

  /** Whether it is worth asking whether an event may be sent. */
  get hasCredit(): boolean {
    return !this.#isFull && this.eventsUnderWay < this.#eventsMax;
  }

  /** A single event may be larger than all the bytes that may be under way. */
  mayTake(event: QueuedEvent): boolean {
    const bytes = this.#bytesUnderWay;
    const isRoom = bytes === 0 || bytes + payloadBytes(event) <= this.#bytesMax;
    this.#isFull = !isRoom || this.eventsUnderWay >= this.#eventsMax;
    return !this.#isFull;
  }

  began(event: QueuedEvent): void {
    this.eventsUnderWay += 1;
    this.#bytesUnderWay += payloadBytes(event);
  }

  settled(event: QueuedEvent): void {
    this.#isFull = false;
    this.eventsUnderWay -= 1;
    this.#bytesUnderWay -= payloadBytes(event);
  }

  /** What became of a COMMAND. */
  sendResult(result: Omit<Result, "type">): void {
    this.#socket.send({ type: RESULT, ...result });
    const { queuedBytes } = this.#socket;
    this.#resultBytes = queuedBytes === 0 ? 0 : this.#resultBytes + RESULT_BYTES;
    this.#resultBytes += result.error.length;
    if (Math.min(queuedBytes, this.#resultBytes) <= RESULT_BYTES_MAX) return;
    this.#socket.giveUp(`it does not read: ${queuedBytes} bytes wait for it`);
  }

  /** The service is done with it, and nothing is under way any more. */
  end(): void {
    this.#socket.giveUp("it said goodbye");
  }

  /** Says goodbye, and ends. */
  close(): void {
    if (this.#isWelcome) this.#socket.send({ type: GATEWAY_GOODBYE });
    this.#socket.close(true);
  }

  #hello(): void {
    const { gateway, hub, nonce, frameBytesMax } = this.#greeting;
    const signature = signHello(this.#greeting);
    const told = { version: VERSION, gateway, hub, nonce, frameBytesMax, signature };
    this.#socket.send({ type: HELLO, ...told });
  }

  #take(frame: ServiceFrame): LinkFault | undefined {
    if (!this.#isWelcome) {
      if (frame.type !== WELCOME) return outOfPlace("the first frame is no WELCOME");
      if (frame.version !== VERSION) {
        const sentence = `it speaks version ${frame.version} of the link, and we ${VERSION}`;
        return { fault: "wrong-value", sentence };
      }
      this.frameBytesMax = frame.frameBytesMax;
      this.#eventsMax = frame.eventsMax;
      this.#bytesMax = frame.bytesMax;
      this.#isWelcome = true;
      this.progressMs = nowMs();
      this.#events.welcomed(this);
      return undefined;
    }
    switch (frame.type) {
      case PONG:
        return undefined;
      case CREDIT:
        this.#eventsMax = frame.eventsMax;
        this.#bytesMax = frame.bytesMax;
        this.#isFull = false;
        return undefined;
      case SERVICE_GOODBYE:
        this.#isLeaving = true;
        this.#events.leaving(this);
        return undefined;
      case WELCOME:
        return outOfPlace("a second WELCOME came");
      default:
        return this.#events.frame(this, frame);
    }
  }

  #second(): void {
    this.#silentSeconds = this.#socket.takeHeard() ? 0 : this.#silentSeconds + 1;
    if (this.#silentSeconds >= SILENCE_SECONDS_MAX) {
      this.#socket.giveUp(`nothing came for ${SILENCE_SECONDS_MAX} s`);
      return;
    }
    if (this.#socket.stalledTicks >= STALLED_TICKS_MAX) {
      this.#socket.giveUp(`it took nothing for ${SILENCE_SECONDS_MAX} s`);
      return;
    }
    this.seconds += 1;
    if (this.#isWelcome && this.seconds % PING_SECONDS === 0) {
      this.#socket.send({ type: PING, token: this.seconds >>> 0 });
    }
    this.#events.second(this);
  }
}

export function outOfPlace(sentence: string): LinkFault {
  return { fault: "out-of-place", sentence };
}

/** What counts as a link's bytes: the payloads of messages. */
function payloadBytes(event: QueuedEvent): number {
  return event.name === "message" ? event.body.length : 0;
}

/** docs/link.md: over the time, so that an old HELLO cannot be played again. */
function signHello({ hub, nonce, signingKeys: [key] }: LinkGreeting): string {
  if (key === undefined) return "";
  const seconds = Math.floor(Date.now() / 1000);
  const signed = `${seconds}\nlink\n${hub}\n${nonce}`;
  return `t=${seconds},v1=${createHmac("sha256", key).update(signed).digest("hex")}`;
}
