/**
 * Everything that happens to a slot because time passed: one coarse deadline for each, whose
 * meaning is its phase. A message only stamps the slot's activity.
 */
import type { GatewayLimits } from "../config/configuration.ts";
import type { Reactor } from "../reactor/reactor.ts";
import { TICK_MS, ticksOf } from "../reactor/ticks.ts";
import { ASKING, type ConnectionTable, HEAD, OPEN, PAUSED_SETTLING } from "./connection-table.ts";
import type { Delivery } from "./delivery.ts";
import type { Departure } from "./departure.ts";
import type { DisconnectName } from "./disconnect.ts";
import type { Hub } from "./hub.ts";

const NEVER = 0xffffffff;

export class Clocks {
  readonly #reactor: Reactor;
  readonly #connections: ConnectionTable;
  readonly #hubs: Hub[];
  readonly #delivery: Delivery;
  readonly #departure: Departure;
  readonly #limits: GatewayLimits;
  readonly #handshakeExpired: (slot: number) => void;

  constructor(
    parts: {
      reactor: Reactor;
      connections: ConnectionTable;
      hubs: Hub[];
      delivery: Delivery;
      departure: Departure;
      limits: GatewayLimits;
    },
    handshakeExpired: (slot: number) => void,
  ) {
    this.#reactor = parts.reactor;
    this.#connections = parts.connections;
    this.#hubs = parts.hubs;
    this.#delivery = parts.delivery;
    this.#departure = parts.departure;
    this.#limits = parts.limits;
    this.#handshakeExpired = handshakeExpired;
  }

  /** From accept to 101, the connect event included. */
  startHandshake(slot: number): void {
    const ticks = ticksOf(this.#limits.handshakeTimeoutMs);
    this.#reactor.setDeadline(slot, this.#reactor.tick + ticks);
  }

  /** The slot's next moment of interest may be nearer than the one that is set. */
  rearm(slot: number): void {
    this.#reactor.setDeadline(slot, this.#nextTick(slot));
  }

  /** Reading goes on: the clocks that stood still while it was paused start anew. */
  restart(slot: number): void {
    this.#connections.activeTicks[slot] = this.#reactor.tick;
    const unfinished = this.#connections.unfinished(slot);
    if (unfinished !== undefined) unfinished.startedAt = this.#reactor.tick;
    this.rearm(slot);
  }

  expired(slot: number): void {
    const phase = this.#connections.phases[slot];
    if (phase === HEAD || phase === ASKING) {
      this.#handshakeExpired(slot);
      return;
    }
    if (phase !== OPEN) {
      this.#departure.release(slot, true);
      return;
    }
    if (this.#isSettling(slot) && this.#reactor.tick >= this.#departure.settlingEndTick(slot)) {
      this.#departure.endSettling(slot);
      return;
    }
    const over = this.#whatIsOver(slot);
    if (over !== undefined) {
      this.#departure.disconnect(slot, over);
      return;
    }
    if (this.#isPingDue(slot)) {
      this.#connections.pingTicks[slot] = this.#reactor.tick;
      this.#delivery.ping(slot);
    }
    this.rearm(slot);
  }

  #isPaused(slot: number): boolean {
    return this.#connections.pauses[slot] !== 0;
  }

  #isSettling(slot: number): boolean {
    return ((this.#connections.pauses[slot] as number) & PAUSED_SETTLING) !== 0;
  }

  #whatIsOver(slot: number): DisconnectName | undefined {
    const { tick } = this.#reactor;
    if (tick >= this.#stallTick(slot)) return "slow-consumer";
    if (this.#isSettling(slot)) return undefined;
    if (tick >= this.#lifetimeTick(slot)) return "lifetime-over";
    if (this.#isPaused(slot)) return undefined;
    if (tick >= this.#unfinishedTick(slot)) return "message-timeout";
    if (tick >= this.#pongTick(slot)) return "ping-timeout";
    if (tick >= this.#idleTick(slot)) return "idle-timeout";
    return undefined;
  }

  #isPingDue(slot: number): boolean {
    const { tick } = this.#reactor;
    if (this.#isPaused(slot) || this.#isPingOut(slot)) return false;
    // Behind a queue the ping would wait, and so would its answer; the stall clock is on.
    if (this.#reactor.outbox.queuedBytes(slot) > 0) return false;
    return tick >= this.#pingTick(slot);
  }

  #nextTick(slot: number): number {
    if (this.#isSettling(slot)) {
      return Math.min(this.#stallTick(slot), this.#departure.settlingEndTick(slot));
    }
    let next = Math.min(this.#stallTick(slot), this.#lifetimeTick(slot));
    if (this.#isPaused(slot)) {
      // To look again at what has begun meanwhile; nothing of it can be over before.
      return Math.min(next, this.#reactor.tick + ticksOf(this.#limits.pongTimeoutMs));
    }
    next = Math.min(next, this.#unfinishedTick(slot), this.#idleTick(slot));
    if (this.#isPingOut(slot)) return Math.min(next, this.#pongTick(slot));
    // Not before the next sweep, for a ping that is due behind a queue.
    return Math.min(next, Math.max(this.#pingTick(slot), this.#reactor.tick + 1));
  }

  #pingTick(slot: number): number {
    if (this.#limits.pingIntervalMs === 0) return NEVER;
    const ticks = jittered(this.#limits.pingIntervalMs / TICK_MS, slot, 0.1);
    return (this.#connections.activeTicks[slot] as number) + Math.max(1, ticks);
  }

  /** Any byte of the client is an answer. */
  #isPingOut(slot: number): boolean {
    const { pingTicks, activeTicks } = this.#connections;
    return (pingTicks[slot] as number) > (activeTicks[slot] as number);
  }

  #pongTick(slot: number): number {
    if (!this.#isPingOut(slot)) return NEVER;
    return (this.#connections.pingTicks[slot] as number) + ticksOf(this.#limits.pongTimeoutMs);
  }

  #idleTick(slot: number): number {
    if (this.#limits.idleTimeoutMs === 0) return NEVER;
    return (this.#connections.activeTicks[slot] as number) + ticksOf(this.#limits.idleTimeoutMs);
  }

  #unfinishedTick(slot: number): number {
    const unfinished = this.#connections.unfinished(slot);
    if (unfinished === undefined) return NEVER;
    return unfinished.startedAt + ticksOf(this.#limits.fragmentedMessageTimeoutMs);
  }

  #stallTick(slot: number): number {
    const progressTick = this.#reactor.outbox.progressTick(slot);
    if (progressTick === 0) return NEVER;
    return progressTick + ticksOf(this.#limits.writeStallTimeoutMs);
  }

  #lifetimeTick(slot: number): number {
    const hub = this.#hubs[this.#connections.hubs[slot] as number] as Hub;
    const { lifetimeMs } = hub.configuration.limits;
    if (lifetimeMs === 0) return NEVER;
    const ticks = jittered(lifetimeMs / TICK_MS, slot, 0.1);
    return (this.#connections.openedTicks[slot] as number) + Math.max(1, ticks);
  }
}

/** Spreads what began together: each slot has its own share of up to `by`, always the same. */
function jittered(ticks: number, slot: number, by: number): number {
  const share = (Math.imul(slot + 1, 0x9e3779b1) >>> 0) / 2 ** 32;
  return Math.round(ticks * (1 - by * share));
}
