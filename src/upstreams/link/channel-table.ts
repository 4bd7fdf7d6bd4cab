/**
 * Whose each channel of a link is. Channels count up and most of them end in about the order in
 * which they began, so a page of places goes once its last channel has: a connection that is idle
 * costs 8 bytes here, and no object.
 */

const PAGE_CHANNELS = 256;

interface Page {
  readonly places: Float64Array;
  used: number;
}

export class ChannelTable {
  readonly #pages = new Map<number, Page>();
  #last = 0;

  /** The highest channel that was ever opened. */
  get last(): number {
    return this.#last;
  }

  /** Bytes of its pages. */
  get bytes(): number {
    return this.#pages.size * PAGE_CHANNELS * 8;
  }

  /** The next channel is this place's: its number, from 1. */
  open(place: number): number {
    this.#last += 1;
    const channel = this.#last;
    const number = Math.floor(channel / PAGE_CHANNELS);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = { places: new Float64Array(PAGE_CHANNELS).fill(Number.NaN), used: 0 };
      this.#pages.set(number, page);
    }
    page.places[channel % PAGE_CHANNELS] = place;
    page.used += 1;
    return channel;
  }

  /** NaN for a channel that is over, or was never opened. */
  placeOf(channel: number): number {
    const page = this.#pages.get(Math.floor(channel / PAGE_CHANNELS));
    return page === undefined ? Number.NaN : (page.places[channel % PAGE_CHANNELS] as number);
  }

  close(channel: number): void {
    if (Number.isNaN(this.placeOf(channel))) return;
    const number = Math.floor(channel / PAGE_CHANNELS);
    const page = this.#pages.get(number) as Page;
    page.places[channel % PAGE_CHANNELS] = Number.NaN;
    page.used -= 1;
    if (page.used === 0) this.#pages.delete(number);
  }
}
