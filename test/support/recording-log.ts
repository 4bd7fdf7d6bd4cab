/** A log that keeps its lines and can be waited for. */
import type { Log } from "../../src/core/log.ts";
import { Waiters } from "./waiters.ts";

interface Line {
  level: string;
  fields: Record<string, unknown>;
  sentence: string;
}

export class RecordingLog implements Log {
  readonly lines: Line[] = [];
  readonly #waiters = new Waiters();
  readonly debug = this.#writer("debug");
  readonly info = this.#writer("info");
  readonly warn = this.#writer("warn");
  readonly error = this.#writer("error");

  /** Whether a line of that level has the words in its sentence or its fields. */
  has(level: string, words: string): boolean {
    return this.lines.some((line) => line.level === level && JSON.stringify(line).includes(words));
  }

  /** The lines whose sentences match, once there are so many. */
  async find(pattern: RegExp, count = 1): Promise<Line[]> {
    const found = () => this.lines.filter(({ sentence }) => pattern.test(sentence));
    const all = () => this.lines.map(({ sentence }) => sentence).join("\n");
    const what = () => `${count} of ${pattern} in the log:\n${all()}`;
    await this.#waiters.until(() => found().length >= count, what);
    return found();
  }

  #writer(level: string): (fields: object, sentence: string) => void {
    return (fields, sentence) => {
      this.lines.push({ level, fields: { ...fields }, sentence });
      this.#waiters.notify();
    };
  }
}
