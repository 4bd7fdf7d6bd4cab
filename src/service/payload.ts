/**
 * What is sent to a client, by a reply or a push: text or bytes, as WebSocket has them. Nothing
 * here sends.
 */
import { BINARY, type MessageOpcode, TEXT } from "../core/opcode.ts";

/** A string is a text message, bytes are a binary one, unless a kind is named. */
export type Payload = string | Uint8Array;
export type PayloadKind = "text" | "binary";

export interface Encoded {
  readonly opcode: MessageOpcode;
  readonly bytes: Uint8Array;
}

/** Bytes are kept as they are and not copied: leave them alone until they are sent. */
export function encodePayload(payload: Payload, kind: PayloadKind | undefined): Encoded {
  if (typeof payload === "string") {
    return { opcode: kind === "binary" ? BINARY : TEXT, bytes: Buffer.from(payload) };
  }
  // Whatever else a program without types hands in would fail far from here.
  if (payload instanceof Uint8Array) {
    return { opcode: kind === "text" ? TEXT : BINARY, bytes: payload };
  }
  throw new TypeError(`a message is a string or a Uint8Array, and not ${typeof payload}`);
}
