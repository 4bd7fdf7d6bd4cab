/**
 * Handshakes: connections are opened and, as soon as they are, closed as a client should. At a
 * rate each is measured from when it was due; without one, as many are under way as are allowed.
 */
import type { Clients } from "./clients.ts";
import type { Load } from "./load.ts";
import { Pacer } from "./pacer.ts";

export class Connect implements Load {
  readonly opensFirst = false;
  readonly #clients: Clients;
  readonly #concurrency: number;
  readonly #ratePerSecond: number | undefined;
  #untilMs = 0;
  /** Those that are due and not dialled yet, by when they were due. */
  readonly #waiting: number[] = [];
  #pacer: Pacer | undefined;
  #isPaced = false;
  #done: (() => void) | undefined;

  constructor(clients: Clients, concurrency: number, ratePerSecond: number | undefined) {
    this.#clients = clients;
    this.#concurrency = concurrency;
    this.#ratePerSecond = ratePerSecond;
  }

  begin(untilMs: number, done: () => void): void {
    this.#done = done;
    this.#untilMs = untilMs;
    if (this.#ratePerSecond === undefined) {
      this.#fill();
      return;
    }
    const due = (_index: number, intendedMs: number): void => {
      this.#waiting.push(intendedMs);
      this.#fill();
    };
    const ended = () => {
      this.#isPaced = true;
      this.#checkDone();
    };
    this.#pacer = new Pacer(performance.now(), 1000 / this.#ratePerSecond, untilMs, due, ended);
  }

  opened(slot: number): void {
    const { tally, dialledAtMs } = this.#clients;
    tally.messages += 1;
    tally.latency.record(performance.now() - (dialledAtMs[slot] as number), 1);
    this.#clients.close(slot);
  }

  received(): void {}

  lost(): void {
    this.ended();
  }

  ended(): void {
    // Not from within: a dial that fails at once would dial again at once, and for ever.
    setImmediate(() => this.#fill());
  }

  stop(isTooLate: boolean): void {
    this.#pacer?.stop();
    this.#isPaced = true;
    this.#untilMs = 0;
    const unsent = this.#waiting.splice(0).length;
    if (isTooLate) this.#clients.tally.unsent += unsent;
    if (isTooLate && this.#clients.pending > 0) {
      this.#clients.tally.error("timeout", this.#clients.pending);
    }
    this.#clients.dropPending();
    this.#done?.();
  }

  #fill(): void {
    const nowMs = performance.now();
    const isOpenLoop = this.#ratePerSecond !== undefined;
    let room = this.#concurrency - this.#clients.sockets;
    for (; room > 0; room -= 1) {
      const dueMs = isOpenLoop ? this.#waiting.shift() : nowMs;
      if (dueMs === undefined || (!isOpenLoop && nowMs >= this.#untilMs)) break;
      this.#clients.dial(dueMs);
    }
    if (!isOpenLoop && nowMs >= this.#untilMs) this.#isPaced = true;
    this.#checkDone();
  }

  #checkDone(): void {
    const isIdle = this.#waiting.length === 0 && this.#clients.sockets === 0;
    if (this.#isPaced && isIdle) this.#done?.();
  }
}
