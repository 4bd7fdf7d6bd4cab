/**
 * Echo in a closed loop: every connection sends a flight of messages, waits for all the answers
 * and sends the next. It finds how much a server takes; latency says little, since whoever answers
 * late is asked less.
 */
import type { Clients } from "./clients.ts";
import { EchoAnswers } from "./echo-answers.ts";
import type { Flight } from "./flight.ts";
import { FlightSender } from "./flight-sender.ts";
import type { Load } from "./load.ts";

export class ClosedEcho implements Load {
  readonly opensFirst = true;
  readonly #clients: Clients;
  readonly #answers: EchoAnswers;
  readonly #sender: FlightSender;
  readonly #count: number;
  readonly #timeoutMs: number;
  readonly #departedAtMs: Float64Array;
  #untilMs = 0;
  /** Connections whose flight has not landed. */
  #flying = 0;
  #done: (() => void) | undefined;

  constructor(clients: Clients, flight: Flight, timeoutMs: number) {
    this.#clients = clients;
    this.#answers = new EchoAnswers(clients, flight);
    this.#sender = new FlightSender(clients, flight);
    this.#count = flight.count;
    this.#timeoutMs = timeoutMs;
    this.#departedAtMs = new Float64Array(clients.reactor.slots.capacity);
  }

  begin(untilMs: number, done: () => void): void {
    this.#untilMs = untilMs;
    this.#done = done;
    for (const slot of this.#clients.openSlots()) {
      this.#flying += 1;
      this.#depart(slot, performance.now());
    }
    this.#checkDone();
  }

  opened(slot: number): void {
    this.#answers.reset(slot);
  }

  received(slot: number, offset: number, end: number): void {
    const answered = this.#answers.take(slot, offset, end);
    if (answered === 0) return;
    const nowMs = performance.now();
    const { tally } = this.#clients;
    tally.messages += answered;
    tally.latency.record(nowMs - (this.#departedAtMs[slot] as number), answered);
    if (this.#answers.unanswered[slot] !== 0 || !this.#clients.isOpen(slot)) return;
    if (nowMs < this.#untilMs) {
      this.#depart(slot, nowMs);
      return;
    }
    this.#clients.setTimeout(slot, 0);
    this.#landed();
  }

  /** It may have been lost behind its last answer of a flight, and then owes nothing. */
  lost(slot: number): void {
    this.#answers.reset(slot);
    if (this.#flying > 0) this.#landed();
  }

  ended(): void {}

  stop(isTooLate: boolean): void {
    this.#untilMs = 0;
    if (!isTooLate) return;
    for (const slot of this.#clients.openSlots()) {
      if (this.#answers.unanswered[slot] !== 0) this.#clients.lose(slot, "timeout");
    }
  }

  #depart(slot: number, nowMs: number): void {
    this.#departedAtMs[slot] = nowMs;
    this.#answers.unanswered[slot] = this.#count;
    this.#clients.setTimeout(slot, this.#timeoutMs);
    this.#sender.send(slot, 0, this.#count);
  }

  #landed(): void {
    this.#flying -= 1;
    this.#checkDone();
  }

  #checkDone(): void {
    if (this.#flying === 0) this.#done?.();
  }
}
