/**
 * On which link, and by which channel, the service knows each connection: three numbers for a
 * slot, whether anything of it is under way or not. Links are never numbered twice, so what is
 * kept of one that is gone means nothing.
 */
import { generationOf, slotOf } from "../../core/connection-id.ts";

export class Homes {
  // Pages of these that no slot has used are never touched.
  readonly #generations: Uint32Array;
  readonly #links: Uint32Array;
  readonly #channels: Uint32Array;

  constructor(slotsMax: number) {
    this.#generations = new Uint32Array(slotsMax);
    this.#links = new Uint32Array(slotsMax);
    this.#channels = new Uint32Array(slotsMax);
  }

  /** The number of the link; 0 for none. */
  linkOf(place: number): number {
    const slot = slotOf(place);
    const isOwn = this.#generations[slot] === generationOf(place);
    return isOwn ? (this.#links[slot] as number) : 0;
  }

  /** Of the link that `linkOf` says. */
  channelOf(place: number): number {
    return this.#channels[slotOf(place)] as number;
  }

  set(place: number, link: number, channel: number): void {
    const slot = slotOf(place);
    this.#generations[slot] = generationOf(place);
    this.#links[slot] = link;
    this.#channels[slot] = channel;
  }

  /** The service does not know this place any more. */
  delete(place: number): void {
    if (this.linkOf(place) !== 0) this.#links[slotOf(place)] = 0;
  }
}
