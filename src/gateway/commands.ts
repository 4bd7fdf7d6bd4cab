/**
 * What pushers ask of this worker: each command of the bus, carried out on the connections that
 * this worker holds. Who asked, and over what, is not known here.
 */
import { type Answer, type Command, emptyAnswer, type Target } from "../bus/command.ts";
import { formatConnectionId, parseConnectionId, slotOf } from "../core/connection-id.ts";
import type { Reactor } from "../reactor/reactor.ts";
import { Closing } from "./closing.ts";
import { type ConnectionTable, OPEN } from "./connection-table.ts";
import type { Departure } from "./departure.ts";
import type { Fanout } from "./fanout.ts";
import type { Hub } from "./hub.ts";
import type { PushMemory } from "./push-memory.ts";

interface Parts {
  reactor: Reactor;
  connections: ConnectionTable;
  hubs: Hub[];
  departure: Departure;
  fanout: Fanout;
  pushMemory: PushMemory;
  nonce: string;
  groupsPerConnectionMax: number;
}

interface About {
  hub: string | undefined;
  target: Target;
  excluded?: string[];
}

type Of<Verb extends Command["verb"]> = Extract<Command, { verb: Verb }>;

export class Commands {
  readonly #parts: Parts;
  readonly #closing: Closing;
  readonly #hubsByName: Map<string, Hub>;
  /** For the places that a push goes to: a list for each push would be much to collect. */
  readonly #places: Float64Array;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#closing = new Closing(parts.reactor, parts.departure);
    this.#places = new Float64Array(parts.reactor.slots.capacity);
    this.#hubsByName = new Map(parts.hubs.map((hub) => [hub.name, hub]));
  }

  async execute(command: Command): Promise<Answer> {
    switch (command.verb) {
      case "send":
        return this.#send(command);
      case "close":
        return this.#close(command);
      case "join":
        return this.#join(command);
      case "leave":
      case "leave-all":
        return this.#leave(command);
      case "exists":
        return { ...emptyAnswer(), matched: Math.min(1, this.#match(command).length) };
      case "list":
        return this.#list(command);
      case "describe":
        return this.#describe(command);
    }
  }

  #send(command: Of<"send">): Promise<Answer> {
    return this.#parts.fanout.whenThereIsRoom(() => this.#beginSend(command));
  }

  async #beginSend(command: Of<"send">): Promise<Answer> {
    const places = this.#places.subarray(0, this.#fill(command));
    const first = places[0];
    if (first === undefined) return emptyAnswer();
    const hub = this.#hubOf(slotOf(first));
    const { fanout, pushMemory } = this.#parts;
    if (command.pushId === undefined) {
      return fanout.push(hub, places, command.opcode, command.bytes);
    }
    const unreached = pushMemory.unreached(command.pushId, [...places], performance.now());
    const reached = places.length - unreached.length;
    const before = Float64Array.from(unreached);
    const answer = await fanout.push(hub, before, command.opcode, command.bytes);
    // Those whom an earlier try reached have it: they count as they did then.
    return { ...answer, matched: answer.matched + reached };
  }

  async #close(command: Of<"close">): Promise<Answer> {
    const sentence = command.reason === "" ? undefined : command.reason;
    const matched = await this.#closing.close(() => this.#match(command), sentence);
    return { ...emptyAnswer(), matched };
  }

  #join(command: Of<"join">): Answer {
    const places = this.#match(command);
    let refused = 0;
    for (const place of places) {
      const slot = slotOf(place);
      const { groupsPerConnectionMax } = this.#parts;
      const joined = this.#hubOf(slot).members.join(slot, command.group, groupsPerConnectionMax);
      if (!joined) refused += 1;
    }
    const answer = { ...emptyAnswer(), matched: places.length };
    if (refused > 0) answer.refused = { code: "GroupsPerConnectionMax", count: refused };
    return answer;
  }

  #leave(command: Of<"leave" | "leave-all">): Answer {
    const places = this.#match(command);
    for (const place of places) {
      const slot = slotOf(place);
      const { members } = this.#hubOf(slot);
      if (command.verb === "leave") members.leave(slot, command.group);
      else members.leaveAll(slot);
    }
    return { ...emptyAnswer(), matched: places.length };
  }

  #list(command: Of<"list">): Answer {
    const target: Target = { kind: "group", group: command.group };
    const { after } = command;
    const connections = this.#match({ hub: command.hub, target })
      .map((place) => ({
        connectionId: formatConnectionId(this.#parts.nonce, place),
        userId: this.#hubOf(slotOf(place)).members.userOf(slotOf(place)),
      }))
      .filter(({ connectionId }) => after === undefined || connectionId > after)
      .sort((a, b) => (a.connectionId < b.connectionId ? -1 : 1));
    const matched = connections.length;
    return { ...emptyAnswer(), matched, connections: connections.slice(0, command.limit) };
  }

  #describe(command: Of<"describe">): Answer {
    const target: Target = { kind: "connection", connectionId: command.connectionId };
    const [place] = this.#match({ hub: undefined, target });
    if (place === undefined) return emptyAnswer();
    const { reactor, connections } = this.#parts;
    const slot = slotOf(place);
    const description = {
      connectedAtMs: reactor.wallMsOf(connections.openedTicks[slot] as number),
      lastActiveAtMs: reactor.wallMsOf(connections.activeTicks[slot] as number),
      address: reactor.peerAddress(slot),
      userId: this.#hubOf(slot).members.userOf(slot),
    };
    return { ...emptyAnswer(), matched: 1, description };
  }

  /** The places of the open connections that a command is about, less the excluded ones. */
  #match(command: About): number[] {
    return [...this.#places.subarray(0, this.#fill(command))];
  }

  /** The same into `#places`, where they stand until the next command; how many there are. */
  #fill({ hub: name, target, excluded }: About): number {
    if (target.kind === "connection") return this.#fillConnection(name, target.connectionId);
    const hub = name === undefined ? undefined : this.#hubsByName.get(name);
    if (hub === undefined) return 0;
    const count = target.kind === "all" ? this.#fillAll(hub) : this.#fillNamed(hub, target);
    if (excluded === undefined || excluded.length === 0) return count;
    const excludedPlaces = new Set(excluded.map((id) => this.#ownPlace(id)));
    let kept = 0;
    for (const place of this.#places.subarray(0, count)) {
      if (excludedPlaces.has(place)) continue;
      this.#places[kept] = place;
      kept += 1;
    }
    return kept;
  }

  #fillConnection(hubName: string | undefined, connectionId: string): number {
    const place = this.#ownPlace(connectionId);
    if (place === undefined || !this.#parts.reactor.isCurrent(place)) return 0;
    const slot = slotOf(place);
    if (this.#parts.connections.phases[slot] !== OPEN) return 0;
    const isOfHub = hubName === undefined || this.#hubOf(slot).name === hubName;
    if (isOfHub) this.#places[0] = place;
    return isOfHub ? 1 : 0;
  }

  #fillAll(hub: Hub): number {
    const { reactor } = this.#parts;
    const { phases, hubs } = this.#parts.connections;
    let count = 0;
    for (let slot = 0; slot < reactor.slots.used; slot += 1) {
      if (phases[slot] !== OPEN || hubs[slot] !== hub.index) continue;
      this.#places[count] = reactor.placeOf(slot);
      count += 1;
    }
    return count;
  }

  #fillNamed({ members }: Hub, target: Extract<Target, { kind: "user" | "group" }>): number {
    const places = this.#places;
    const count =
      target.kind === "user"
        ? members.copyUser(target.user, places)
        : members.copyGroup(target.group, places);
    for (let index = 0; index < count; index += 1) {
      places[index] = this.#parts.reactor.placeOf(places[index] as number);
    }
    return count;
  }

  /** Undefined for an id that this worker did not give out. */
  #ownPlace(connectionId: string): number | undefined {
    const parsed = parseConnectionId(connectionId);
    return parsed?.nonce === this.#parts.nonce ? parsed.place : undefined;
  }

  #hubOf(slot: number): Hub {
    return this.#parts.hubs[this.#parts.connections.hubs[slot] as number] as Hub;
  }
}
