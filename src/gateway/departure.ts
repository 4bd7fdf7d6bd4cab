/**
 * How connections end: what the client is told, what the service is told, and how the socket is
 * let go so that the client reads our last words (RFC 9112, 9.6). A close that is nobody's fault
 * waits for the acknowledgements of what the client sent, so that `accepted=<n>` is exact.
 */
import assert from "node:assert/strict";
import type { GatewayLimits } from "../config/configuration.ts";
import type { Budget } from "../core/budget.ts";
import { zeros } from "../metrics/worker-counts.ts";
import { Outbox } from "../reactor/outbox.ts";
import type { Reactor } from "../reactor/reactor.ts";
import { ticksOf } from "../reactor/ticks.ts";
import { encodeClose, writeFrameHeader } from "../websocket/encode.ts";
import { OPCODE_CLOSE } from "../websocket/frame-header.ts";
import type { Violation } from "../websocket/violation.ts";
import {
  CLOSING,
  type ConnectionTable,
  FREE,
  LINGERING,
  OPEN,
  PAUSED_SETTLING,
} from "./connection-table.ts";
import { type DisconnectName, disconnects } from "./disconnect.ts";
import type { Hub } from "./hub.ts";

/** RFC 6455, 5.5: what a close frame's reason may take. */
const REASON_BYTES_MAX = 123;
/** RFC 6455, 7.4.1: these are never sent. */
const NO_CODE = 1005;

/** A close that waits: it is a connection until its close frame goes out. */
interface Settling {
  readonly name: DisconnectName;
  readonly sentence: string | undefined;
  /** At which the close frame goes out, whatever is not acknowledged. */
  readonly endTick: number;
}

export class Departure {
  /** How many connections ended, by the name of the way. */
  readonly closed = zeros(Object.keys(disconnects) as DisconnectName[]);
  readonly #reactor: Reactor;
  readonly #connections: ConnectionTable;
  readonly #hubs: Hub[];
  readonly #budget: Budget;
  readonly #closeTicks: number;
  /** By slot: OPEN, not read, and with PAUSED_SETTLING among its pauses exactly while in here. */
  readonly #settling = new Map<number, Settling>();
  #allSettled: (() => void) | undefined;

  constructor(
    reactor: Reactor,
    connections: ConnectionTable,
    hubs: Hub[],
    budget: Budget,
    limits: GatewayLimits,
  ) {
    this.#reactor = reactor;
    this.#connections = connections;
    this.#hubs = hubs;
    this.#budget = budget;
    this.#closeTicks = ticksOf(limits.closeTimeoutMs);
  }

  /**
   * We close an open connection: our close frame now, or once the service has acknowledged what
   * the client sent; its answer within `closeTimeoutMs`.
   */
  disconnect(slot: number, name: DisconnectName, sentence?: string): void {
    if (this.#connections.phases[slot] !== OPEN) return;
    if (!disconnects[name].settles || this.#connections.unacknowledgedMessages[slot] === 0) {
      this.#close(slot, name, sentence);
    } else if (!this.#settling.has(slot)) {
      this.#settle(slot, name, sentence);
    }
  }

  /** Of a slot that is settling; the sweep after it ends the wait. */
  settlingEndTick(slot: number): number {
    const settling = this.#settling.get(slot);
    assert(settling !== undefined, "this slot is not settling");
    return settling.endTick;
  }

  /** All is acknowledged, or the time for it is over: the close frame goes out. */
  endSettling(slot: number): void {
    const settling = this.#settling.get(slot);
    assert(settling !== undefined, "this slot is not settling");
    this.#close(slot, settling.name, settling.sentence);
  }

  /** Resolves when no close waits any more; those that do after `timeoutMs` are ended. */
  untilSettled(timeoutMs: number): Promise<void> {
    if (this.#settling.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        for (const slot of [...this.#settling.keys()]) this.endSettling(slot);
      }, timeoutMs);
      this.#allSettled = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Replies and pushes still go out, and it is still the service's to refuse. */
  #settle(slot: number, name: DisconnectName, sentence: string | undefined): void {
    const { pauses } = this.#connections;
    const endTick = this.#reactor.tick + this.#closeTicks;
    this.#settling.set(slot, { name, sentence, endTick });
    pauses[slot] = (pauses[slot] as number) | PAUSED_SETTLING;
    this.#reactor.pause(slot);
    // It may have one that is nearer, which then sets this one.
    const deadline = this.#reactor.slots.deadlines[slot] as number;
    if (deadline === 0 || deadline > endTick) this.#reactor.setDeadline(slot, endTick);
  }

  #close(slot: number, name: DisconnectName, sentence: string | undefined): void {
    const { phases } = this.#connections;
    const { code, sentence: usual } = disconnects[name];
    const accepted = this.#connections.accepted(slot);
    this.#depart(slot, name, code, CLOSING);
    this.#sendClose(slot, code, sentence ?? usual, accepted);
    // Making room for the close frame may have found the socket broken, and released it.
    if (phases.at(slot) !== CLOSING) return;
    this.#setCloseDeadline(slot);
    // The client's close frame is looked for in what it sent already, and then in what comes.
    if (this.#reactor.parked.has(slot)) this.#reactor.takeUp(slot);
    else this.#reactor.resume(slot);
  }

  /** The client broke the protocol or a limit: it is told why, and what it sends is discarded. */
  fail(slot: number, { name, closeCode, sentence }: Violation): void {
    this.#cutOff(slot, name, closeCode, sentence);
  }

