/**
 * What the gateway knows of each connection, as a struct of arrays over the reactor's slots.
 * Objects exist only for what a connection really has: a name, an unfinished message.
 */
import type { UnfinishedMessage } from "../websocket/unfinished-message.ts";

/** The phases of a socket's life; `ConnectionTable.phases` holds one for each slot. */
export const FREE = 0;
/** Its request head is being read. */
export const HEAD = 1;
/** The service is being asked whether it may come in. */
export const ASKING = 2;
/** Open: only in this phase is it a connection to services and pushers. */
export const OPEN = 3;
/** Our close frame is on its way; the peer's is awaited. */
export const CLOSING = 4;
/** All is said; input is discarded until the peer ends, so that it reads our last words. */
export const LINGERING = 5;

/** Why a slot is not read; `ConnectionTable.pauses` holds a set of these. */
export const PAUSED_ASKING = 1;
/** Unacknowledged messages fill the window. */
export const PAUSED_WINDOW = 2;
/** The client does not read the answers to what it sends. */
export const PAUSED_BACKLOG = 4;
/** The worker's buffers are nearly full. */
export const PAUSED_BUDGET = 8;
/** We close it, and its close frame waits for what the service has not acknowledged. */
export const PAUSED_SETTLING = 16;

export class ConnectionTable {
  readonly phases: Uint8Array;
  readonly pauses: Uint8Array;
  /** Index of its hub, from ASKING on. */
  readonly hubs: Uint16Array;
  readonly messagesReceived: Uint32Array;
  readonly unacknowledgedMessages: Uint32Array;
  readonly unacknowledgedBytes: Uint32Array;
  readonly openedTicks: Uint32Array;
  /** When the last byte came in. */
  readonly activeTicks: Uint32Array;
  /** When our last ping went out; it is unanswered while this is after `activeTicks`. */
  readonly pingTicks: Uint32Array;
  /** Tokens for control frames that were left at the tick beside it. */
  readonly controlTokens: Float32Array;
  readonly controlTicks: Uint32Array;
  /** Messages to it are deflated with a window of 2^bits; 0: compression was not negotiated. */
  readonly deflateWindowBits: Uint8Array;
  readonly #unfinished = new Map<number, UnfinishedMessage>();
  readonly #subprotocols = new Map<number, string>();
  readonly #connectionStates = new Map<number, string>();
  openCount = 0;
  /** Handshakes under way. */
  pendingCount = 0;
  /** Slots that are not FREE. */
  socketCount = 0;

  constructor(capacity: number) {
    this.phases = new Uint8Array(capacity);
    this.pauses = new Uint8Array(capacity);
    this.hubs = new Uint16Array(capacity);
    this.messagesReceived = new Uint32Array(capacity);
    this.unacknowledgedMessages = new Uint32Array(capacity);
    this.unacknowledgedBytes = new Uint32Array(capacity);
    this.openedTicks = new Uint32Array(capacity);
    this.activeTicks = new Uint32Array(capacity);
    this.pingTicks = new Uint32Array(capacity);
    this.controlTokens = new Float32Array(capacity);
    this.controlTicks = new Uint32Array(capacity);
    this.deflateWindowBits = new Uint8Array(capacity);
  }

  /** A slot was accepted: whatever was here before is over. */
  begin(slot: number, tick: number): void {
    this.phases[slot] = HEAD;
    this.pauses[slot] = 0;
    this.deflateWindowBits[slot] = 0;
    this.pingTicks[slot] = 0;
    this.messagesReceived[slot] = 0;
    this.unacknowledgedMessages[slot] = 0;
    this.unacknowledgedBytes[slot] = 0;
    this.activeTicks[slot] = tick;
    this.pendingCount += 1;
    this.socketCount += 1;
  }

  open(slot: number, tick: number, controlTokens: number): void {
    this.phases[slot] = OPEN;
    this.openedTicks[slot] = tick;
    this.activeTicks[slot] = tick;
    this.controlTokens[slot] = controlTokens;
    this.controlTicks[slot] = tick;
    this.pendingCount -= 1;
    this.openCount += 1;
  }

  /** Leaves HEAD, ASKING or OPEN for a later phase, or for FREE. */
  leave(slot: number, phase: number): void {
    const before = this.phases[slot] as number;
    if (before === HEAD || before === ASKING) this.pendingCount -= 1;
    if (before === OPEN) {
      this.openCount -= 1;
      this.#subprotocols.delete(slot);
      this.#connectionStates.delete(slot);
    }
    if (phase === FREE && before !== FREE) this.socketCount -= 1;
    this.phases[slot] = phase;
  }

  unfinished(slot: number): UnfinishedMessage | undefined {
    return this.#unfinished.size === 0 ? undefined : this.#unfinished.get(slot);
  }

  setUnfinished(slot: number, unfinished: UnfinishedMessage | undefined): void {
    if (unfinished !== undefined) this.#unfinished.set(slot, unfinished);
    else if (this.#unfinished.size > 0) this.#unfinished.delete(slot);
  }

  subprotocol(slot: number): string | undefined {
    return this.#subprotocols.get(slot);
  }

  setSubprotocol(slot: number, subprotocol: string | undefined): void {
    setOrDelete(this.#subprotocols, slot, subprotocol);
  }

  connectionState(slot: number): string | undefined {
    return this.#connectionStates.get(slot);
  }

  setConnectionState(slot: number, connectionState: string | undefined): void {
    setOrDelete(this.#connectionStates, slot, connectionState);
  }

  /** How many of the client's messages the service has acknowledged. */
  accepted(slot: number): number {
    return (this.messagesReceived[slot] as number) - (this.unacknowledgedMessages[slot] as number);
  }
}

function setOrDelete(map: Map<number, string>, slot: number, value: string | undefined): void {
  if (value === undefined) map.delete(slot);
  else map.set(slot, value);
}
