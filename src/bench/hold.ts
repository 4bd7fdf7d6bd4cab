/**
 * Connections that are open and say nothing: it answers pings, and what is lost is counted. What
 * the server sends besides is read and not judged.
 */
import type { Clients } from "./clients.ts";
import { IdleReader } from "./idle-reader.ts";
import type { Load } from "./load.ts";

export class Hold implements Load {
  readonly opensFirst = true;
  readonly #reader: IdleReader;
  #timer: NodeJS.Timeout | undefined;
  #done: (() => void) | undefined;

  constructor(clients: Clients) {
    const { tally } = clients;
    this.#reader = new IdleReader(clients, () => {
      tally.messages += 1;
    });
  }

  begin(untilMs: number, done: () => void): void {
    this.#done = done;
    this.#timer = setTimeout(done, untilMs - performance.now());
  }

  opened(slot: number): void {
    this.#reader.reset(slot);
  }

  received(slot: number, offset: number, end: number): void {
    this.#reader.read(slot, offset, end);
  }

  lost(slot: number): void {
    this.#reader.reset(slot);
  }

  ended(): void {}

  stop(): void {
    clearTimeout(this.#timer);
    this.#done?.();
  }
}
