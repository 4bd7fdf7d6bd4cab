/**
 * Counts the bytes that one worker holds for its peers, by what holds them. It decides nothing:
 * those who take bytes ask it first.
 */
export type BudgetKind = "parked" | "unfinished" | "queued";

export class Budget {
  readonly bytesMax: number;
  /** What carriers hold unacknowledged; they count it themselves. */
  unacknowledgedBytes: () => number = () => 0;
  readonly #held: Record<BudgetKind, number> = { parked: 0, unfinished: 0, queued: 0 };

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  charge(kind: BudgetKind, bytes: number): void {
    this.#held[kind] += bytes;
  }

  release(kind: BudgetKind, bytes: number): void {
    this.#held[kind] -= bytes;
  }

  held(kind: BudgetKind): number {
    return this.#held[kind];
  }

  get bytes(): number {
    return this.#bytesHere + this.unacknowledgedBytes();
  }

  get #bytesHere(): number {
    const { parked, unfinished, queued } = this.#held;
    return parked + unfinished + queued;
  }

  /** At 80 %: take no more from those who send much, and let the largest queues go. */
  get isStrained(): boolean {
    return this.bytes >= this.bytesMax * 0.8;
  }

  /**
   * Whether letting go of what is held here is called for. A fifth may be held whatever the
   * carriers hold: theirs stops growing at 80 %, and nothing that is let go here would lower it.
   */
  get isOverfull(): boolean {
    return this.isStrained && this.#bytesHere > this.bytesMax * 0.2;
  }

  /** At 95 %: let nobody new in. */
  get isExhausted(): boolean {
    return this.bytes >= this.bytesMax * 0.95;
  }
}
