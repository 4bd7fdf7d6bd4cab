/**
 * How many requests are under way, and whether one more may begin. An eighth of what is allowed
 * is kept for connect events, so that clients get in while every message hangs.
 */
export class Inflight {
  readonly #max: number;
  /** Connect events may always have this many; with a maximum of 1 they take turns. */
  readonly #connectsKept: number;
  readonly eventsMax: number;
  events = 0;
  connects = 0;

  constructor(max: number) {
    this.#max = max;
    this.#connectsKept = Math.max(1, Math.floor(max / 8));
    this.eventsMax = Math.max(1, max - this.#connectsKept);
  }

  get total(): number {
    return this.events + this.connects;
  }

  mayBeginEvent(): boolean {
    return this.total < this.#max && this.events < this.eventsMax;
  }

  /** `fromKept`: within the part that is theirs alone. */
  mayBeginConnect(fromKept: boolean): boolean {
    return this.total < this.#max && (!fromKept || this.connects < this.#connectsKept);
  }
}
