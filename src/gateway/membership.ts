/**
 * The users and groups of one hub within one worker: who is which user, who is in which group.
 * A connection without either costs nothing here.
 */

const NOBODY: ReadonlySet<number> = new Set();

export class Membership {
  readonly #users = new Map<string, Set<number>>();
  readonly #groups = new Map<string, Set<number>>();
  readonly #userOf = new Map<number, string>();
  readonly #groupsOf = new Map<number, string[]>();

  enter(slot: number, user: string | undefined): void {
    if (user === undefined) return;
    this.#userOf.set(slot, user);
    addTo(this.#users, user, slot);
  }

  /** The connection is over: it is no user and in no group any more. */
  depart(slot: number): void {
    const user = this.#userOf.get(slot);
    if (user !== undefined) {
      this.#userOf.delete(slot);
      removeFrom(this.#users, user, slot);
    }
    this.leaveAll(slot);
  }

  /** False where the connection is in `groupsMax` groups already. */
  join(slot: number, group: string, groupsMax: number): boolean {
    const groups = this.#groupsOf.get(slot) ?? [];
    if (groups.includes(group)) return true;
    if (groups.length >= groupsMax) return false;
    groups.push(group);
    this.#groupsOf.set(slot, groups);
    addTo(this.#groups, group, slot);
    return true;
  }

  leave(slot: number, group: string): void {
    const groups = this.#groupsOf.get(slot);
    const at = groups?.indexOf(group) ?? -1;
    if (groups === undefined || at < 0) return;
    groups.splice(at, 1);
    if (groups.length === 0) this.#groupsOf.delete(slot);
    removeFrom(this.#groups, group, slot);
  }

  leaveAll(slot: number): void {
    for (const group of this.#groupsOf.get(slot) ?? []) removeFrom(this.#groups, group, slot);
    this.#groupsOf.delete(slot);
  }

  userOf(slot: number): string | undefined {
    return this.#userOf.get(slot);
  }

  ofUser(user: string): ReadonlySet<number> {
    return this.#users.get(user) ?? NOBODY;
  }

  ofGroup(group: string): ReadonlySet<number> {
    return this.#groups.get(group) ?? NOBODY;
  }
}

function addTo(sets: Map<string, Set<number>>, name: string, slot: number): void {
  const slots = sets.get(name);
  if (slots === undefined) sets.set(name, new Set([slot]));
  else slots.add(slot);
}

function removeFrom(sets: Map<string, Set<number>>, name: string, slot: number): void {
  const slots = sets.get(name);
  slots?.delete(slot);
  if (slots?.size === 0) sets.delete(name);
}
