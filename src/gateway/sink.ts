/**
 * What a hub's carrier may ask of the gateway. A place that is no open connection any more is
 * answered with nothing: the carrier may be late, the client gone.
 */
import assert from "node:assert/strict";
import type { Answer, Command } from "../bus/command.ts";
import { formatConnectionId, slotOf } from "../core/connection-id.ts";
import type { MessageOpcode } from "../core/opcode.ts";
import type { Reactor } from "../reactor/reactor.ts";
import type {
  ConnectionFacts,
  FailReason,
  UpstreamCommand,
  UpstreamCommandAnswer,
  UpstreamSink,
} from "../upstreams/upstream.ts";
import { type ConnectionTable, OPEN } from "./connection-table.ts";
import type { Delivery } from "./delivery.ts";
import type { Departure } from "./departure.ts";
import type { Hub } from "./hub.ts";
import type { Reception } from "./reception.ts";

interface Parts {
  reactor: Reactor;
  connections: ConnectionTable;
  delivery: Delivery;
  departure: Departure;
  reception: Reception;
  nonce: string;
  execute: (command: Command) => Promise<Answer>;
}

export class HubSink implements UpstreamSink {
  readonly #hub: Hub;
  readonly #parts: Parts;
  readonly #reactor: Reactor;
  readonly #phases: Uint8Array;
  readonly #delivery: Delivery;

  constructor(hub: Hub, parts: Parts) {
    this.#hub = hub;
    this.#parts = parts;
    this.#reactor = parts.reactor;
    this.#phases = parts.connections.phases;
    this.#delivery = parts.delivery;
  }

  facts(place: number): ConnectionFacts {
    assert(this.#isOpen(place), "facts are asked of a connection that is not open");
    const { connections, nonce } = this.#parts;
    const slot = slotOf(place);
    return {
      connectionId: formatConnectionId(nonce, place),
      userId: this.#hub.members.userOf(slot),
      subprotocol: connections.subprotocol(slot),
      connectionState: connections.connectionState(slot),
    };
  }

  reply(
    place: number,
    opcode: MessageOpcode,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    if (!this.#isOpen(place)) return;
    this.#delivery.deliver(this.#hub, slotOf(place), opcode, bytes, offset, length);
  }

  setConnectionState(place: number, connectionState: string | undefined): void {
    if (!this.#isOpen(place)) return;
    this.#parts.connections.setConnectionState(slotOf(place), connectionState);
  }

  acknowledged(place: number, messages: number, bytes: number): void {
    if (!this.#isOpen(place)) return;
    this.#parts.reception.acknowledged(slotOf(place), messages, bytes);
  }

  fail(place: number, reason: FailReason): void {
    if (!this.#isOpen(place)) return;
    this.#parts.departure.disconnect(slotOf(place), reason);
  }

  async execute(command: UpstreamCommand): Promise<UpstreamCommandAnswer> {
    const { matched, dropped, refused } = await this.#parts.execute(
      commandOf(this.#hub.name, command),
    );
    return { matched, dropped: dropped + (refused?.count ?? 0) };
  }

  #isOpen(place: number): boolean {
    return this.#reactor.isCurrent(place) && this.#phases[slotOf(place)] === OPEN;
  }
}

/** The same in the words of the bus. */
function commandOf(hub: string, asked: UpstreamCommand): Command {
  const { verb, target, excluded, opcode, bytes, argument, pushId } = asked;
  switch (verb) {
    case "send":
      return { verb, hub, target, excluded, opcode, bytes, pushId };
    case "close":
      return { verb, hub, target, excluded, reason: argument };
    case "join":
    case "leave":
      return { verb, hub, target, group: argument };
    case "leave-all":
    case "exists":
      return { verb, hub, target };
  }
}
