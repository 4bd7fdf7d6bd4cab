/**
 * What a stream answers whoever publishes to it, on the reply subject: taken for a service's word,
 * it would let everybody in, and taken for a push, it would be sent to a client.
 */

/** A stream's and a domain's name have 255 bytes at the most. */
const BYTES_MAX = 1024;
const BEGINNING = /^\s*\{\s*"(?:stream|error|type|domain|seq)"/;

/** Whether that is what a message without headers is. */
export function isAcknowledgement(bytes: Uint8Array): boolean {
  if (bytes.length > BYTES_MAX) return false;
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!BEGINNING.test(body.toString("latin1", 0, 64))) return false;
  try {
    const value: Record<string, unknown> = JSON.parse(body.toString());
    return typeof value.stream === "string" && typeof value.seq === "number";
  } catch {
    // No JSON, and so no acknowledgement: what it is instead is for the rules to say.
    return false;
  }
}
