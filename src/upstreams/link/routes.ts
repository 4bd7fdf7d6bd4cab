/**
 * Which lane's events go over which link: the one that knows its connection already, or else one
 * that is chosen by rendezvous hashing. Lanes with something to send wait at their link, and where
 * no link is open they wait without one.
 */
import type { Lane } from "../delivery/lane.ts";
import type { ReadyQueue } from "../delivery/lanes.ts";
import type { Homes } from "./homes.ts";
import type { Link } from "./link.ts";
import { weightOf } from "./rendezvous.ts";

export class Routes implements ReadyQueue {
  /** All that were welcomed and are not lost, by their number. */
  readonly links = new Map<number, Link>();
  readonly #homes: Homes;
  readonly #stranded = new Set<Lane>();

  constructor(homes: Homes) {
    this.#homes = homes;
  }

  /** Whether new events may go anywhere. */
  get isOpen(): boolean {
    for (const link of this.links.values()) if (link.isOpen) return true;
    return false;
  }

  /** For a connection that no link knows yet. */
  choose(place: number): Link | undefined {
    let chosen: Link | undefined;
    let most = -1;
    for (const link of this.links.values()) {
      if (!link.isOpen) continue;
      const weight = weightOf(place, link.seed);
      if (weight > most) {
        most = weight;
        chosen = link;
      }
    }
    return chosen;
  }

  add(lane: Lane): void {
    const before = this.links.get(lane.link);
    const link = this.#linkOf(lane);
    if (before !== undefined && before !== link) before.ready.delete(lane);
    if (link === undefined) {
      this.#stranded.add(lane);
      return;
    }
    if (this.#stranded.size > 0) this.#stranded.delete(lane);
    link.ready.add(lane);
  }

  delete(lane: Lane): void {
    if (this.links.get(lane.link)?.ready.delete(lane) !== true) this.#stranded.delete(lane);
  }

  clear(): void {
    this.#stranded.clear();
    for (const link of this.links.values()) link.ready.clear();
  }

  *all(): Iterable<Lane> {
    yield* this.#stranded;
    for (const link of this.links.values()) yield* link.ready;
  }

  opened(link: Link): void {
    this.links.set(link.id, link);
    this.#replace(this.#stranded);
  }

  /** New events of its lanes go elsewhere, once what is under way for them is acknowledged. */
  leaving(link: Link): void {
    this.#replace(link.ready);
  }

  lost(link: Link): void {
    this.links.delete(link.id);
    this.#replace(link.ready);
  }

  /** The link that knows a connection, with its channel there. */
  homeOf(place: number): { link: Link; channel: number } | undefined {
    const link = place < 0 ? undefined : this.links.get(this.#homes.linkOf(place));
    return link === undefined ? undefined : { link, channel: this.#homes.channelOf(place) };
  }

  /** A connection has no channel any more: where it is opened next is open. */
  forget(lane: Lane, link: Link): void {
    link.channels.close(lane.channel);
    if (lane.place >= 0) this.#homes.delete(lane.place);
    lane.channel = 0;
  }

  /** The lane's connection has this channel of its link. */
  settleIn(lane: Lane, channel: number): void {
    lane.channel = channel;
    if (lane.place >= 0 && !lane.gone) this.#homes.set(lane.place, lane.link, channel);
  }

  #replace(lanes: Set<Lane>): void {
    const all = [...lanes];
    lanes.clear();
    for (const lane of all) this.add(lane);
  }

  #linkOf(lane: Lane): Link | undefined {
    const { place } = lane;
    if (lane.link === 0 && place >= 0) {
      lane.link = this.#homes.linkOf(place);
      lane.channel = this.#homes.channelOf(place);
    }
    const known = this.links.get(lane.link);
    // What is under way is acknowledged first, or comes again elsewhere before what is behind it.
    if (known !== undefined && (lane.sent > 0 || known.isOpen)) return known;
    const chosen = this.choose(place);
    lane.link = chosen?.id ?? 0;
    lane.channel = 0;
    return chosen;
  }
}
