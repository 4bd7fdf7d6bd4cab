/**
 * The rooms: who is in each, and its last messages, kept in memory. Pure: it reads no clock, sets
 * no timer and sends nothing; service.ts does all three.
 */
export interface ChatMessage {
  /** Counts the messages of the room from 1: the order in which everybody shows them. */
  number: number;
  /** Chosen by the page that sent it, so that what it sends again is not said again. */
  id: string;
  name: string;
  text: string;
  atMs: number;
}

export interface Person {
  name: string;
  /** Connections that this person has; 0 for somebody whose connection broke a moment ago. */
  tabs: number;
}

export interface Member {
  connectionId: string;
  name: string;
}

/** A question to the gateway that is under way, and who had left before it was answered. */
export interface Census {
  before: ReadonlySet<string>;
  leftMeanwhile: Set<string>;
}

export const HISTORY_MAX = 50;
/** Messages that are still known when they come again; older ones would be said twice. */
const REMEMBERED_MAX = 500;
const ROOMS_MAX = 1000;

export class Room {
  /** Sent with every number, for they begin at 1 again when the service starts anew. */
  readonly log: string;
  #connections = new Map<string, string>();
  /** Names whose last connection broke, with the ticket of that break. */
  #away = new Map<string, number>();
  #tickets = 0;
  #messages: ChatMessage[] = [];
  #remembered = new Map<string, ChatMessage>();
  #lastNumber = 0;
  #version = 0;
  #censuses = new Set<Census>();
  #surveyed = false;

  constructor(log: string) {
    this.log = log;
  }

  /** The last messages, oldest first. */
  get messages(): readonly ChatMessage[] {
    return this.#messages;
  }

  /** Who is here, by name, and a version by which a page tells the newer of two lists. */
  presence(): { version: number; people: Person[] } {
    const tabs = new Map<string, number>();
    for (const name of this.#away.keys()) tabs.set(name, 0);
    for (const name of this.#connections.values()) tabs.set(name, (tabs.get(name) ?? 0) + 1);
    const people = [...tabs].map(([name, count]) => ({ name, tabs: count }));
    people.sort((a, b) => a.name.localeCompare(b.name, "en"));
    return { version: this.#version, people };
  }

  /** False until the gateway has been asked once who is here. */
  get isSurveyed(): boolean {
    return this.#surveyed;
  }

  get isEmpty(): boolean {
    return this.#connections.size === 0 && this.#away.size === 0;
  }

  /** Returns true when this person was not here before: with another tab, or a moment ago. */
  enter(connectionId: string, name: string): boolean {
    if (this.#connections.get(connectionId) === name) return false;
    const isNew = !this.#isHere(name) && !this.#away.has(name);
    this.#away.delete(name);
    this.#connections.set(connectionId, name);
    this.#version += 1;
    return isNew;
  }

  /**
   * Takes a connection out. `gone`: this person has left the room. `away`: the last connection
   * broke; the person may come back until `giveUp` is called with that ticket.
   */
  leave(
    connectionId: string,
    mayReturn: boolean,
  ):
    | { name: string; outcome: "gone" | "stays" }
    | { name: string; outcome: "away"; ticket: number }
    | undefined {
    for (const census of this.#censuses) census.leftMeanwhile.add(connectionId);
    const name = this.#connections.get(connectionId);
    if (name === undefined) return undefined;
    this.#connections.delete(connectionId);
    this.#version += 1;
    if (this.#isHere(name)) return { name, outcome: "stays" };
    if (!mayReturn) return { name, outcome: "gone" };
    this.#tickets += 1;
    this.#away.set(name, this.#tickets);
    return { name, outcome: "away", ticket: this.#tickets };
  }

  /** Returns true when the person has not come back since that ticket: has now left the room. */
  giveUp(name: string, ticket: number): boolean {
    if (this.#away.get(name) !== ticket) return false;
    this.#away.delete(name);
    this.#version += 1;
    return true;
  }

  /** The message, numbered; the one of before when this person sent the same id already. */
  say(message: { id: string; name: string; text: string; atMs: number }): ChatMessage {
    const key = `${message.id}\n${message.name}`;
    const known = this.#remembered.get(key);
    if (known !== undefined) return known;
    this.#lastNumber += 1;
    const said = { number: this.#lastNumber, ...message };
    this.#messages.push(said);
    if (this.#messages.length > HISTORY_MAX) this.#messages.shift();
    this.#remembered.set(key, said);
    dropOldest(this.#remembered, REMEMBERED_MAX);
    return said;
  }

  /** Call before asking the gateway who is in the room, and `settle` with its answer. */
  beginCensus(): Census {
    const census = { before: new Set(this.#connections.keys()), leftMeanwhile: new Set<string>() };
    this.#censuses.add(census);
    return census;
  }

  /**
   * Takes out the connections that the gateway no longer has, as after a crash that let it tell
   * nobody. The first answer also brings in those that a service before this one had let in.
   * Returns the names that are gone, and whether the list of people changed.
   */
  settle(census: Census, present: readonly Member[]): { gone: string[]; changed: boolean } {
    const versionBefore = this.#version;
    const gone: string[] = [];
    const ids = new Set(present.map((member) => member.connectionId));
    for (const connectionId of census.before) {
      if (ids.has(connectionId)) continue;
      const left = this.leave(connectionId, false);
      if (left?.outcome === "gone") gone.push(left.name);
    }
    if (!this.#surveyed) {
      for (const { connectionId, name } of present) {
        if (!census.leftMeanwhile.has(connectionId)) this.enter(connectionId, name);
      }
      this.#surveyed = true;
    }
    this.#censuses.delete(census);
    return { gone, changed: this.#version !== versionBefore };
  }

  /** For a census that got no answer. */
  abandon(census: Census): void {
    this.#censuses.delete(census);
  }

  #isHere(name: string): boolean {
    for (const present of this.#connections.values()) if (present === name) return true;
    return false;
  }
}

export class Chat {
  #rooms = new Map<string, Room>();
  #makeLog: () => string;

  /** `makeLog` names the log of a new room: no two runs of the service may use the same name. */
  constructor(makeLog: () => string) {
    this.#makeLog = makeLog;
  }

  /** The room of that name; made when it is not there, at the cost of an empty one. */
  room(name: string): Room {
    const known = this.#rooms.get(name);
    if (known !== undefined) return known;
    if (this.#rooms.size >= ROOMS_MAX) this.#dropEmptyRoom();
    const room = new Room(this.#makeLog());
    this.#rooms.set(name, room);
    return room;
  }

  #dropEmptyRoom(): void {
    for (const [name, room] of this.#rooms) {
      if (!room.isEmpty) continue;
      this.#rooms.delete(name);
      return;
    }
  }
}

function dropOldest<K, V>(map: Map<K, V>, sizeMax: number): void {
  for (const key of map.keys()) {
    if (map.size <= sizeMax) return;
    map.delete(key);
  }
}
