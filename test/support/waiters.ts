/** Tests that wait until something that is told of by `notify` is as they want it. */

const TIMEOUT_MS = 15_000;

interface Waiter {
  condition: () => boolean;
  settle: () => void;
}

export class Waiters {
  readonly #waiting = new Set<Waiter>();

  /** `what` is asked for when the time is over. */
  async until(condition: () => boolean, what: () => string, timeoutMs = TIMEOUT_MS): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiter);
        reject(new Error(`waited ${timeoutMs} ms in vain for ${what()}`));
      }, timeoutMs);
      const waiter = {
        condition,
        settle: () => {
          clearTimeout(timer);
          this.#waiting.delete(waiter);
          resolve();
        },
      };
      this.#waiting.add(waiter);
    });
  }

  notify(): void {
    for (const waiter of this.#waiting) if (waiter.condition()) waiter.settle();
  }
}
