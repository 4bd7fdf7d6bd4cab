/**
 * Whether the service can be reached, and when it may next be tried while it cannot. It becomes
 * down when no connection comes about, and up with any answer; what lies between (an error, a
 * broken-off answer) is a matter of the single event and not of the service.
 */
import type { Log } from "../../core/log.ts";
import { nowMs } from "./agenda.ts";
import { backoffMs } from "./retry.ts";

const PROBE_BASE_MS = 100;
/** With the time a connection may take, recovery begins within 5 s. */
const PROBE_CAP_MS = 2000;

export class Health {
  readonly #log: Log;
  readonly #fields: object;
  readonly #random: () => number;
  readonly #changed: () => void;
  #down = false;
  #downSinceMs = 0;
  #nextProbeMs = 0;
  #probes = 0;
  #probing = false;

  constructor(log: Log, fields: object, random: () => number, changed: () => void) {
    this.#log = log;
    this.#fields = fields;
    this.#random = random;
    this.#changed = changed;
  }

  get down(): boolean {
    return this.#down;
  }

  /** Of the next probe, or undefined while one is under way. */
  get nextProbeMs(): number | undefined {
    return this.#probing ? undefined : this.#nextProbeMs;
  }

  beginProbe(): void {
    this.#probing = true;
  }

  /** Something was tried, and no answer came. */
  failed(isProbe: boolean, reached: boolean, cause: string): void {
    if (isProbe) this.#probing = false;
    // What began before the outage tells nothing new of it.
    if (this.#down ? !isProbe : reached) return;
    if (this.#down) this.#probes += 1;
    const delayMs = backoffMs(this.#probes, PROBE_BASE_MS, PROBE_CAP_MS, this.#random());
    this.#nextProbeMs = nowMs() + delayMs;
    if (this.#down) return;
    this.#down = true;
    this.#downSinceMs = nowMs();
    const sentence = "the service cannot be reached; events are held until it can";
    this.#log.warn({ ...this.#fields, cause }, sentence);
    this.#changed();
  }

  answered(isProbe: boolean): void {
    if (isProbe) this.#probing = false;
    if (!this.#down) return;
    this.#down = false;
    this.#probes = 0;
    const downMs = Math.round(nowMs() - this.#downSinceMs);
    this.#log.info({ ...this.#fields, downMs }, "the service answers again");
    this.#changed();
  }
}
