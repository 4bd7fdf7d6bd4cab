/**
 * Sends messages of a flight, once encoded: small flights from the arena, where one call sends for
 * all connections of a turn, large messages as blocks that all write queues share.
 */
import type { Outbox } from "../reactor/outbox.ts";
import type { Block } from "../reactor/write-queue.ts";
import type { Clients } from "./clients.ts";
import type { Flight } from "./flight.ts";

/** Larger flights are copied whole when a socket does not take them. */
const FIXED_BYTES_MAX = 64 << 10;

export class FlightSender {
  readonly #clients: Clients;
  readonly #outbox: Outbox;
  readonly #flight: Flight;
  readonly #offset: number;
  readonly #blocks: Block[] = [];

  constructor(clients: Clients, flight: Flight) {
    this.#clients = clients;
    this.#outbox = clients.reactor.outbox;
    this.#flight = flight;
    const { frames, frameBytes, count } = flight;
    const isSmall = frames.length <= FIXED_BYTES_MAX;
    this.#offset = isSmall ? clients.fix(frames) : -1;
    for (let index = 0; index < count && !isSmall; index += 1) {
      const bytes = frames.subarray(index * frameBytes, (index + 1) * frameBytes);
      // One reference is ours: the block is never done with, and no budget is charged.
      this.#blocks.push({ bytes, references: 1, droppable: false });
    }
  }

  /** `count` messages from number `first` of the flight on; not beyond its end. */
  send(slot: number, first: number, count: number): void {
    const { frameBytes } = this.#flight;
    this.#clients.tally.sentBytes += count * frameBytes;
    if (this.#offset >= 0) {
      this.#outbox.send(slot, this.#offset + first * frameBytes, count * frameBytes);
      return;
    }
    for (let index = first; index < first + count; index += 1) {
      this.#outbox.sendBlock(slot, this.#blocks[index] as Block);
    }
  }
}
