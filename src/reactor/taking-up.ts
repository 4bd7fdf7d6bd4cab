/**
 * Parked input that may be processed, taken up one slot after the other, as if it had just been
 * read: it is copied back into the arena's part for input, which no turn is using meanwhile.
 */
import { slotOf } from "../core/connection-id.ts";
import type { Reactor, SocketEvents } from "./reactor.ts";

/** Room before a read, so that an answer's header can stand before its payload. */
export const READ_MARGIN_BYTES = 16;

interface Parts {
  reactor: Pick<Reactor, "arena" | "isCurrent" | "outbox" | "parked">;
  /** The arena's part for input. */
  start: number;
  end: number;
  /** For so long at a time. */
  budgetMs: number;
  eventsOf: (slot: number) => SocketEvents;
}

export class TakingUp {
  readonly #parts: Parts;
  #places: number[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  add(place: number): void {
    this.#places.push(place);
  }

  /** True where some are left for the next iteration of the event loop. */
  run(): boolean {
    const { budgetMs, end, eventsOf, reactor, start } = this.#parts;
    const { arena, outbox, parked } = reactor;
    const startedAtMs = performance.now();
    const places = this.#places;
    this.#places = [];
    let offset = start + READ_MARGIN_BYTES;
    for (const [index, place] of places.entries()) {
      if (performance.now() - startedAtMs > budgetMs) {
        this.#places = [...places.slice(index), ...this.#places];
        return true;
      }
      if (!reactor.isCurrent(place)) continue;
      const slot = slotOf(place);
      const events = eventsOf(slot);
      const bytes = parked.take(slot);
      if (bytes !== undefined) {
        if (offset + bytes.length > end) {
          outbox.flush();
          offset = start + READ_MARGIN_BYTES;
        }
        arena.set(bytes, offset);
        events.received(slot, offset, offset + bytes.length);
        offset += bytes.length + READ_MARGIN_BYTES;
      }
      if (reactor.isCurrent(place)) events.tookUp(slot);
    }
    return false;
  }
}
