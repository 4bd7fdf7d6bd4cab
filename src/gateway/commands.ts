/**
 * What pushers ask of this worker: each command of the bus, carried out on the connections that
 * this worker holds. Who asked, and over what, is not known here.
 */
import { type Answer, type Command, emptyAnswer, type Target } from "../bus/command.ts";
import { formatConnectionId, parseConnectionId, slotOf } from "../core/connection-id.ts";
import type { Reactor } from "../reactor/reactor.ts";
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

type Of<Verb extends Command["verb"]> = Extract<Command, { verb: Verb }>;

export class Commands {
  readonly #parts: Parts;
  readonly #hubsByName: Map<string, Hub>;

  constructor(parts: Parts) {
    this.#parts = parts;
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

  async #send(command: Of<"send">): Promise<Answer> {
    const places = this.#match(command);
    const first = places[0];
    if (first === undefined) return emptyAnswer();
    const hub = this.#hubOf(slotOf(first));
    const { fanout, pushMemory } = this.#parts;
    if (command.pushId === undefined) {
      return fanout.push(hub, places, command.opcode, command.bytes);
    }
    const unreached = pushMemory.unreached(command.pushId, places, performance.now());
    const answer = await fanout.push(hub, unreached, command.opcode, command.bytes);
    // Those whom an earlier try reached have it: they count as they did then.
    return { ...answer, matched: answer.matched + places.length - unreached.length };
  }

  #close(command: Of<"close">): Answer {
    const places = this.#match(command);
    const sentence = command.reason === "" ? undefined : command.reason;
    for (const place of places) {
      this.#parts.departure.disconnect(slotOf(place), "closed-by-service", sentence);
    }
    return { ...emptyAnswer(), matched: places.length };
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
  #match(command: { hub: string | undefined; target: Target; excluded?: string[] }): number[] {
    const { hub: name, target, excluded } = command;
    if (target.kind === "connection") return this.#matchConnection(name, target.connectionId);
    const hub = name === undefined ? undefined : this.#hubsByName.get(name);
    if (hub === undefined) return [];
    const slots = this.#slotsOf(hub, target);
    const places = Array.from(slots, (slot) => this.#parts.reactor.placeOf(slot));
    if (excluded === undefined || excluded.length === 0) return places;
    const excludedPlaces = new Set(excluded.map((id) => this.#ownPlace(id)));
    return places.filter((place) => !excludedPlaces.has(place));
  }

  #matchConnection(hubName: string | undefined, connectionId: string): number[] {
    const place = this.#ownPlace(connectionId);
    if (place === undefined || !this.#parts.reactor.isCurrent(place)) return [];
    const slot = slotOf(place);
    if (this.#parts.connections.phases[slot] !== OPEN) return [];
    const isOfHub = hubName === undefined || this.#hubOf(slot).name === hubName;
    return isOfHub ? [place] : [];
  }

  #slotsOf(hub: Hub, target: Exclude<Target, { kind: "connection" }>): Iterable<number> {
    if (target.kind === "user") return hub.members.ofUser(target.user);
    if (target.kind === "group") return hub.members.ofGroup(target.group);
    return this.#slotsOfAll(hub);
  }

  *#slotsOfAll(hub: Hub): Iterable<number> {
    const { connections, reactor } = this.#parts;
    for (let slot = 0; slot < reactor.slots.used; slot += 1) {
      if (connections.phases[slot] === OPEN && connections.hubs[slot] === hub.index) yield slot;
    }
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
