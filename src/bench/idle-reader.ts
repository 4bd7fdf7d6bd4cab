/**
 * Reads the frames of connections that wait for none in particular: pings are answered, closes and
 * faults end the connection, and messages go to whoever wants them.
 */
import type { Clients } from "./clients.ts";
import {
  CLOSE,
  FAULT,
  MESSAGE,
  MORE,
  PING,
  ServerFrames,
  type UnfinishedFrames,
} from "./server-frames.ts";

/** Of a message that nobody asked for. */
const MESSAGE_BYTES_MAX = 16 << 20;

export class IdleReader {
  readonly #clients: Clients;
  readonly #frames = new ServerFrames();
  readonly #unfinished = new Map<number, UnfinishedFrames>();
  readonly #message: (slot: number, payload: Uint8Array) => void;

  constructor(clients: Clients, message: (slot: number, payload: Uint8Array) => void) {
    this.#clients = clients;
    this.#message = message;
  }

  reset(slot: number): void {
    this.#unfinished.delete(slot);
  }

  /** Whether the slot is in the middle of a frame or a message. */
  isWithin(slot: number): boolean {
    return this.#unfinished.size > 0 && this.#unfinished.has(slot);
  }

  read(slot: number, offset: number, end: number): void {
    const frames = this.#frames;
    const { arena } = this.#clients.reactor;
    frames.unfinished = this.#unfinished.get(slot);
    let event = frames.next(arena, offset, end, MESSAGE_BYTES_MAX);
    while (event !== MORE) {
      const { payloadOffset, payloadLength } = frames;
      const payload = frames.payload.subarray(payloadOffset, payloadOffset + payloadLength);
      if (event === CLOSE) this.#clients.closedByServer(slot, frames.closeCode);
      else if (event === FAULT) this.#clients.lose(slot, frames.fault);
      else if (event === PING) this.#clients.pong(slot, payload);
      else if (event === MESSAGE) this.#message(slot, payload);
      if (!this.#clients.isOpen(slot)) return;
      event = frames.next(arena, frames.position, end, MESSAGE_BYTES_MAX);
    }
    if (frames.unfinished === undefined) this.#unfinished.delete(slot);
    else this.#unfinished.set(slot, frames.unfinished);
  }
}
