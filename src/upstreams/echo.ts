/**
 * The service that is built in: it sends every message back without leaving the worker, for
 * trying and for measuring. It keeps nothing, copies nothing and has nobody to ask.
 */
import type { MessageOpcode } from "../core/opcode.ts";
import type { ConnectAnswer, MessageOutcome, Upstream, UpstreamSink } from "./upstream.ts";
import { ACKNOWLEDGED } from "./upstream.ts";

export class EchoUpstream implements Upstream {
  readonly heldMemoryBytes = 0;
  readonly #sink: UpstreamSink;

  constructor(sink: UpstreamSink) {
    this.#sink = sink;
  }

  counts(): undefined {}

  /** Lets everybody in; no configuration has it asked. */
  async connect(): Promise<ConnectAnswer> {
    return {
      accepted: true,
      userId: undefined,
      groups: [],
      subprotocol: undefined,
      connectionState: undefined,
    };
  }

  connected(): void {}

  message(
    place: number,
    _number: number,
    opcode: MessageOpcode,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): MessageOutcome {
    this.#sink.reply(place, opcode, bytes, offset, length);
    return ACKNOWLEDGED;
  }

  disconnected(): void {}

  abandoned(): void {}

  async close(): Promise<void> {}
}
