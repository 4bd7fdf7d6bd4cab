/**
 * Echo in an open loop: messages are due at a fixed rate, in turn over all connections, however
 * slowly answers come. Latency counts from when a message was due, so that a server which stalls
 * is charged for all that had to wait (no coordinated omission). When one is due is arithmetic:
 * nothing is kept for a message.
 */
import type { Clients } from "./clients.ts";
import { EchoAnswers } from "./echo-answers.ts";
import type { Flight } from "./flight.ts";
import { FlightSender } from "./flight-sender.ts";
import type { Load } from "./load.ts";
import { Pacer } from "./pacer.ts";

export class OpenEcho implements Load {
  readonly opensFirst = true;
  readonly #clients: Clients;
  readonly #answers: EchoAnswers;
  readonly #sender: FlightSender;
  readonly #inFlightMax: number;
  readonly #stepMs: number;
  readonly #timeoutMs: number;
  /** Of each slot: its turn in the round, and messages that were due and sent so far. */
  readonly #turns: Uint32Array;
  readonly #due: Uint32Array;
  readonly #sent: Uint32Array;
  #order: number[] = [];
  #startMs = 0;
  /** Messages that are due, of connections that are open, and not answered. */
  #owed = 0;
  #pacer: Pacer | undefined;
  #isPaced = false;
  #isStopped = false;
  #done: (() => void) | undefined;

  constructor(clients: Clients, flight: Flight, timeoutMs: number, ratePerSecond: number) {
    const { capacity } = clients.reactor.slots;
    this.#clients = clients;
    this.#answers = new EchoAnswers(clients, flight);
    this.#sender = new FlightSender(clients, flight);
    this.#inFlightMax = flight.count;
    this.#stepMs = 1000 / ratePerSecond;
    this.#timeoutMs = timeoutMs;
    this.#turns = new Uint32Array(capacity);
    this.#due = new Uint32Array(capacity);
    this.#sent = new Uint32Array(capacity);
  }

  begin(untilMs: number, done: () => void): void {
    this.#done = done;
    this.#order = this.#clients.openSlots();
    for (const [turn, slot] of this.#order.entries()) this.#turns[slot] = turn;
    this.#startMs = performance.now();
    const ended = () => {
      this.#isPaced = true;
      this.#checkDone();
    };
    if (this.#order.length === 0) ended();
    else this.#pacer = new Pacer(this.#startMs, this.#stepMs, untilMs, this.#call, ended);
  }

  opened(slot: number): void {
    this.#answers.reset(slot);
  }

  received(slot: number, offset: number, end: number): void {
    const answered = this.#answers.take(slot, offset, end);
    if (answered === 0) return;
    const nowMs = performance.now();
    const { tally } = this.#clients;
    const unanswered = this.#answers.unanswered[slot] as number;
    const last = (this.#sent[slot] as number) - unanswered;
    for (let message = last - answered; message < last; message += 1) {
      tally.latency.record(Math.max(0, nowMs - this.#intendedMs(slot, message)), 1);
    }
    tally.messages += answered;
    this.#owed -= answered;
    if (!this.#clients.isOpen(slot)) return;
    this.#clients.setTimeout(slot, unanswered === 0 ? 0 : this.#timeoutMs);
    this.#sendDue(slot, nowMs);
    this.#checkDone();
  }

  lost(slot: number): void {
    const due = this.#due[slot] as number;
    const sent = this.#sent[slot] as number;
    this.#clients.tally.unsent += due - sent;
    this.#owed -= due - sent + (this.#answers.unanswered[slot] as number);
    this.#answers.reset(slot);
    this.#checkDone();
  }

  ended(): void {}

  stop(isTooLate: boolean): void {
    this.#pacer?.stop();
    this.#isPaced = true;
    this.#isStopped = true;
    if (!isTooLate) return;
    for (const slot of this.#clients.openSlots()) {
      if (this.#due[slot] !== (this.#sent[slot] as number) - this.#unanswered(slot)) {
        this.#clients.lose(slot, "timeout");
      }
    }
    this.#checkDone();
  }

  #unanswered(slot: number): number {
    return this.#answers.unanswered[slot] as number;
  }

  #call = (index: number, _intendedMs: number, nowMs: number): void => {
    const slot = this.#order[index % this.#order.length] as number;
    if (!this.#clients.isOpen(slot)) {
      this.#clients.tally.unsent += 1;
      return;
    }
    this.#due[slot] = (this.#due[slot] as number) + 1;
    this.#owed += 1;
    this.#sendDue(slot, nowMs);
  };

  #intendedMs(slot: number, message: number): number {
    const index = message * this.#order.length + (this.#turns[slot] as number);
    return this.#startMs + index * this.#stepMs;
  }

  /** What is due, as far as it may be in flight; the rest goes when answers have come. */
  #sendDue(slot: number, nowMs: number): void {
    const due = this.#due[slot] as number;
    for (;;) {
      const sent = this.#sent[slot] as number;
      const unanswered = this.#unanswered(slot);
      if (sent === due || unanswered === this.#inFlightMax || this.#isStopped) return;
      if (unanswered === 0) this.#clients.setTimeout(slot, this.#timeoutMs);
      this.#sent[slot] = sent + 1;
      this.#answers.unanswered[slot] = unanswered + 1;
      this.#clients.tally.lateness.record(Math.max(0, nowMs - this.#intendedMs(slot, sent)), 1);
      this.#sender.send(slot, sent % this.#inFlightMax, 1);
    }
  }

  #checkDone(): void {
    if (this.#isPaced && this.#owed === 0) this.#done?.();
  }
}
