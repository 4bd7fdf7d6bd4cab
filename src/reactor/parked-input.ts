/**
 * Received bytes that may not be processed yet: behind a full window, a queue of answers that
 * nobody reads, a connect event that is still being asked. They are copied once; epoll never
 * announces again what was already read, so whoever parks must take up again.
 */
import assert from "node:assert/strict";
import type { Budget } from "../core/budget.ts";

export class ParkedInput {
  readonly #bySlot = new Map<number, Uint8Array>();
  readonly #budget: Budget;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  has(slot: number): boolean {
    return this.#bySlot.has(slot);
  }

  bytes(slot: number): number {
    return this.#bySlot.get(slot)?.length ?? 0;
  }

  /** Copies `bytes`. At most one read is parked for a slot, since a parked slot is not read. */
  put(slot: number, bytes: Uint8Array): void {
    assert(!this.#bySlot.has(slot), `slot ${slot} was read though its input is parked`);
    this.#bySlot.set(slot, bytes.slice());
    this.#budget.charge("parked", bytes.length);
  }

  take(slot: number): Uint8Array | undefined {
    const bytes = this.#bySlot.get(slot);
    if (bytes === undefined) return undefined;
    this.#bySlot.delete(slot);
    this.#budget.release("parked", bytes.length);
    return bytes;
  }

  drop(slot: number): void {
    if (this.#bySlot.size > 0) this.take(slot);
  }
}
