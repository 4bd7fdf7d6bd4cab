/**
 * Order across a death. What was delivered to somebody who died, or on a connection that broke,
 * comes again only when its time is over, and newer events come before that. So whenever the
 * count of deliveries has a gap, and at the beginning, all that comes is kept until the server
 * knows of nothing that is out and not here; it is then handled in the order of the stream.
 */
import { type Consumer, JetStreamApiError } from "@nats-io/jetstream";
import { HeadgateError } from "../../core/error.ts";
import type { Held } from "./held-events.ts";

export interface CatchUpParts {
  consumer: Consumer;
  name: string;
  ackWaitMs: number;
  held: Iterable<Held>;
  start: (one: Held) => void;
  report: (error: Error) => void;
}

const LOOK_MS = 200;
/** For what is brought again, of the time after which it is. */
const PATIENCE = 3;

export class CatchUp {
  readonly #parts: CatchUpParts;
  #waiting: Held[] = [];
  #lastDelivery: number | undefined;
  #underWay: object | undefined;
  #wake: (() => void) | undefined;
  #isStopped = false;

  constructor(parts: CatchUpParts) {
    this.#parts = parts;
  }

  get isUnderWay(): boolean {
    return this.#underWay !== undefined;
  }

  /** Before anything is taken. */
  async begin(): Promise<void> {
    const info = await this.#parts.consumer.info();
    this.#lastDelivery = info.delivered.consumer_seq;
    if (info.num_ack_pending > 0) void this.#run();
  }

  /** True when there is a gap before this delivery. */
  sees(deliverySequence: number): boolean {
    const last = this.#lastDelivery;
    this.#lastDelivery = deliverySequence;
    if (last === undefined || deliverySequence === last + 1) return false;
    void this.#run();
    return true;
  }

  wait(one: Held): void {
    this.#waiting.push(one);
  }

  /** What waits is not started any more. */
  stop(): void {
    this.#isStopped = true;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    // One that is under way may have looked before the gap.
    const run = {};
    this.#underWay = run;
    const patienceMs = PATIENCE * this.#parts.ackWaitMs;
    let endMs = performance.now() + patienceMs;
    for (;;) {
      const isWhole = await this.#isWhole();
      if (this.#isStopped || this.#underWay !== run) return;
      if (isWhole) break;
      // Nothing comes again while there is no server, and its time begins anew when there is.
      if (isWhole === undefined) endMs = performance.now() + patienceMs;
      if (performance.now() > endMs) {
        this.#parts.report(othersThere(this.#parts.name));
        break;
      }
      await this.#pause();
    }
    this.#underWay = undefined;
    const waiting = this.#waiting.sort((a, b) => a.streamSequence - b.streamSequence);
    this.#waiting = [];
    for (const one of waiting) this.#parts.start(one);
  }

  /**
   * Of what the server has out at this moment, whether all of it is held here; undefined where it
   * cannot be asked just now.
   */
  async #isWhole(): Promise<boolean | undefined> {
    const { consumer, held } = this.#parts;
    try {
      const info = await consumer.info();
      let here = 0;
      for (const { deliverySequence } of held) {
        if (deliverySequence <= info.delivered.consumer_seq) here += 1;
      }
      return info.num_ack_pending <= here;
    } catch (error) {
      return error instanceof JetStreamApiError ? false : undefined;
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function othersThere(name: string): HeadgateError {
  return new HeadgateError(
    "HG_NATS_ORDER_LOST",
    `Events of the durable consumer "${name}" are taken by another instance too, or it stands ` +
      "still: order is not kept. Give each instance a durable of its own, with its partitions, " +
      "or say isShared.",
  );
}
