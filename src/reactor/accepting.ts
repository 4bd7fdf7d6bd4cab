/**
 * The listening slots of a reactor, and whether it takes clients from them: not after it was
 * stopped, and not while descriptors or slots are wanting. Who waits stays in their queues.
 */

export class Accepting {
  readonly #slots: number[] = [];
  readonly #setRead: (slot: number, on: boolean) => void;
  #isPaused = false;
  #isStopped = false;

  constructor(setRead: (slot: number, on: boolean) => void) {
    this.#setRead = setRead;
  }

  add(slot: number): void {
    this.#slots.push(slot);
    if (this.#isStopped) this.#setRead(slot, false);
  }

  stop(): void {
    this.#isStopped = true;
    this.#setAll(false);
  }

  /** Until `resume`, so that nothing spins; false where it was paused already. */
  pause(): boolean {
    // Another listening socket of the same batch may have failed before.
    if (this.#isPaused) return false;
    this.#isPaused = true;
    this.#setAll(false);
    return true;
  }

  resume(): void {
    if (!this.#isPaused || this.#isStopped) return;
    this.#isPaused = false;
    this.#setAll(true);
  }

  #setAll(on: boolean): void {
    for (const slot of this.#slots) this.#setRead(slot, on);
  }
}
