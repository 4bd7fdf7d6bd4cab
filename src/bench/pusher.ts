/**
 * Makes the pushes of a fan-out and waits for their deliveries: one after the other, or at a rate.
 * Over REST they leave from here, one at a time so that their order is known; otherwise the first
 * generator sends them over a connection of its own.
 */
import type { Delivered } from "./fanout.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { Pacer } from "./pacer.ts";
import { encodePush, monotonicOffsetMs } from "./push-payload.ts";

export interface PusherOptions {
  payloadBytes: number;
  timeoutMs: number;
  ratePerSecond: number | undefined;
  /** Processes that have receivers. */
  processes: number;
  /** Over REST; it rejects when the push is refused. */
  rest: ((payload: Uint8Array) => Promise<void>) | undefined;
  /** Over the sender's connection. */
  send: (number: number, sentAtMs: number | undefined) => void;
}

interface Awaited {
  processes: number;
  lastAtMs: number;
  resolve: (inTime: boolean) => void;
}

export class Pusher {
  /** From the push to its last delivery. */
  readonly spans = new LatencyHistogram();
  pushes = 0;
  /** Pushes that were not delivered to all in time. */
  late = 0;
  readonly #options: PusherOptions;
  readonly #awaited = new Map<number, Awaited>();
  #order: Promise<unknown> = Promise.resolve();
  #failure: Error | undefined;
  #isStopped = false;
  #tellStopped: () => void = () => {};
  readonly #stopped = new Promise<void>((resolve) => {
    this.#tellStopped = resolve;
  });

  constructor(options: PusherOptions) {
    this.#options = options;
  }

  delivered({ number, sentAtMs, lastAtMs }: Delivered): void {
    const push = this.#awaited.get(number);
    if (push === undefined) return;
    push.processes -= 1;
    push.lastAtMs = Math.max(push.lastAtMs, lastAtMs);
    if (push.processes > 0) return;
    this.spans.record(Math.max(0, push.lastAtMs - sentAtMs), 1);
    push.resolve(true);
  }

  /** Resolves when the last push is delivered, or has timed out; rejects when one is refused. */
  async run(startMs: number, untilMs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, startMs - performance.now()));
    if (this.#options.ratePerSecond === undefined) await this.#runClosed(untilMs);
    else await this.#runOpen(startMs, untilMs, this.#options.ratePerSecond);
    if (this.#failure !== undefined) throw this.#failure;
  }

  stop(): void {
    this.#isStopped = true;
    this.#tellStopped();
    for (const push of this.#awaited.values()) push.resolve(false);
  }

  async #runClosed(untilMs: number): Promise<void> {
    while (performance.now() < untilMs && !this.#isStopped) {
      await this.#push(undefined);
    }
  }

  async #runOpen(startMs: number, untilMs: number, ratePerSecond: number): Promise<void> {
    const pushes: Promise<void>[] = [];
    const due = (_index: number, intendedMs: number): void => {
      pushes.push(this.#push(intendedMs + monotonicOffsetMs));
    };
    let ended = () => {};
    const paced = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const pacer = new Pacer(startMs, 1000 / ratePerSecond, untilMs, due, ended);
    await Promise.race([paced, this.#stopped]);
    pacer.stop();
    await Promise.all(pushes);
  }

  async #push(sentAtMs: number | undefined): Promise<void> {
    if (this.#isStopped) return;
    this.pushes += 1;
    const number = this.pushes;
    const delivered = this.#await(number);
    const { rest, send } = this.#options;
    if (rest === undefined) send(number, sentAtMs);
    else this.#order = this.#order.then(() => this.#pushByRest(rest, number, sentAtMs));
    if (!(await delivered) && !this.#isStopped) this.late += 1;
  }

  async #pushByRest(
    rest: (payload: Uint8Array) => Promise<void>,
    number: number,
    sentAtMs = performance.now() + monotonicOffsetMs,
  ): Promise<void> {
    if (this.#isStopped) return;
    try {
      await rest(encodePush({ number, sentAtMs }, this.#options.payloadBytes));
    } catch (error) {
      this.#failure ??= error as Error;
      this.stop();
    }
  }

  #await(number: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(false), this.#options.timeoutMs);
      const settle = (inTime: boolean) => {
        clearTimeout(timer);
        this.#awaited.delete(number);
        resolve(inTime);
      };
      const { processes } = this.#options;
      this.#awaited.set(number, { processes, lastAtMs: 0, resolve: settle });
    });
  }
}
