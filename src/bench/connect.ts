/**
 * Handshakes: connections are opened and, as soon as they are, closed as a client should. At a
 * rate each is measured from when it was due, which is arithmetic: nothing is kept for those that
 * wait. Without one, as many are under way as are allowed.
 */
import { type Clients, NOT_CLOSED } from "./clients.ts";
import type { Load } from "./load.ts";
import { Pacer } from "./pacer.ts";

export class Connect implements Load {
  readonly opensFirst = false;
  readonly #clients: Clients;
  readonly #concurrency: number;
  /** Undefined without a rate. */
  readonly #stepMs: number | undefined;
  #startMs = 0;
  #untilMs = 0;
  /** Those that were due so far, and those of them that were dialled. */
  #due = 0;
  #dialled = 0;
  #pacer: Pacer | undefined;
  #isPaced = false;
  #done: (() => void) | undefined;

  constructor(clients: Clients, concurrency: number, ratePerSecond: number | undefined) {
    this.#clients = clients;
    this.#concurrency = concurrency;
    this.#stepMs = ratePerSecond === undefined ? undefined : 1000 / ratePerSecond;
  }

  begin(untilMs: number, done: () => void): void {
    this.#done = done;
    this.#startMs = performance.now();
    this.#untilMs = untilMs;
    if (this.#stepMs === undefined) {
      this.#fill();
      return;
    }
    const due = (): void => {
      this.#due += 1;
      this.#fill();
    };
    const ended = () => {
      this.#isPaced = true;
      this.#checkDone();
    };
    this.#pacer = new Pacer(this.#startMs, this.#stepMs, untilMs, due, ended);
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
    const { pending, sockets, tally } = this.#clients;
    this.#pacer?.stop();
    this.#isPaced = true;
    this.#untilMs = 0;
    if (isTooLate) {
      tally.unsent += this.#due - this.#dialled;
      if (pending > 0) tally.error("timeout", pending);
      if (sockets > pending) tally.error(NOT_CLOSED, sockets - pending);
    }
    this.#due = this.#dialled;
    this.#clients.dropPending();
    this.#done?.();
  }

  #fill(): void {
    const nowMs = performance.now();
    const room = this.#concurrency - this.#clients.sockets;
    if (this.#stepMs === undefined) this.#dialNow(nowMs, room);
    else this.#dialDue(nowMs, room, this.#stepMs);
    this.#checkDone();
  }

  #dialNow(nowMs: number, room: number): void {
    if (nowMs >= this.#untilMs) this.#isPaced = true;
    else for (let left = room; left > 0; left -= 1) this.#clients.dial(nowMs);
  }

  #dialDue(nowMs: number, room: number, stepMs: number): void {
    for (let left = room; left > 0 && this.#dialled < this.#due; left -= 1) {
      const dueMs = this.#startMs + this.#dialled * stepMs;
      this.#dialled += 1;
      this.#clients.tally.lateness.record(Math.max(0, nowMs - dueMs), 1);
      this.#clients.dial(dueMs);
    }
  }

  #checkDone(): void {
    const isIdle = this.#dialled === this.#due && this.#clients.sockets === 0;
    if (this.#isPaced && isIdle) this.#done?.();
  }
}
