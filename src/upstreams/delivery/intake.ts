/**
 * Makes events of the gateway's calls and puts each into the lane of its place: the way in, which
 * is the same for every carrier that holds events.
 */
import type { MessageOpcode } from "../../core/opcode.ts";
import { TEXT } from "../../core/opcode.ts";
import type { ConnectionFacts, MessageOutcome, Upstream, UpstreamSink } from "../upstream.ts";
import { HELD } from "../upstream.ts";
import { nowMs } from "./agenda.ts";
import {
  BINARY_TYPE,
  CONNECTED_BODY,
  JSON_TYPE,
  TEXT_TYPE,
  writeDisconnectedBody,
} from "./event.ts";
import type { QueuedEvent } from "./lane.ts";
import type { Lanes } from "./lanes.ts";

type Calls = Pick<Upstream, "abandoned" | "connected" | "disconnected" | "message">;

export class Intake implements Calls {
  readonly #lanes: Lanes;
  readonly #sink: UpstreamSink;
  readonly #nextId: () => string;
  /** Whoever never had a place gets one of these: negative, and never used twice. */
  #abandonedCount = 0;

  /** `nextId` gives "" where the service makes an event's id itself. */
  constructor(lanes: Lanes, sink: UpstreamSink, nextId: () => string) {
    this.#lanes = lanes;
    this.#sink = sink;
    this.#nextId = nextId;
  }

  connected(place: number): void {
    this.#add(place, this.#event("connected", JSON_TYPE, CONNECTED_BODY, 0));
  }

  message(
    place: number,
    number: number,
    opcode: MessageOpcode,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): MessageOutcome {
    const contentType = opcode === TEXT ? TEXT_TYPE : BINARY_TYPE;
    const body = Buffer.from(bytes.subarray(offset, offset + length));
    this.#add(place, this.#event("message", contentType, body, number));
    return HELD;
  }

  disconnected(place: number, reason: string, code: number): void {
    const body = writeDisconnectedBody(reason, code);
    this.#add(place, this.#event("disconnected", JSON_TYPE, body, 0));
  }

  abandoned(facts: ConnectionFacts, reason: string, code: number): void {
    const body = writeDisconnectedBody(reason, code);
    this.#abandonedCount += 1;
    const event = this.#event("disconnected", JSON_TYPE, body, 0);
    this.#lanes.add(-this.#abandonedCount, event, () => facts);
  }

  #add(place: number, event: QueuedEvent): void {
    this.#lanes.add(place, event, () => this.#sink.facts(place));
  }

  /** One literal: behind a spread V8 made hidden classes for each event, half of its time. */
  #event(
    name: QueuedEvent["name"],
    contentType: string,
    body: Buffer,
    messageNumber: number,
  ): QueuedEvent {
    return {
      name,
      id: this.#nextId(),
      timeMs: Date.now(),
      queuedAtMs: nowMs(),
      messageNumber,
      contentType,
      body,
      attempts: 0,
      sentAtMs: 0,
      failures: 0,
    };
  }
}
