/**
 * The gateway as the model test expects it: which connections there are, what each was sent and
 * what its service was given, told step by step by the service's own events. It holds no socket.
 */
import assert from "node:assert/strict";
import type { HeldMessage, HeldUpstream } from "../../test/support/held-upstream.ts";

/** One client, from its connecting to its end; never used for another. */
export interface ModelClient {
  name: string;
  /** Texts that it has sent whole. */
  sent: string[];
  /** Texts that it is to be sent, in order, while it is open. */
  owed: string[];
  groups: Set<string>;
}

interface Connection {
  client: ModelClient | undefined;
  isOpen: boolean;
  /** Why it is not, once it is not. */
  reason: string;
  delivered: number;
  unacknowledged: HeldMessage[];
}

export class GatewayModel {
  /** By place. */
  readonly connections = new Map<number, Connection>();

  constructor(upstream: HeldUpstream) {
    const { connected, message, disconnected } = upstream;
    upstream.connected = (place) => {
      assert.equal(this.connections.has(place), false, "a place is used once");
      const unacknowledged: HeldMessage[] = [];
      this.connections.set(place, {
        client: undefined,
        isOpen: true,
        reason: "",
        delivered: 0,
        unacknowledged,
      });
      connected.call(upstream, place);
    };
    upstream.message = (place, number, opcode, bytes, offset, length) => {
      const outcome = message.call(upstream, place, number, opcode, bytes, offset, length);
      this.#deliver(place, number, upstream.messages.at(-1) as HeldMessage);
      return outcome;
    };
    upstream.disconnected = (place, reason, code) => {
      const connection = this.#open(place);
      disconnected.call(upstream, place, reason, code);
      connection.isOpen = false;
      connection.reason = reason;
    };
  }

  get openCount(): number {
    return [...this.connections.values()].filter(({ isOpen }) => isOpen).length;
  }

  /** The open connections of clients that are known already. */
  get open(): { place: number; client: ModelClient }[] {
    return [...this.connections].flatMap(([place, { isOpen, client }]) =>
      isOpen && client !== undefined ? [{ place, client }] : [],
    );
  }

  introduce(place: number, client: ModelClient): void {
    const connection = this.#open(place);
    assert.equal(connection.client, undefined, "a connection is one client's");
    connection.client = client;
  }

  isOpen(place: number): boolean {
    return this.connections.get(place)?.isOpen ?? false;
  }

  reasonOf(place: number): string | undefined {
    return this.connections.get(place)?.reason;
  }

  deliveredOf(place: number): number {
    return this.connections.get(place)?.delivered ?? 0;
  }

  unacknowledgedOf(place: number): number {
    return this.connections.get(place)?.unacknowledged.length ?? 0;
  }

  /** The oldest message of a connection that is not acknowledged yet, also after its end. */
  takeUnacknowledged(place: number): HeldMessage | undefined {
    return this.connections.get(place)?.unacknowledged.shift();
  }

  #open(place: number): Connection {
    const connection = this.connections.get(place);
    assert(connection?.isOpen, "the service hears of an open connection alone");
    return connection;
  }

  #deliver(place: number, number: number, message: HeldMessage): void {
    const connection = this.#open(place);
    connection.delivered += 1;
    connection.unacknowledged.push(message);
    assert.equal(number, connection.delivered, "messages are numbered without a gap");
    // The text says whose it is and which: nothing is lost, doubled, turned round or mixed up.
    const [name, index] = message.bytes.toString().split(" ");
    assert.equal(Number(index), number, `message of ${name}`);
    if (connection.client !== undefined) assert.equal(name, connection.client.name);
  }
}
