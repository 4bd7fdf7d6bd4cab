/**
 * What a foreign client can be told to do and what it tells that it saw, the same for all of
 * them. It has one connection at a time. Nothing is judged here.
 */
import assert from "node:assert/strict";
import { Waiters } from "../support/waiters.ts";

export type MessageKind = "text" | "binary";

export type Sighting =
  | { what: "open"; subprotocol: string; extension: string }
  | { what: "refused"; status: number; body: string }
  | { what: "text"; payload: Buffer }
  | { what: "binary"; payload: Buffer }
  | { what: "pong"; payload: Buffer }
  /** Code 1006: the stream ended without a close frame. */
  | { what: "closed"; code: number; reason: string };

type What = Sighting["what"];

/** What the interface of a library offers; the protocol itself is not up for choice. */
export interface Abilities {
  fragments: boolean;
  /** Whether it can ping, and says which pong came. */
  pings: boolean;
  /** What it tells of a handshake that was answered with something other than 101. */
  refusal: "body" | "status" | "nothing";
  /** Whether it tells the code of the frame that answers its own close frame. */
  answeredClose: boolean;
  /** Whether it bears messages that are not compressed once compression is agreed on. */
  uncompressed: boolean;
}

export interface Peer {
  readonly sightings: Sightings;
  /** `compression`: whether it offers permessage-deflate; some always do. */
  open(url: string, subprotocols: string[], compression: boolean): void;
  send(kind: MessageKind, payload: Buffer): void;
  sendFragments(kind: MessageKind, parts: Buffer[]): void;
  ping(payload: Buffer): void;
  close(code: number, reason: string): void;
  stop(): Promise<void>;
}

/** What was seen and not asked for yet, in order. */
export class Sightings {
  readonly #waiting: Sighting[] = [];
  readonly #waiters = new Waiters();
  #failure: Error | undefined;

  add(sighting: Sighting): void {
    this.#waiting.push(sighting);
    this.#waiters.notify();
  }

  /** The client is broken, or its process is over: nothing more will be seen. */
  fail(failure: Error): void {
    this.#failure ??= failure;
    this.#waiters.notify();
  }

  /** The next one, which must be of this kind. */
  async next<Kind extends What>(what: Kind): Promise<Extract<Sighting, { what: Kind }>> {
    await this.#waiters.until(
      () => this.#waiting.length > 0 || this.#failure !== undefined,
      () => `the client to see "${what}"`,
    );
    const sighting = this.#waiting.shift();
    if (sighting === undefined) throw this.#failure;
    assert.equal(sighting.what, what, `it saw ${describe(sighting)}`);
    return sighting as Extract<Sighting, { what: Kind }>;
  }
}

function describe(sighting: Sighting): string {
  if (!("payload" in sighting)) return JSON.stringify(sighting);
  const { what, payload } = sighting;
  return `${what} of ${payload.length} bytes: ${payload.subarray(0, 40).toString()}`;
}
