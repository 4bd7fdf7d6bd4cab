/**
 * Opens connections at a steady rate, with no more handshakes under way than are allowed, until
 * all are open or have come to nothing.
 */
import type { Clients } from "./clients.ts";

const STEP_MS = 10;

export class Ramp {
  readonly #clients: Clients;
  readonly #connections: number;
  readonly #ratePerSecond: number;
  readonly #concurrency: number;
  readonly #done: () => void;
  readonly #startMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  #dialled = 0;

  constructor(
    clients: Clients,
    connections: number,
    ratePerSecond: number,
    concurrency: number,
    done: () => void,
  ) {
    this.#clients = clients;
    this.#connections = connections;
    this.#ratePerSecond = ratePerSecond;
    this.#concurrency = concurrency;
    this.#done = done;
    this.#timer = setInterval(() => this.#step(), STEP_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #step(): void {
    const nowMs = performance.now();
    const due = Math.ceil(((nowMs - this.#startMs) * this.#ratePerSecond) / 1000);
    const dialledMax = Math.min(this.#connections, due);
    while (this.#dialled < dialledMax && this.#clients.pending < this.#concurrency) {
      this.#dialled += 1;
      this.#clients.dial(nowMs);
    }
    if (this.#dialled < this.#connections || this.#clients.pending > 0) return;
    this.stop();
    this.#done();
  }
}
