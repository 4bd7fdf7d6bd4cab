/** Whether any instance of a service is there, and one line of the log at each end of an outage. */
import type { Log } from "../../core/log.ts";
import { nowMs } from "../delivery/agenda.ts";

export class Outage {
  readonly #log: Log;
  readonly #fields: object;
  #sinceMs = 0;
  #cause: string | undefined;

  constructor(log: Log, fields: object) {
    this.#log = log;
    this.#fields = fields;
  }

  /** Why nobody is there; undefined while somebody is, and before that was ever tried. */
  get cause(): string | undefined {
    return this.#cause;
  }

  began(cause: string): void {
    if (this.#cause === undefined) {
      this.#sinceMs = nowMs();
      const sentence = "the service cannot be reached; events are held until it can";
      this.#log.warn({ ...this.#fields, cause }, sentence);
    }
    this.#cause = cause;
  }

  ended(): void {
    if (this.#cause === undefined) return;
    this.#cause = undefined;
    const downMs = Math.round(nowMs() - this.#sinceMs);
    this.#log.info({ ...this.#fields, downMs }, "the service answers again");
  }
}
