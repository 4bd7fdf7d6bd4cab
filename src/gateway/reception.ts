/**
 * Where messages enter: the bytes of an open connection become messages for its service, within
 * its window. What may not be processed yet is parked, and the socket is not read meanwhile.
 */
import type { GatewayLimits } from "../config/configuration.ts";
import type { Budget } from "../core/budget.ts";
import { slotOf } from "../core/connection-id.ts";
import type { MessageOpcode } from "../core/opcode.ts";
import type { Reactor } from "../reactor/reactor.ts";
import { TICK_MS } from "../reactor/ticks.ts";
import { HELD } from "../upstreams/upstream.ts";
import {
  CLOSE,
  MESSAGE,
  MORE,
  PING,
  PONG,
  Receiver,
  type ReceiverEvent,
} from "../websocket/receiver.ts";
import type { UnfinishedMessage } from "../websocket/unfinished-message.ts";
import type { Violation } from "../websocket/violation.ts";
import type { Clocks } from "./clocks.ts";
import type { Compression } from "./compression.ts";
import {
  CLOSING,
  type ConnectionTable,
  OPEN,
  PAUSED_BACKLOG,
  PAUSED_BUDGET,
  PAUSED_SETTLING,
  PAUSED_WINDOW,
} from "./connection-table.ts";
import type { Delivery } from "./delivery.ts";
import type { Departure } from "./departure.ts";
import type { Hub } from "./hub.ts";

const TOO_MANY_CONTROL_FRAMES: Violation = Object.freeze({
  name: "too-many-control-frames",
  closeCode: 1008,
  sentence: "more control frames than the limit of the gateway",
});

/**
 * In a turn messages are inflated for so long; what is left waits for the next iteration of the
 * event loop. A read of 512 KiB may hold 3,600 messages that become 128 KiB each.
 */
const INFLATING_MS = 4;

export class Reception {
  readonly #reactor: Reactor;
  readonly #connections: ConnectionTable;
  readonly #hubs: Hub[];
  readonly #delivery: Delivery;
  readonly #departure: Departure;
  readonly #clocks: Clocks;
  readonly #budget: Budget;
  readonly #limits: GatewayLimits;
  readonly #receiver: Receiver;
  /** Connections that wait until the buffers have room again. */
  readonly #strained = new Set<number>();
  /** When this turn's first message was inflated, or assembled; 0 for none. */
  #inflatingSinceMs = 0;

  constructor(parts: {
    reactor: Reactor;
    connections: ConnectionTable;
    hubs: Hub[];
    delivery: Delivery;
    departure: Departure;
    clocks: Clocks;
    budget: Budget;
    limits: GatewayLimits;
    compression: Compression | undefined;
  }) {
    this.#reactor = parts.reactor;
    this.#connections = parts.connections;
    this.#hubs = parts.hubs;
    this.#delivery = parts.delivery;
    this.#departure = parts.departure;
    this.#clocks = parts.clocks;
    this.#budget = parts.budget;
    this.#limits = parts.limits;
    const { reactor, limits, compression } = parts;
    this.#receiver = new Receiver(reactor.arena, reactor.unmask, limits, compression?.inflation);
    parts.delivery.received = this.#receiver;
  }

  /** Bytes of the arena from a connection that is OPEN or CLOSING. */
  received(slot: number, offset: number, end: number): void {
    const { phases, activeTicks, deflateWindowBits } = this.#connections;
    activeTicks[slot] = this.#reactor.tick;
    if (deflateWindowBits[slot] !== 0 && this.#isInflatingOver()) {
      this.#postpone(slot, offset, end);
      return;
    }
    const before = this.#connections.unfinished(slot);
    this.#receiver.begin(before, deflateWindowBits[slot] !== 0);
    let at = offset;
    let phase: number;
    do {
      phase = phases[slot] as number;
      at = this.#read(slot, at, end);
      // A connection that we closed meanwhile may have sent its close frame behind this.
    } while (phases[slot] !== phase && phases[slot] === CLOSING);
    const after = this.#receiver.partial;
    if ((phase !== OPEN && phase !== CLOSING) || phases[slot] !== phase) {
      // What the table knew of went with the connection.
      after?.free();
      return;
    }
    if (after !== before) this.#replaceUnfinished(slot, before, after);
    if (after !== undefined) this.#keepUnfinished(slot, after);
    if (this.#connections.pauses[slot] !== 0) {
      this.#reactor.pause(slot);
      if (at < end) this.#reactor.park(slot, at, end);
    } else if (at < end) this.#postpone(slot, at, end);
  }

