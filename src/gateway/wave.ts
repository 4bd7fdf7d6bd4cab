/**
 * Pushes to the same receivers, on one way round them: each is through when the wave has come
 * back to where it joined, so those that come while others are under way cost no way of their
 * own. It knows who is next and with what; sending is the fan-out's.
 */
import type { Answer } from "../bus/command.ts";
import { slotOf } from "../core/connection-id.ts";
import type { Message } from "./delivery.ts";
import type { Hub } from "./hub.ts";

/** Of one wave, so that all its frames stand in the arena at once. */
const PUSHES_MAX = 64;
const BYTES_MAX = 256 << 10;

export interface Push {
  opcode: number;
  bytes: Uint8Array;
  /** Of all receivers so far. */
  answer: Answer;
  resolve: (answer: Answer) => void;
  /** As it goes to those with the next receiver's window; undefined before it is made. */
  form: Message | undefined;
}

interface Member {
  push: Push;
  /** Receivers that the push has still before it. */
  remaining: number;
}

/** Receivers that stand side by side and are sent the same bytes. */
export interface Share {
  /** The window that these negotiated to have messages deflated with; 0: none. */
  windowBits: number;
  end: number;
}

export class Wave {
  readonly hub: Hub;
  readonly isDeflated: boolean;
  /** In the order of the shares. */
  readonly places: Float64Array;
  /** Index of the next receiver. */
  next = 0;
  /** Of the messages that are under way. */
  bytes = 0;
  /** As they were given, to be compared with. */
  readonly #given: Float64Array;
  readonly #shares: Share[];
  #members: Member[] = [];

  constructor(hub: Hub, places: Float64Array, isDeflated: boolean, deflateWindowBits: Uint8Array) {
    this.hub = hub;
    this.isDeflated = isDeflated;
    this.#given = places;
    const { ordered, shares } = isDeflated
      ? divide(places, deflateWindowBits)
      : { ordered: places, shares: [{ windowBits: 0, end: places.length }] };
    this.places = ordered;
    this.#shares = shares;
  }

  /** Whether a push to these may go along: `join` it then. */
  takes(hub: Hub, places: Float64Array, isDeflated: boolean, bytes: number): boolean {
    return (
      this.hub === hub &&
      this.isDeflated === isDeflated &&
      this.#members.length < PUSHES_MAX &&
      this.bytes + bytes <= BYTES_MAX &&
      areEqual(this.#given, places)
    );
  }

  /** From the next receiver on, behind those that are under way. */
  join(push: Push): void {
    this.#members.push({ push, remaining: this.places.length });
    this.bytes += push.bytes.length;
  }

  /** Those that go to the next receiver, in the order in which they came. */
  get pushes(): Push[] {
    return this.#members.map(({ push }) => push);
  }

  get isOver(): boolean {
    return this.#members.length === 0;
  }

  /** What the next receiver belongs to. */
  share(): Share {
    return this.#shares.find(({ end }) => this.next < end) as Share;
  }

  /** Receivers from the next one on to whom the same messages go in the same form. */
  stretch(): number {
    let count = this.share().end - this.next;
    for (const { remaining } of this.#members) count = Math.min(count, remaining);
    return count;
  }

  /** The next `count` of a stretch are done; the pushes that are through now. */
  advance(count: number): Push[] {
    const { windowBits } = this.share();
    this.next += count;
    if (this.next === this.places.length) this.next = 0;
    for (const member of this.#members) member.remaining -= count;
    const over = this.#members.filter(({ remaining }) => remaining === 0).map(({ push }) => push);
    if (over.length > 0) {
      this.#members = this.#members.filter(({ remaining }) => remaining > 0);
      for (const { bytes } of over) this.bytes -= bytes.length;
    }
    // Made once for each window: those who have it stand together.
    if (!this.isOver && this.share().windowBits !== windowBits) {
      for (const { push } of this.#members) push.form = undefined;
    }
    return over;
  }
}

/** Those with the same window stand together, so that a message is deflated once for them. */
function divide(places: Float64Array, deflateWindowBits: Uint8Array) {
  const byWindow: number[][] = [];
  for (const place of places) {
    const windowBits = deflateWindowBits[slotOf(place)] as number;
    byWindow[windowBits] ??= [];
    byWindow[windowBits].push(place);
  }
  const ordered = new Float64Array(places.length);
  const shares: Share[] = [];
  let end = 0;
  // The array has holes for the windows that nobody has; these are passed over.
  byWindow.forEach((some, windowBits) => {
    ordered.set(some, end);
    end += some.length;
    shares.push({ windowBits, end });
  });
  return { ordered, shares };
}

/** Looking is far cheaper than sending, and finds also what came by another name. */
function areEqual(some: Float64Array, others: Float64Array): boolean {
  if (some.length !== others.length) return false;
  for (let index = 0; index < some.length; index += 1) {
    if (some[index] !== others[index]) return false;
  }
  return true;
}