  /** The buffers are full, and this one holds much of them: what is held for it goes at once. */
  shed(slot: number): void {
    const { name, code, sentence } = BUFFERS_FULL;
    // A close frame behind a queue would be read too late, if ever.
    if (this.#reactor.outbox.queuedBytes(slot) > 0) this.lost(slot, name);
    else this.#cutOff(slot, name, code, sentence);
  }

  /** The client's close frame came: it is answered (RFC 6455, 5.5.1), unless it is an answer. */
  clientClosed(slot: number, code: number): void {
    if (this.#connections.phases[slot] === OPEN) {
      this.#depart(slot, "client-closed", code, CLOSING);
      this.#answerClose(slot, code);
    }
    this.linger(slot);
  }

  /** The socket is gone, or of no use: nobody can be told anything. */
  lost(slot: number, name: DisconnectName): void {
    if (this.#connections.phases[slot] === OPEN) {
      this.#depart(slot, name, disconnects[name].code, FREE);
    }
    this.release(slot, true);
  }

  /** The client finished sending: what is owed to it still goes out, and our FIN behind that. */
  ended(slot: number): void {
    const { outbox } = this.#reactor;
    const phase = this.#connections.phases[slot];
    if (phase === OPEN) {
      this.#depart(slot, "client-hung-up", disconnects["client-hung-up"].code, LINGERING);
    }
    if (!outbox.owes(slot)) {
      this.release(slot, false);
      return;
    }
    this.#connections.leave(slot, LINGERING);
    this.#dropUnfinished(slot);
    outbox.finish(slot);
    // Or its end would be announced for ever. Behind our FIN the socket hangs up.
    this.#reactor.pause(slot);
    if (phase !== LINGERING) this.#setCloseDeadline(slot);
  }

  /** Says these last bytes to a socket that is no connection yet. */
  refuse(slot: number, response: Uint8Array): void {
    if (response.length <= Outbox.BYTES) this.#send(slot, response);
    else {
      const block = { bytes: response, references: 0, droppable: false };
      this.#reactor.outbox.sendBlock(slot, block);
    }
    this.linger(slot);
  }

  /** All is said: a FIN follows it, and input is discarded until the peer ends as well. */
  linger(slot: number): void {
    // Saying it may have found the socket broken, and released it.
    if (this.#connections.phases[slot] === FREE) return;
    this.#connections.leave(slot, LINGERING);
    this.#dropUnfinished(slot);
    this.#reactor.outbox.finish(slot);
    this.#reactor.parked.drop(slot);
    this.#reactor.resume(slot);
    this.#setCloseDeadline(slot);
  }

  /** Closes the socket of a slot that is no connection any more, or never was one. */
  release(slot: number, reset: boolean): void {
    this.#connections.leave(slot, FREE);
    this.#dropUnfinished(slot);
    this.#reactor.close(slot, reset);
  }

  /** What the client sends from now on is discarded. */
  #cutOff(slot: number, name: DisconnectName, code: number, sentence: string): void {
    if (this.#connections.phases[slot] === OPEN) {
      const accepted = this.#connections.accepted(slot);
      this.#depart(slot, name, code, CLOSING);
      this.#sendClose(slot, code, sentence, accepted);
    }
    this.linger(slot);
  }

  /** The one place where a connection stops being one. */
  #depart(slot: number, name: DisconnectName, code: number, phase: number): void {
    const hub = this.#hubs[this.#connections.hubs[slot] as number] as Hub;
    this.closed[name] += 1;
    hub.connections -= 1;
    if (this.#settling.delete(slot) && this.#settling.size === 0) this.#allSettled?.();
    // While the carrier may still ask who this was.
    hub.upstream.disconnected(this.#reactor.placeOf(slot), name, code);
    hub.members.depart(slot);
    this.#connections.leave(slot, phase);
    this.#connections.pauses[slot] = 0;
  }

  #dropUnfinished(slot: number): void {
    const unfinished = this.#connections.unfinished(slot);
    if (unfinished === undefined) return;
    this.#budget.release("unfinished", unfinished.bytesCharged);
    unfinished.free();
    this.#connections.setUnfinished(slot, undefined);
  }

  #setCloseDeadline(slot: number): void {
    this.#reactor.setDeadline(slot, this.#reactor.tick + this.#closeTicks);
  }

  /** RFC 6455, 5.5.1: with the code that came, and without one where none came. */
  #answerClose(slot: number, code: number): void {
    const { outbox, arena } = this.#reactor;
    const payloadBytes = code === NO_CODE ? 0 : 2;
    const offset = outbox.reserve(4);
    writeFrameHeader(arena, offset, OPCODE_CLOSE, payloadBytes);
    arena[offset + 2] = code >>> 8;
    arena[offset + 3] = code;
    outbox.send(slot, offset, 2 + payloadBytes);
  }

  #sendClose(slot: number, code: number, sentence: string, accepted: number): void {
    const suffix = ` accepted=${accepted}`;
    const cut = Buffer.from(sentence)
      .subarray(0, REASON_BYTES_MAX - suffix.length)
      .toString();
    // A character that was cut in two has become one that says so, which may be longer.
    this.#send(slot, encodeClose(code, `${cut.replace(/\uFFFD+$/, "")}${suffix}`));
  }

  #send(slot: number, bytes: Uint8Array): void {
    const offset = this.#reactor.outbox.reserve(bytes.length);
    this.#reactor.arena.set(bytes, offset);
    this.#reactor.outbox.send(slot, offset, bytes.length);
  }
}

const BUFFERS_FULL = { ...disconnects["buffers-full"], name: "buffers-full" } as const;