  /** The service acknowledged; reading goes on once half of the window is free. */
  acknowledged(slot: number, messages: number, bytes: number): void {
    const { unacknowledgedMessages, unacknowledgedBytes, pauses, hubs } = this.#connections;
    const messagesLeft = (unacknowledgedMessages[slot] as number) - messages;
    const bytesLeft = (unacknowledgedBytes[slot] as number) - bytes;
    unacknowledgedMessages[slot] = messagesLeft;
    unacknowledgedBytes[slot] = bytesLeft;
    const pausedFor = (pauses[slot] as number) & (PAUSED_WINDOW | PAUSED_SETTLING);
    if (pausedFor === 0) return;
    if ((pausedFor & PAUSED_SETTLING) !== 0) {
      if (messagesLeft === 0) this.#departure.endSettling(slot);
      return;
    }
    const { limits } = (this.#hubs[hubs[slot] as number] as Hub).configuration;
    if (messagesLeft > limits.unacknowledgedMessagesMax / 2) return;
    if (bytesLeft > limits.unacknowledgedBytesMax / 2) return;
    this.unpause(slot, PAUSED_WINDOW);
  }

  /** One reason not to read this slot is gone. */
  unpause(slot: number, pause: number): void {
    const before = this.#connections.pauses[slot] as number;
    if ((before & pause) === 0) return;
    this.#connections.pauses[slot] = before & ~pause;
    if (before === pause) this.#goOn(slot);
  }

  /** Parked input was processed, as far as it might be. */
  tookUp(slot: number): void {
    if (this.#connections.pauses[slot] !== 0 || this.#reactor.parked.has(slot)) return;
    this.#reactor.resume(slot);
  }

  /** The buffers have room again: those who were stopped for want of it go on. */
  relieve(): void {
    if (this.#strained.size === 0 || this.#budget.isStrained) return;
    const places = [...this.#strained];
    this.#strained.clear();
    for (const place of places) {
      if (this.#reactor.isCurrent(place)) this.unpause(slotOf(place), PAUSED_BUDGET);
    }
  }

  /** Gives back memory that no message has needed of late. */
  trim(): void {
    this.#receiver.trim();
  }

  #replaceUnfinished(
    slot: number,
    before: UnfinishedMessage | undefined,
    after: UnfinishedMessage | undefined,
  ): void {
    if (before !== undefined) this.#budget.release("unfinished", before.bytesCharged);
    this.#connections.setUnfinished(slot, after);
  }

  #keepUnfinished(slot: number, unfinished: UnfinishedMessage): void {
    const { bytesHeld } = unfinished;
    this.#budget.charge("unfinished", bytesHeld - unfinished.bytesCharged);
    unfinished.bytesCharged = bytesHeld;
    if (unfinished.startedAt !== 0) return;
    unfinished.startedAt = this.#reactor.tick;
    if (this.#connections.phases[slot] === OPEN) this.#clocks.rearm(slot);
  }

  /** Goes on with this input in the next iteration of the event loop, behind the others. */
  #postpone(slot: number, offset: number, end: number): void {
    this.#reactor.pause(slot);
    this.#reactor.park(slot, offset, end);
    this.#reactor.takeUp(slot);
  }

  #isInflatingOver(): boolean {
    const sinceMs = this.#inflatingSinceMs;
    return sinceMs !== 0 && performance.now() - sinceMs > INFLATING_MS;
  }

  /** A message was inflated; whether that was enough for this turn. */
  #isEnough(): boolean {
    if (this.#inflatingSinceMs !== 0) return this.#isInflatingOver();
    this.#inflatingSinceMs = performance.now();
    this.#reactor.outbox.atTurnEnd(() => {
      this.#inflatingSinceMs = 0;
    });
    return false;
  }

