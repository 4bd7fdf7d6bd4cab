/**
 * What the reactor knows of each slot, as a struct of arrays: an idle socket costs these bytes
 * and no object. The pages of slots that were never used are never touched.
 */

/** The slot has a write queue: new bytes go behind it. */
export const QUEUED = 1;
/** Nothing more will be sent: a FIN goes out behind what is owed. */
export const FINISHING = 2;
/** The socket broke: what is still written to it is dropped. */
export const BROKEN = 4;
/** Closed; the slot is used again only after the batch that it was closed in. */
export const CLOSED = 8;
/** Dialled, and not connected yet: nothing may be sent. */
export const CONNECTING = 16;

export class SlotTable {
  readonly capacity: number;
  /** Counts the uses of a slot; C adds one at each close. */
  readonly generations: Uint32Array;
  /** READ | WRITE as last told to the poller. */
  readonly interest: Uint8Array;
  readonly flags: Uint8Array;
  /** 1 for a slot that was dialled for somebody of its own: its events are told to nobody else. */
  readonly owned: Uint8Array;
  /** First and last entry of what this turn owes the slot; -1 for none. */
  readonly heads: Int32Array;
  readonly tails: Int32Array;
  /** The tick by which `expired` is called; 0 for none. */
  readonly deadlines: Uint32Array;
  /** One above the highest slot that was ever used: where loops over slots end. */
  used = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.generations = new Uint32Array(capacity);
    this.interest = new Uint8Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.owned = new Uint8Array(capacity);
    this.heads = new Int32Array(capacity).fill(-1);
    this.tails = new Int32Array(capacity);
    this.deadlines = new Uint32Array(capacity);
  }

  /** Makes a slot that was just accepted, adopted or dialled as good as new. */
  open(slot: number, interest: number, flags = 0): void {
    this.interest[slot] = interest;
    this.flags[slot] = flags;
    this.owned[slot] = 0;
    this.heads[slot] = -1;
    this.deadlines[slot] = 0;
    if (slot >= this.used) this.used = slot + 1;
  }
}
