/**
 * How connections end: what the client is told, what the service is told, and how the socket is
 * let go so that the client reads our last words (RFC 9112, 9.6).
 */
import type { GatewayLimits } from "../config/configuration.ts";
import type { Budget } from "../core/budget.ts";
import { zeros } from "../metrics/worker-counts.ts";
import { Outbox } from "../reactor/outbox.ts";
import type { Reactor } from "../reactor/reactor.ts";
import { ticksOf } from "../reactor/ticks.ts";
import { encodeClose } from "../websocket/encode.ts";
import type { Violation } from "../websocket/violation.ts";
import { CLOSING, type ConnectionTable, FREE, LINGERING, OPEN } from "./connection-table.ts";
import { type DisconnectName, disconnects } from "./disconnect.ts";
import type { Hub } from "./hub.ts";

/** RFC 6455, 5.5: what a close frame's reason may take. */
const REASON_BYTES_MAX = 123;
/** RFC 6455, 7.4.1: these are never sent. */
const NO_CODE = 1005;

export class Departure {
  /** How many connections ended, by the name of the way. */
  readonly closed = zeros(Object.keys(disconnects) as DisconnectName[]);
  readonly #reactor: Reactor;
  readonly #connections: ConnectionTable;
  readonly #hubs: Hub[];
  readonly #budget: Budget;
  readonly #closeTicks: number;

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

  /** We close an open connection: our close frame now, its answer within `closeTimeoutMs`. */
  disconnect(slot: number, name: DisconnectName, sentence?: string): void {
    const { phases } = this.#connections;
    if (phases[slot] !== OPEN) return;
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
      if (code === NO_CODE) this.#send(slot, EMPTY_CLOSE);
      else this.#send(slot, encodeClose(code, ""));
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

/** RFC 6455, 5.5.1: a close frame without a code is answered by one without. */
const EMPTY_CLOSE = Uint8Array.of(0x88, 0);
