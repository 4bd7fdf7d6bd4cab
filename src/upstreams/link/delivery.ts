/**
 * Takes the events of all lanes over their links, without waiting for one to be acknowledged
 * before the next, and reads what the service says of them. What becomes of an event is its
 * lane's to know.
 */
import { isUtf8 } from "node:buffer";
import type { HubLimits } from "../../config/configuration.ts";
import { BINARY, TEXT } from "../../core/opcode.ts";
import type { LinkFault } from "../../link/fault.ts";
import {
  ACKNOWLEDGE,
  ANSWER_BINARY,
  ANSWER_TEXT,
  type Answer,
  CLOSE,
  CONNECTED,
  DISCONNECTED,
  OPEN,
  type Open,
  REJECT,
  REJECT_FAILED,
  REJECT_HELD,
  type Reject,
  SEND_BINARY,
  SEND_TEXT,
  type Send,
  type ServiceFrame,
  STATE,
  type State,
} from "../../link/frame.ts";
import { readState, TOO_BIG } from "../cloudevents/outcome.ts";
import { nowMs } from "../delivery/agenda.ts";
import { readDisconnectedBody, TEXT_TYPE } from "../delivery/event.ts";
import { type Lane, type QueuedEvent, READY } from "../delivery/lane.ts";
import type { Lanes } from "../delivery/lanes.ts";
import { KEPT, type Verdict } from "../delivery/verdict.ts";
import type { UpstreamSink } from "../upstream.ts";
import { type Link, outOfPlace } from "./link.ts";
import type { Routes } from "./routes.ts";
import { disconnectedBytes, messageBytes, openBytes } from "./sizes.ts";

export interface DeliveryParts {
  lanes: Lanes;
  routes: Routes;
  sink: UpstreamSink;
  limits: Pick<HubLimits, "holdTimeoutMs" | "serviceResponseBytesMax" | "serviceTimeoutMs">;
  connectionStateBytesMax: number;
  observe: (event: QueuedEvent["name"], durationMs: number) => void;
}

const DONE: Verdict = { kind: "done", reply: undefined, stateChange: KEPT };
const LOST: Verdict = {
  kind: "held",
  reached: false,
  retryAfterMs: undefined,
  cause: "the link was lost",
};
const TOO_SLOW: Verdict = {
  kind: "held",
  reached: true,
  retryAfterMs: undefined,
  cause: "no answer within serviceTimeoutMs",
};

export class Delivery {
  readonly #parts: DeliveryParts;
  #isStarting = false;
  /** Something was added since the links were last looked at. */
  #isAsked = false;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /** Sends what the links may take. */
  start(): void {
    // Who broke or failed meanwhile may lead back here, for a link that was looked at already.
    this.#isAsked = true;
    if (this.#isStarting) return;
    this.#isStarting = true;
    while (this.#isAsked) {
      this.#isAsked = false;
      for (const link of this.#parts.routes.links.values()) {
        while (link.isOpen && link.hasCredit && link.ready.size > 0) {
          this.#send(link, link.ready.values().next().value as Lane);
        }
      }
    }
    this.#isStarting = false;
  }

  /** What was under way on it comes again, over another one if there is one. */
  lost(link: Link): void {
    const { lanes, routes } = this.#parts;
    for (const lane of lanes.all()) {
      if (lane.link === link.id && lane.sent > 0) lanes.settle(lane, () => LOST, 1);
    }
    routes.lost(link);
  }

  /** Gives up waiting for what has taken too long, as over any other carrier. */
  second(link: Link): void {
    const now = nowMs();
    if (link.eventsUnderWay > 0) this.#closeLate(link, now);
    if (!link.hasCredit) this.#expireWaiting(link, now);
  }

  #closeLate(link: Link, now: number): void {
    const { lanes, limits } = this.#parts;
    for (const lane of lanes.all()) {
      if (lane.link !== link.id || lane.sent === 0) continue;
      const { heldSinceMs = Number.POSITIVE_INFINITY, progressMs } = lane;
      const isLate = now >= progressMs + limits.serviceTimeoutMs;
      if (!isLate && now < heldSinceMs + limits.holdTimeoutMs) continue;
      link.socket.send({ type: CLOSE, channel: lane.channel });
      this.#fail(link, lane, TOO_SLOW);
    }
  }

