/**
 * The events of a durable consumer that have come and are not acknowledged. The server is told
 * now and then that they are being worked on, lest it brings them again.
 */
import type { JsMsg } from "@nats-io/jetstream";
import { type HeaderMap, headersOf } from "./received.ts";

export class Held {
  /** As it came last. */
  message: JsMsg;
  readonly headers: HeaderMap;
  /** It has its place in the line of its connection. */
  isStarted = false;
  retries = 0;
  failures = 0;
  /** It has been held for a whole beat. */
  isOld = false;

  constructor(message: JsMsg) {
    this.message = message;
    this.headers = headersOf(message);
  }

  get streamSequence(): number {
    return this.message.info.streamSequence;
  }

  get deliverySequence(): number {
    return this.message.info.deliverySequence;
  }
}

export class HeldEvents implements Iterable<Held> {
  readonly #bySequence = new Map<number, Held>();
  readonly #beatMs: number;
  readonly #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(ackWaitMs: number) {
    this.#beatMs = Math.floor(ackWaitMs / 3);
  }

  add(message: JsMsg): Held {
    const one = new Held(message);
    this.#bySequence.set(one.streamSequence, one);
    this.#timer ??= setInterval(() => this.#beat(), this.#beatMs);
    return one;
  }

  /** False when it is not held. */
  renew(streamSequence: number, message: JsMsg): boolean {
    const one = this.#bySequence.get(streamSequence);
    if (one === undefined) return false;
    one.message = message;
    return true;
  }

  delete({ streamSequence }: Held): void {
    this.#bySequence.delete(streamSequence);
    if (this.#bySequence.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  idle(): Promise<void> {
    if (this.#bySequence.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Nothing is told to the server any more: what is left comes again. */
  abandon(): void {
    clearInterval(this.#timer);
  }

  [Symbol.iterator](): IterableIterator<Held> {
    return this.#bySequence.values();
  }

  #beat(): void {
    for (const one of this.#bySequence.values()) {
      try {
        if (one.isOld) one.message.working();
      } catch {
        // The connection was closed, which its owner knows: what is held comes again.
        this.abandon();
        return;
      }
      one.isOld = true;
    }
  }
}
