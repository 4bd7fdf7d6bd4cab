/**
 * The headers of NATS messages: an event's attributes on the way out, and those of a push or an
 * answer on the way in, whose names are read without regard to case. It knows no subject.
 */
import type { MsgHdrs } from "@nats-io/transport-node";
import type { Sender } from "../cloudevents/headers.ts";
import { writeHeaders } from "../cloudevents/headers.ts";
import type { ServiceEvent } from "../delivery/event.ts";
import type { ConnectionFacts } from "../upstream.ts";

/** By names in lower case. */
export type ReceivedHeaders = ReadonlyMap<string, readonly string[]>;

const NONE: ReceivedHeaders = new Map();

/**
 * Of the headers of what is published, the library asks for their bytes, and JetStream adds one.
 * Its own table looks at each name and value anew, which made a message a quarter dearer. A line
 * break in a value would be another header: nothing that is written here can have one.
 */
class WrittenHeaders {
  #text = "NATS/1.0\r\n";

  set(name: string, value: string): void {
    this.#text += `${name}: ${value}\r\n`;
  }

  encode(): Uint8Array {
    return Buffer.from(`${this.#text}\r\n`);
  }
}

/**
 * As over HTTP, and percent-encoded as there: attributes, content type and signatures. What only
 * a webhook has is left out. `replyTo` is where the client can be sent something.
 */
export function writeEventHeaders(
  event: ServiceEvent,
  facts: ConnectionFacts,
  sender: Sender,
  replyTo: string | undefined,
  more: readonly string[] = [],
): MsgHdrs {
  const written = new WrittenHeaders();
  const pairs = writeHeaders(event, facts, sender, Date.now());
  for (let index = 0; index < pairs.length; index += 2) {
    const name = pairs[index] as string;
    if (name !== "webhook-request-origin") written.set(name, pairs[index + 1] as string);
  }
  for (let index = 0; index < more.length; index += 2) {
    written.set(more[index] as string, more[index + 1] as string);
  }
  if (replyTo !== undefined) written.set("headgate-reply-to", replyTo);
  return written as unknown as MsgHdrs;
}

/**
 * Undefined where they cannot be read. The library reads them when they are asked for, and throws
 * at a name that no header may have; thrown out of the callback of a subscription, that would end
 * its reading of the whole connection.
 */
export function readHeaders(message: { readonly headers?: MsgHdrs | undefined }) {
  let received: MsgHdrs | undefined;
  try {
    received = message.headers;
  } catch {
    return undefined;
  }
  return received === undefined ? NONE : byName(received);
}

function byName(received: MsgHdrs): ReceivedHeaders {
  const read = new Map<string, string[]>();
  for (const [name, values] of received) {
    const key = name.toLowerCase();
    read.set(key, [...(read.get(key) ?? []), ...values]);
  }
  return read;
}
