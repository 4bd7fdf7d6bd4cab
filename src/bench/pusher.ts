/**
 * Makes the pushes of a fan-out and waits for their deliveries: one after the other, or at a rate.
 * Over REST they leave from here, one at a time so that their order is known; otherwise the first
 * generator sends them over a connection of its own. Nothing is kept for pushes that are only due.
 */
import type { Delivered } from "./fanout.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { Pacer } from "./pacer.ts";
import { encodePush, monotonicOffsetMs, pushesMax } from "./push-payload.ts";

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
  readonly #awaitedMax: number;
  /** At a rate: pushes that were due so far. */
  #due = 0;
  /** And when the last one of them may leave that had to wait. */
  #lastMs = 0;
  /** A call over REST is under way. */
  #isCalling = false;
  /** Called when a push may leave that could not, or when none is left. */
  #tellChanged: () => void = () => {};
  /** Why the last push was refused, which ended the run. */
  refusal: Error | undefined;
  #isStopped = false;
  #tellStopped: () => void = () => {};
  readonly #stopped = new Promise<void>((resolve) => {
    this.#tellStopped = resolve;
  });

  constructor(options: PusherOptions) {
    this.#options = options;
    this.#awaitedMax = pushesMax(options.payloadBytes);
  }

  /** Pushes that were due and not made, as the server did not take them any faster. */
  get unsent(): number {
    return Math.max(0, this.#due - this.pushes);
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

  /**
   * Resolves when the last push is delivered, has timed out, or one is refused; rejects when that
   * is the first.
   */
  async run(startMs: number, untilMs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, startMs - performance.now()));
    if (this.#options.ratePerSecond === undefined) await this.#runClosed(untilMs);
    else await this.#runOpen(startMs, untilMs, this.#options.ratePerSecond);
    if (this.refusal !== undefined && this.pushes === 0) throw this.refusal;
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
    const stepMs = 1000 / ratePerSecond;
    let isPaced = false;
    const isMade = () => this.pushes === this.#due || performance.now() >= this.#lastMs;
    const isOver = () => isPaced && !this.#isCalling && this.#awaited.size === 0 && isMade();
    const over = new Promise<void>((resolve) => {
      this.#tellChanged = () => {
        while (this.#mayPush()) void this.#push(startMs + this.pushes * stepMs + monotonicOffsetMs);
        if (isOver()) resolve();
      };
    });
    const due = (): void => {
      this.#due += 1;
      this.#tellChanged();
    };
    const ended = () => {
      isPaced = true;
      this.#tellChanged();
    };
    const pacer = new Pacer(startMs, stepMs, untilMs, due, ended);
    const { timeoutMs } = this.#options;
    // Half of the time to make those that wait, and half for the last of them to be delivered.
    this.#lastMs = untilMs + timeoutMs / 2;
    const giveUp = () => {
      this.late += this.#awaited.size;
      this.stop();
    };
    const patience = setTimeout(giveUp, untilMs + timeoutMs - performance.now());
    await Promise.race([over, this.#stopped]);
    clearTimeout(patience);
    pacer.stop();
    this.#tellChanged = () => {};
  }

  #mayPush(): boolean {
    const isFree = !this.#isStopped && !this.#isCalling && this.#awaited.size < this.#awaitedMax;
    return isFree && this.pushes < this.#due && performance.now() < this.#lastMs;
  }

  async #push(sentAtMs: number | undefined): Promise<void> {
    if (this.#isStopped) return;
    this.pushes += 1;
    const number = this.pushes;
    const delivered = this.#await(number);
    const { rest, send } = this.#options;
    if (rest === undefined) send(number, sentAtMs);
    else await this.#pushByRest(rest, number, sentAtMs);
    if (!(await delivered) && !this.#isStopped) this.late += 1;
    this.#tellChanged();
  }

  async #pushByRest(
    rest: (payload: Uint8Array) => Promise<void>,
    number: number,
    sentAtMs = performance.now() + monotonicOffsetMs,
  ): Promise<void> {
    this.#isCalling = true;
    try {
      await rest(encodePush({ number, sentAtMs }, this.#options.payloadBytes));
    } catch (error) {
      this.refusal = error as Error;
      // Nobody is to miss it.
      this.pushes -= 1;
      this.stop();
    }
    this.#isCalling = false;
    this.#tellChanged();
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