  /** A service that gives no credit, and acknowledges nothing, is not there. */
  #expireWaiting(link: Link, now: number): void {
    const { lanes, limits } = this.#parts;
    for (const lane of link.ready) {
      const [first] = lane.events as [QueuedEvent];
      const sinceMs = Math.max(first.queuedAtMs, link.progressMs);
      if (lane.state !== READY || now < sinceMs + limits.holdTimeoutMs) continue;
      lanes.expire(lane);
      this.ended(lane.place);
    }
  }

  /** A connection whose end is not told, for want of room or time, leaves no channel behind. */
  ended(place: number): void {
    const { lanes, routes } = this.#parts;
    if (lanes.of(place) !== undefined) return;
    const home = routes.homeOf(place);
    if (home !== undefined) this.#closeChannel(home.link, home.channel);
  }

  #closeChannel(link: Link, channel: number): void {
    if (Number.isNaN(link.channels.placeOf(channel))) return;
    link.channels.close(channel);
    link.socket.send({ type: CLOSE, channel });
  }

  frame(link: Link, frame: ServiceFrame): LinkFault | undefined {
    switch (frame.type) {
      case ACKNOWLEDGE:
        return this.#settle(link, frame.channel, frame.events, DONE);
      case ANSWER_TEXT:
      case ANSWER_BINARY:
        return this.#answer(link, frame);
      case REJECT:
        return this.#reject(link, frame);
      case STATE:
        return this.#setState(link, frame);
      case SEND_TEXT:
      case SEND_BINARY:
        return this.#push(link, frame);
      default:
        return outOfPlace(`a frame of type ${frame.type} came`);
    }
  }

  /** The next events of a lane, as many as the link may take. */
  #send(link: Link, lane: Lane): void {
    const { lanes, routes } = this.#parts;
    const opened = lane.channel === 0 ? this.#open(lane) : undefined;
    const first = lane.sent;
    let count = 0;
    let isTooBig = opened !== undefined && openBytes(opened) > link.frameBytesMax;
    for (let at = first; at < lane.events.length && !isTooBig; at += 1) {
      const event = lane.events[at] as QueuedEvent;
      if (!link.mayTake(event)) break;
      isTooBig = frameBytes(event) > link.frameBytesMax;
      if (isTooBig) break;
      link.began(event);
      count += 1;
    }
    if (count === 0) {
      this.#sendNothing(link, lane, isTooBig);
      return;
    }
    lanes.begin(lane, count);
    if (opened !== undefined) {
      const channel = link.channels.open(lane.place);
      routes.settleIn(lane, channel);
      link.socket.send({ ...opened, channel });
    }
    const { channel, events } = lane;
    // Where the link breaks meanwhile, they are not what was to be sent any more.
    for (let at = first; at < first + count && !link.socket.isClosed; at += 1) {
      write(link, channel, events[at] as QueuedEvent);
    }
  }

  #sendNothing(link: Link, lane: Lane, isTooBig: boolean): void {
    const { lanes } = this.#parts;
    if (!isTooBig) return;
    if (lane.sent > 0) {
      // It is ready again when what is under way for it was acknowledged.
      link.ready.delete(lane);
      return;
    }
    const cause = `its frame is longer than the ${link.frameBytesMax} bytes that the service takes`;
    lanes.begin(lane, 1);
    lanes.settle(lane, () => ({ kind: "too-big", cause }), 1);
  }

  #open({ facts }: Lane): Open {
    const { connectionId, connectionState = "", subprotocol = "", userId = "" } = facts;
    return { type: OPEN, channel: 0, connectionId, userId, subprotocol, connectionState };
  }

  #settle(link: Link, channel: number, count: number, verdict: Verdict): LinkFault | undefined {
    const place = link.channels.placeOf(channel);
    if (Number.isNaN(place)) return judgeUnknown(link, channel);
    const lane = this.#parts.lanes.of(place);
    const isUnderWay = lane !== undefined && lane.link === link.id && lane.sent >= count;
    if (!isUnderWay || count === 0) return tooMany(channel, count, lane?.sent ?? 0);
    const now = nowMs();
    link.progressMs = now;
    let isEnd = false;
    this.#parts.lanes.settle(
      lane,
      (event) => {
        link.settled(event);
        isEnd = event.name === "disconnected";
        this.#parts.observe(event.name, now - event.sentAtMs);
        return verdict;
      },
      count,
    );
    if (isEnd) link.channels.close(channel);
    else if (lane.gone && lane.events.length === 0) this.#closeChannel(link, channel);
    return undefined;
  }

  #answer(link: Link, frame: Answer): LinkFault | undefined {
    const opcode = frame.type === ANSWER_TEXT ? TEXT : BINARY;
    const bytes = frame.bytes.subarray(frame.start, frame.end);
    if (opcode === TEXT && !isUtf8(bytes)) return notUtf8("an ANSWER");
    const reply = { opcode, bytes } as const;
    const verdict: Verdict = { kind: "done", reply, stateChange: KEPT };
    if (bytes.length <= this.#parts.limits.serviceResponseBytesMax) {
      return this.#settle(link, frame.channel, 1, verdict);
    }
    const { channel } = frame;
    // To the service it is acknowledged, and what is behind it must not overtake it.
    if (!Number.isNaN(link.channels.placeOf(channel))) link.socket.send({ type: CLOSE, channel });
    return this.#failFirst(link, channel, { kind: "failed", cause: TOO_BIG });
  }

  #reject(link: Link, { channel, kind, retryAfterMs, cause }: Reject): LinkFault | undefined {
    return this.#failFirst(link, channel, verdictOf(kind, retryAfterMs, cause));
  }

  #failFirst(link: Link, channel: number, verdict: Verdict): LinkFault | undefined {
    const place = link.channels.placeOf(channel);
    if (Number.isNaN(place)) return judgeUnknown(link, channel);
    const lane = this.#parts.lanes.of(place);
    if (lane === undefined || lane.link !== link.id || lane.sent === 0) {
      return tooMany(channel, 1, 0);
    }
    const [event] = lane.events as [QueuedEvent];
    this.#parts.observe(event.name, nowMs() - event.sentAtMs);
    this.#fail(link, lane, verdict);
    return undefined;
  }

  /** The first event of a lane failed: its channel ends, with all that is under way on it. */
  #fail(link: Link, lane: Lane, verdict: Verdict): void {
    for (let at = 0; at < lane.sent; at += 1) link.settled(lane.events[at] as QueuedEvent);
    this.#parts.routes.forget(lane, link);
    this.#parts.lanes.settle(lane, () => verdict, 1);
  }

  #setState(link: Link, { channel, connectionState }: State): LinkFault | undefined {
    const { connectionStateBytesMax, lanes } = this.#parts;
    const place = link.channels.placeOf(channel);
    if (Number.isNaN(place)) return judgeUnknown(link, channel);
    const lane = lanes.of(place);
    if (lane === undefined || lane.link !== link.id || lane.sent === 0) {
      return outOfPlace(`a STATE came for channel ${channel}, and no event is under way on it`);
    }
    lanes.changeState(lane, readState("STATE", connectionState, connectionStateBytesMax));
    return undefined;
  }

  #push(link: Link, { bytes, channel, end, start, type }: Send): LinkFault | undefined {
    const place = link.channels.placeOf(channel);
    if (Number.isNaN(place)) return judgeUnknown(link, channel);
    const opcode = type === SEND_TEXT ? TEXT : BINARY;
    if (opcode === TEXT && !isUtf8(bytes.subarray(start, end))) return notUtf8("a SEND");
    if (place >= 0) this.#parts.sink.reply(place, opcode, bytes, start, end - start);
    return undefined;
  }
}

