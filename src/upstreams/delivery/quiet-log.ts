/**
 * A log for what may happen thousands of times a second: the first of a kind is written at once,
 * the others of that second as one line with their count. Nothing is left out of the counts.
 */
import type { Log } from "../../core/log.ts";
import type { Agenda } from "./agenda.ts";
import { nowMs } from "./agenda.ts";

const INTERVAL_MS = 1000;

type Level = "warn" | "error";

interface Suppressed {
  level: Level;
  fields: object;
  count: number;
}

export class QuietLog {
  readonly #log: Log;
  readonly #agenda: Agenda;
  /** By sentence, and sentences are constants: the table is as small as the source. */
  readonly #suppressed = new Map<string, Suppressed>();

  constructor(log: Log, agenda: Agenda) {
    this.#log = log;
    this.#agenda = agenda;
  }

  say(level: Level, fields: object, sentence: string, count = 1): void {
    const suppressed = this.#suppressed.get(sentence);
    if (suppressed !== undefined) {
      suppressed.count += count;
      suppressed.fields = fields;
      return;
    }
    this.#suppressed.set(sentence, { level, fields, count: 0 });
    this.#log[level]({ ...fields, count }, sentence);
    this.#agenda.at(nowMs() + INTERVAL_MS, () => this.#flush(sentence));
  }

  /** Writes what is still waiting for its second to end. */
  flush(): void {
    for (const sentence of [...this.#suppressed.keys()]) this.#flush(sentence);
  }

  #flush(sentence: string): void {
    const suppressed = this.#suppressed.get(sentence);
    this.#suppressed.delete(sentence);
    if (suppressed === undefined || suppressed.count === 0) return;
    const { level, fields, count } = suppressed;
    this.say(level, fields, sentence, count);
  }
}