  #goOn(slot: number): void {
    if (this.#connections.phases[slot] === OPEN) this.#clocks.restart(slot);
    if (this.#reactor.parked.has(slot)) this.#reactor.takeUp(slot);
    else this.#reactor.resume(slot);
  }

  /** Reads frames until the input ends or may not go on; where the unread input begins. */
  #read(slot: number, offset: number, end: number): number {
    const receiver = this.#receiver;
    const hub = this.#hubs[this.#connections.hubs[slot] as number] as Hub;
    const { messageBytesMax } = hub.configuration.limits;
    const phase = this.#connections.phases[slot];
    const isCompressible = this.#connections.deflateWindowBits[slot] !== 0;
    let at = offset;
    while (at < end) {
      const event = receiver.next(at, end, messageBytesMax);
      at = receiver.position;
      if (event === MESSAGE) {
        if (phase === OPEN) this.#message(hub, slot);
        // Of those that had to be inflated none has room.
        if (isCompressible && !receiver.hasRoom && this.#isEnough()) break;
      } else if (event === MORE) {
        break;
      } else if (!this.#control(slot, event)) {
        break;
      }
      if (this.#connections.phases[slot] !== phase || this.#connections.pauses[slot] !== 0) break;
    }
    return at;
  }

  #message(hub: Hub, slot: number): void {
    const { payload, payloadOffset, payloadLength } = this.#receiver;
    const number = (this.#connections.messagesReceived[slot] as number) + 1;
    hub.messagesReceived += 1;
    hub.bytesReceived += payloadLength;
    const opcode = this.#receiver.opcode as MessageOpcode;
    const place = this.#reactor.placeOf(slot);
    const outcome = hub.upstream.message(
      place,
      number,
      opcode,
      payload,
      payloadOffset,
      payloadLength,
    );
    // Only now: one at which the carrier closed the connection was not accepted.
    this.#connections.messagesReceived[slot] = number;
    if (outcome === HELD) this.#hold(hub, slot, payloadLength);
    if (this.#delivery.isBackedUp(slot)) this.#pause(slot, PAUSED_BACKLOG);
  }

  #hold(hub: Hub, slot: number, bytes: number): void {
    const { unacknowledgedMessages, unacknowledgedBytes } = this.#connections;
    const { limits } = hub.configuration;
    const messages = (unacknowledgedMessages[slot] as number) + 1;
    const bytesHeld = (unacknowledgedBytes[slot] as number) + bytes;
    unacknowledgedMessages[slot] = messages;
    unacknowledgedBytes[slot] = bytesHeld;
    if (
      messages >= limits.unacknowledgedMessagesMax ||
      bytesHeld >= limits.unacknowledgedBytesMax
    ) {
      this.#pause(slot, PAUSED_WINDOW);
    }
    if (this.#budget.isStrained) {
      this.#strained.add(this.#reactor.placeOf(slot));
      this.#pause(slot, PAUSED_BUDGET);
    }
  }

  #pause(slot: number, pause: number): void {
    if (this.#connections.phases[slot] !== OPEN) return;
    this.#connections.pauses[slot] = (this.#connections.pauses[slot] as number) | pause;
  }

  /** Deals with a control frame or a violation; false where nothing after it is read. */
  #control(slot: number, event: ReceiverEvent): boolean {
    const receiver = this.#receiver;
    if (event === CLOSE) {
      this.#departure.clientClosed(slot, receiver.closeCode);
      return false;
    }
    if (event !== PING && event !== PONG) {
      this.#departure.fail(slot, receiver.violation as Violation);
      return false;
    }
    if (!this.#takeControlToken(slot)) {
      this.#departure.fail(slot, TOO_MANY_CONTROL_FRAMES);
      return false;
    }
    if (event === PING && this.#connections.phases[slot] === OPEN) {
      const { payload, payloadOffset, payloadLength } = receiver;
      this.#delivery.pong(slot, payload, payloadOffset, payloadLength);
      if (this.#delivery.isBackedUp(slot)) this.#pause(slot, PAUSED_BACKLOG);
    }
    return true;
  }

  /** `controlFramesPerSecond` come in, up to `controlFramesBurst`. */
  #takeControlToken(slot: number): boolean {
    const { controlTokens, controlTicks } = this.#connections;
    const { controlFramesPerSecond, controlFramesBurst } = this.#limits;
    const seconds = ((this.#reactor.tick - (controlTicks[slot] as number)) * TICK_MS) / 1000;
    const earned = seconds * controlFramesPerSecond;
    const tokens = Math.min(controlFramesBurst, (controlTokens[slot] as number) + earned);
    controlTicks[slot] = this.#reactor.tick;
    controlTokens[slot] = tokens - 1;
    return tokens >= 1;
  }
}