function write(link: Link, channel: number, event: QueuedEvent): void {
  const { body, contentType, messageNumber, name, timeMs } = event;
  if (name === "message") {
    const opcode = contentType === TEXT_TYPE ? TEXT : BINARY;
    link.socket.sendMessage(channel, messageNumber, opcode, timeMs, body);
  } else if (name === "connected") {
    link.socket.send({ type: CONNECTED, channel, timeMs });
  } else {
    link.socket.send({ type: DISCONNECTED, channel, timeMs, ...readDisconnectedBody(body) });
  }
}

function frameBytes({ body, name }: QueuedEvent): number {
  if (name === "message") return messageBytes(body.length);
  return name === "disconnected" ? disconnectedBytes(body.length) : 0;
}

/** One that is over may still be spoken of; one that never was may not. */
function judgeUnknown(link: Link, channel: number): LinkFault | undefined {
  if (channel > 0 && channel <= link.channels.last) return undefined;
  return outOfPlace(`channel ${channel} was never opened`);
}

/** A client would have to close its connection for it. */
function notUtf8(what: string): LinkFault {
  return { fault: "not-utf8", sentence: `${what} is called text and is not UTF-8` };
}

function tooMany(channel: number, count: number, sent: number): LinkFault {
  const sentence = `${count} events of channel ${channel} were settled, and ${sent} are under way`;
  return { fault: "too-many-acknowledged", sentence };
}

function verdictOf(kind: number, retryAfterMs: number, cause: string): Verdict {
  const told = cause === "" ? "the service gave no cause" : cause;
  switch (kind) {
    case REJECT_HELD:
      return { kind: "held", reached: true, retryAfterMs, cause: told };
    case REJECT_FAILED:
      return { kind: "failed", cause: told };
    default:
      return { kind: "refused", cause: told };
  }
}
