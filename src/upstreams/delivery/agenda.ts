/**
 * What is due later, under one timer: a binary heap ordered by time. Thousands of held lanes and
 * requests in flight cost an entry each and not a timer each.
 */
import { performance } from "node:perf_hooks";

export interface Appointment {
  readonly dueMs: number;
  readonly act: () => void;
  /** Where it stands in the heap; -1 once it is kept or cancelled. */
  index: number;
}

/** Monotonic; what every `dueMs` is measured by. */
export function nowMs(): number {
  return performance.now();
}

export class Agenda {
  // Each entry is due no earlier than the one at half its index: [0] is the earliest. The timer
  // is never set later than [0] is due; it may fire early, when that one has been cancelled.
  readonly #heap: Appointment[] = [];
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = 0;

  get size(): number {
    return this.#heap.length;
  }

  at(dueMs: number, act: () => void): Appointment {
    const appointment = { dueMs, act, index: this.#heap.length };
    this.#heap.push(appointment);
    this.#rise(appointment);
    this.#arm();
    return appointment;
  }

  cancel(appointment: Appointment | undefined): void {
    if (appointment === undefined || appointment.index < 0) return;
    this.#remove(appointment);
    if (this.#heap.length === 0) this.#disarm();
  }

  clear(): void {
    for (const appointment of this.#heap) appointment.index = -1;
    this.#heap.length = 0;
    this.#disarm();
  }

  #arm(): void {
    const earliest = this.#heap[0];
    if (earliest === undefined) return;
    if (this.#timer !== undefined) {
      if (this.#timerDueMs <= earliest.dueMs) return;
      clearTimeout(this.#timer);
    }
    this.#timerDueMs = earliest.dueMs;
    const delayMs = Math.max(1, Math.ceil(earliest.dueMs - nowMs()));
    this.#timer = setTimeout(() => this.#keep(), delayMs);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #keep(): void {
    this.#timer = undefined;
    const now = nowMs();
    try {
      for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
        if (first.dueMs > now) break;
        this.#remove(first);
        first.act();
      }
    } finally {
      this.#arm();
    }
  }

  #remove(appointment: Appointment): void {
    const { index } = appointment;
    const last = this.#heap.pop() as Appointment;
    appointment.index = -1;
    if (last === appointment) return;
    last.index = index;
    this.#heap[index] = last;
    this.#rise(last);
    this.#sink(last);
  }

  #rise(appointment: Appointment): void {
    while (appointment.index > 0) {
      const parent = this.#heap[(appointment.index - 1) >> 1] as Appointment;
      if (parent.dueMs <= appointment.dueMs) return;
      this.#swap(parent, appointment);
    }
  }

  #sink(appointment: Appointment): void {
    for (;;) {
      const left = this.#heap[2 * appointment.index + 1];
      const right = this.#heap[2 * appointment.index + 2];
      const child = right !== undefined && left !== undefined && right.dueMs < left.dueMs;
      const earlier = child ? right : left;
      if (earlier === undefined || earlier.dueMs >= appointment.dueMs) return;
      this.#swap(appointment, earlier);
    }
  }

  #swap(upper: Appointment, lower: Appointment): void {
    const { index } = upper;
    upper.index = lower.index;
    lower.index = index;
    this.#heap[upper.index] = upper;
    this.#heap[lower.index] = lower;
  }
}
