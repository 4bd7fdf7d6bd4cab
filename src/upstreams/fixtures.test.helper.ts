/** What tests of all carriers share: a client, limits, and a sink that records what it is told. */
import type { HubLimits } from "../config/configuration.ts";
import type { MessageOpcode } from "../core/opcode.ts";
import type {
  ConnectionFacts,
  ConnectRequest,
  UpstreamCommand,
  UpstreamCommandAnswer,
  UpstreamSink,
} from "./upstream.ts";

export const connectRequest: ConnectRequest = {
  connectionId: "new.client",
  path: "/",
  params: {},
  query: {},
  headers: {},
  subprotocols: [],
  address: "192.0.2.1",
};

export type SinkCall =
  | { call: "reply"; place: number; opcode: MessageOpcode; text: string }
  | { call: "state"; place: number; connectionState: string | undefined }
  | { call: "acknowledged"; place: number; messages: number; bytes: number }
  | { call: "fail"; place: number; reason: string }
  | { call: "execute"; place: -1; command: UpstreamCommand };

export class RecordingSink implements UpstreamSink {
  readonly calls: SinkCall[] = [];
  readonly known = new Map<number, ConnectionFacts>();
  failed: (place: number) => void = () => {};
  acknowledgedHook: (place: number) => void = () => {};

  open(place: number, facts: Partial<ConnectionFacts> = {}): void {
    this.known.set(place, {
      connectionId: `connection.${place}`,
      userId: undefined,
      subprotocol: undefined,
      connectionState: undefined,
      ...facts,
    });
  }

  facts(place: number): ConnectionFacts {
    const facts = this.known.get(place);
    if (facts === undefined) throw new Error(`place ${place} is not known`);
    return facts;
  }

  reply(
    place: number,
    opcode: MessageOpcode,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const text = Buffer.from(bytes.subarray(offset, offset + length)).toString("latin1");
    this.calls.push({ call: "reply", place, opcode, text });
  }

  setConnectionState(place: number, connectionState: string | undefined): void {
    this.calls.push({ call: "state", place, connectionState });
    this.facts(place).connectionState = connectionState;
  }

  acknowledged(place: number, messages: number, bytes: number): void {
    this.calls.push({ call: "acknowledged", place, messages, bytes });
    this.acknowledgedHook(place);
  }

  fail(place: number, reason: string): void {
    this.calls.push({ call: "fail", place, reason });
    this.failed(place);
  }

  async execute(command: UpstreamCommand): Promise<UpstreamCommandAnswer> {
    this.calls.push({ call: "execute", place: -1, command });
    return { matched: 1, dropped: 0 };
  }

  count(call: SinkCall["call"], place?: number): number {
    return this.calls.filter((one) => {
      return one.call === call && (place === undefined || one.place === place);
    }).length;
  }
}

export const testLimits: HubLimits = {
  messageBytesMax: 131_072,
  unacknowledgedMessagesMax: 64,
  unacknowledgedBytesMax: 1_048_576,
  holdTimeoutMs: 30_000,
  lifetimeMs: 0,
  serviceConnectTimeoutMs: 2000,
  serviceTimeoutMs: 10_000,
  serviceResponseBytesMax: 1_048_576,
  serviceInflightMax: 256,
  batchEventsMax: 256,
  batchBytesMax: 262_144,
  batchesInflightMax: 4,
  serviceConnectionAgeMs: 60_000,
};
