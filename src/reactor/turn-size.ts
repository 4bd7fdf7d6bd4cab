/**
 * How many sockets the next turn reads. It knows only how much the last one brought: of many with
 * little each costs fewer calls, and few with much are read in larger pieces.
 */

/** More in one turn doubled the p99 at 16 KiB. */
export const EVENTS_MAX = 128;
const EVENTS_MIN = 2;
/** A read takes its share of these, within the bounds below them. */
export const TURN_BYTES = 1 << 20;
export const READ_BYTES_MIN = 64 << 10;
export const READ_BYTES_MAX = 512 << 10;
/** What is read should still be in the core's second cache when it is sent. */
const CACHED_BYTES = 512 << 10;

export class TurnSize {
  events = EVENTS_MAX;
  #bytes = 0;

  /** One of the turn's sockets brought so many. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Behind a turn of so many records; of one without any there is nothing to learn. */
  adapt(records: number): void {
    if (records === 0) return;
    const events = Math.floor((CACHED_BYTES * records) / Math.max(this.#bytes, 1));
    this.events = Math.min(EVENTS_MAX, Math.max(EVENTS_MIN, events));
    this.#bytes = 0;
  }
}
