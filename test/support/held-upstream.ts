/**
 * A carrier whose service is the test: it records what it is given and acknowledges when told.
 */
import type { MessageOpcode } from "../../src/core/opcode.ts";
import {
  type ConnectAnswer,
  type ConnectionFacts,
  type ConnectRequest,
  HELD,
  type MessageOutcome,
  type Upstream,
  type UpstreamSink,
} from "../../src/upstreams/upstream.ts";

export interface HeldMessage {
  place: number;
  number: number;
  opcode: MessageOpcode;
  bytes: Buffer;
}

export class HeldUpstream implements Upstream {
  readonly sink: UpstreamSink;
  readonly requests: ConnectRequest[] = [];
  readonly connectedPlaces: number[] = [];
  readonly messages: HeldMessage[] = [];
  readonly departures: { facts: ConnectionFacts; reason: string; code: number }[] = [];
  readonly abandonments: { facts: ConnectionFacts; reason: string; code: number }[] = [];
  heldBytes = 0;
  /** The answer to every connect event. */
  answer: Promise<ConnectAnswer> = Promise.resolve({
    accepted: true,
    userId: undefined,
    groups: [],
    subprotocol: undefined,
    connectionState: undefined,
  });
  #changed: (() => void)[] = [];

  constructor(sink: UpstreamSink) {
    this.sink = sink;
  }

  get heldMemoryBytes(): number {
    return this.heldBytes;
  }

  counts(): undefined {}

  connect(request: ConnectRequest): Promise<ConnectAnswer> {
    this.requests.push(request);
    this.#notify();
    return this.answer;
  }

  connected(place: number): void {
    this.connectedPlaces.push(place);
    this.#notify();
  }

  message(
    place: number,
    number: number,
    opcode: MessageOpcode,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): MessageOutcome {
    const copy = Buffer.from(bytes.subarray(offset, offset + length));
    this.messages.push({ place, number, opcode, bytes: copy });
    this.heldBytes += length;
    this.#notify();
    return HELD;
  }

  disconnected(place: number, reason: string, code: number): void {
    this.departures.push({ facts: this.sink.facts(place), reason, code });
    this.#notify();
  }

  abandoned(facts: ConnectionFacts, reason: string, code: number): void {
    this.abandonments.push({ facts, reason, code });
    this.#notify();
  }

  async close(): Promise<void> {}

  acknowledge(message: HeldMessage): void {
    this.heldBytes -= message.bytes.length;
    this.sink.acknowledged(message.place, 1, message.bytes.length);
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    const deadline = setTimeout(() => this.#notify(), 15_000);
    const start = Date.now();
    while (!condition()) {
      if (Date.now() - start > 14_000) throw new Error(`waited in vain for ${what}`);
      await new Promise<void>((resolve) => this.#changed.push(resolve));
    }
    clearTimeout(deadline);
  }

  #notify(): void {
    for (const changed of this.#changed.splice(0)) changed();
  }
}
