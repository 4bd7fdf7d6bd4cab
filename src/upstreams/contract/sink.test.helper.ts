/**
 * The gateway as a carrier sees it, which holds the carrier to its part: an acknowledgement is for
 * the oldest messages that are held, with exactly their bytes, once. What is wrong is kept and not
 * thrown, since an exception would end up in the carrier.
 */
import type { MessageOpcode } from "../../core/opcode.ts";
import type {
  ConnectionFacts,
  FailReason,
  UpstreamCommand,
  UpstreamCommandAnswer,
  UpstreamSink,
} from "../upstream.ts";

/** What one client sees, and what the gateway counts of it. */
export interface Client {
  facts: ConnectionFacts;
  /** Bytes of each message that is held, the oldest first. */
  held: number[];
  said: number;
  acknowledged: number;
  /** In their order. */
  heard: ({ opcode: MessageOpcode; bytes: Buffer } | "acknowledgement")[];
  states: (string | undefined)[];
  failed: FailReason | undefined;
}

export class ContractSink implements UpstreamSink {
  /** What the carrier did wrong. */
  readonly faults: string[] = [];
  readonly commands: UpstreamCommand[] = [];
  /** The gateway's part when a client has failed: it is closed at once. */
  whenFailed: (place: number, reason: FailReason) => void = () => {};
  whenAcknowledged: (place: number) => void = () => {};
  /** Of ever. */
  readonly #clients = new Map<number, Client>();
  readonly #open = new Set<number>();

  enter(place: number, facts: ConnectionFacts): void {
    const nothing = { held: [], said: 0, acknowledged: 0, heard: [], states: [] };
    this.#clients.set(place, { facts: { ...facts }, ...nothing, failed: undefined });
    this.#open.add(place);
  }

  leave(place: number): void {
    this.#open.delete(place);
  }

  isOpen(place: number): boolean {
    return this.#open.has(place);
  }

  of(place: number): Client {
    const client = this.#clients.get(place);
    if (client === undefined) throw new Error(`there was never a place ${place}`);
    return client;
  }

  /** Messages, of all clients. */
  get acknowledgedTotal(): number {
    return [...this.#clients.values()].reduce((sum, client) => sum + client.acknowledged, 0);
  }

  facts(place: number): ConnectionFacts {
    if (!this.#open.has(place)) this.faults.push(`facts of ${place}, which is not open`);
    return this.of(place).facts;
  }

  reply(
    place: number,
    opcode: MessageOpcode,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const copy = Buffer.from(bytes.subarray(offset, offset + length));
    if (this.#open.has(place)) this.of(place).heard.push({ opcode, bytes: copy });
  }

  setConnectionState(place: number, connectionState: string | undefined): void {
    if (!this.#open.has(place)) return;
    const { facts, states } = this.of(place);
    states.push(connectionState);
    facts.connectionState = connectionState;
  }

  acknowledged(place: number, messages: number, bytes: number): void {
    if (!this.#open.has(place)) return;
    const client = this.of(place);
    const taken = client.held.splice(0, messages);
    const sum = taken.reduce((total, each) => total + each, 0);
    if (messages < 1 || taken.length < messages || sum !== bytes) {
      const held = `${taken.length} messages of ${sum} bytes are held`;
      this.faults.push(`${messages} of ${bytes} bytes are acknowledged for ${place}; ${held}`);
    }
    client.acknowledged += messages;
    client.heard.push("acknowledgement");
    this.whenAcknowledged(place);
  }

  fail(place: number, reason: FailReason): void {
    if (!this.#open.has(place)) return;
    const client = this.of(place);
    if (client.failed !== undefined) this.faults.push(`place ${place} fails twice`);
    client.failed = reason;
    this.whenFailed(place, reason);
  }

  async execute(command: UpstreamCommand): Promise<UpstreamCommandAnswer> {
    // Its bytes are valid until it is executed.
    this.commands.push({ ...command, bytes: Buffer.from(command.bytes) });
    return { matched: 1, dropped: 0 };
  }
}
