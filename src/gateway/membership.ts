/**
 * The users and groups of one hub within one worker: who is which user, who is in which group.
 * A connection without either costs nothing here.
 */
import { Roster } from "./roster.ts";

export class Membership {
  /** Each slot bears one name at the most. */
  readonly #users = new Roster();
  readonly #groups = new Roster();

  enter(slot: number, user: string | undefined): void {
    if (user !== undefined) this.#users.add(slot, user, 1);
  }

  /** The connection is over: it is no user and in no group any more. */
  depart(slot: number): void {
    this.#users.removeAll(slot);
    this.#groups.removeAll(slot);
  }

  /** False where the connection is in `groupsMax` groups already. */
  join(slot: number, group: string, groupsMax: number): boolean {
    return this.#groups.add(slot, group, groupsMax);
  }

  leave(slot: number, group: string): void {
    this.#groups.remove(slot, group);
  }

  leaveAll(slot: number): void {
    this.#groups.removeAll(slot);
  }

  userOf(slot: number): string | undefined {
    return this.#users.nameOf(slot);
  }

  /** Copies a user's slots, in the order in which they entered; how many there are. */
  copyUser(user: string, slots: Float64Array): number {
    return this.#users.copySlotsOf(user, slots);
  }

  /** Copies a group's slots, in the order in which they joined; how many there are. */
  copyGroup(group: string, slots: Float64Array): number {
    return this.#groups.copySlotsOf(group, slots);
  }

  /** Of arrays, for those who are in: without them there are none. */
  get bytes(): number {
    return this.#users.bytes + this.#groups.bytes;
  }
}
