/**
 * The clients of a run: opened, left to talk, some of them leaving and others taking their place,
 * and asked whether all of them get answers again.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type Door, type Manner, Talker } from "./talker.ts";

const LOOK_MS = 20;
const OPENED_AT_ONCE = 25;

export class Crowd {
  readonly everybody: Talker[] = [];
  readonly #doors: Door[];
  readonly #manner: Manner;

  constructor(doors: Door[], manner: Manner) {
    this.#doors = doors;
    this.#manner = manner;
  }

  get open(): Talker[] {
    return this.everybody.filter(({ isOpen }) => isOpen);
  }

  get answers(): number {
    return this.everybody.reduce((sum, { answers }) => sum + answers.length, 0);
  }

  get sent(): number {
    return this.everybody.reduce((sum, { sent }) => sum + sent, 0);
  }

  get pushes(): number {
    return this.everybody.reduce((sum, { pushes }) => sum + pushes.length, 0);
  }

  async enter(count: number): Promise<void> {
    for (let left = count; left > 0; left -= OPENED_AT_ONCE) {
      const opened = Array.from({ length: Math.min(left, OPENED_AT_ONCE) }, (_, index) => {
        const name = `client-${this.everybody.length + index}`;
        const door = this.#doors[index % this.#doors.length] as Door;
        return Talker.open(door, name, this.#manner);
      });
      this.everybody.push(...(await Promise.all(opened)));
    }
  }

  /** Some, chosen at random, close by themselves; how many. */
  leave(share: number): number {
    const leaving = this.open.filter(() => this.#manner.random() < share);
    for (const talker of leaving) talker.leave();
    return leaving.length;
  }

  /** How many milliseconds it took; undefined: `timeoutMs` was not enough. */
  async until(condition: () => boolean, timeoutMs: number): Promise<number | undefined> {
    const startMs = performance.now();
    while (!condition()) {
      if (performance.now() - startMs > timeoutMs) return undefined;
      await delay(LOOK_MS);
    }
    return performance.now() - startMs;
  }

  /** Until each one who waits for an answer now, and stays, has had one. */
  untilAllGoOn(timeoutMs: number): Promise<number | undefined> {
    const waiting = this.open
      .filter(({ isAnswered }) => !isAnswered)
      .map((talker) => ({ talker, answers: talker.answers.length }));
    return this.until(
      () => waiting.every(({ talker, answers }) => goesOn(talker, answers)),
      timeoutMs,
    );
  }
}

function goesOn(talker: Talker, answers: number): boolean {
  return !talker.isOpen || talker.isAnswered || talker.answers.length > answers;
}
