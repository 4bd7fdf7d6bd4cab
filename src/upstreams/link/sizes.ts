/** How long frames become, before they are written: the service may take only so much. */
import { MESSAGE_HEADER_BYTES } from "../../link/encode.ts";
import { type Connect, LENGTH_BYTES, type Open, TEXT_BYTES_MAX } from "../../link/frame.ts";

/** What a frame's length says of a message with so many bytes of payload. */
export function messageBytes(payloadBytes: number): number {
  return MESSAGE_HEADER_BYTES - LENGTH_BYTES + payloadBytes;
}

/** Of an OPEN: its type, its channel and four texts with their lengths. */
export function openBytes(open: Omit<Open, "type" | "channel">): number {
  const { connectionId, connectionState, subprotocol, userId } = open;
  return 1 + 4 + textsBytes(connectionId, userId, subprotocol, connectionState);
}

/** Of a DISCONNECTED at the most: its reason is a part of the body. */
export function disconnectedBytes(bodyBytes: number): number {
  return 1 + 4 + 8 + 2 + 2 + bodyBytes;
}

/** Whether there is a frame for it at all. */
export function isText(text: string): boolean {
  return Buffer.byteLength(text) <= TEXT_BYTES_MAX;
}

/** Infinity where one of them is longer than any frame can take. */
function textsBytes(...texts: string[]): number {
  return texts.reduce((sum, text) => {
    return isText(text) ? sum + 2 + Buffer.byteLength(text) : Number.POSITIVE_INFINITY;
  }, 0);
}

/** Of a CONNECT: its type, request, time, three texts, and what it asks. */
export function connectBytes(connect: Omit<Connect, "type">): number {
  const { connectionId, end, start, traceparent, tracestate } = connect;
  return 1 + 4 + 8 + textsBytes(connectionId, traceparent, tracestate) + end - start;
}
