/**
 * Events as one JSON array in the CloudEvents batch format (JSON event format 1.0.2, 4), within
 * its bytes. It is written by hand: what is the same for all events of a connection is put
 * together once, and a payload is escaped once.
 */

import type { Sender } from "../cloudevents/headers.ts";
import { formatTime, sourceOf, types } from "../cloudevents/headers.ts";
import { signConnection } from "../cloudevents/signature.ts";
import type { EventName, ServiceEvent } from "../delivery/event.ts";
import { TEXT_TYPE } from "../delivery/event.ts";
import type { ConnectionFacts } from "../upstream.ts";

const OPENING = 0x5b;
const CLOSING = 0x5d;
const COMMA = 0x2c;
/** Of UTF-8 for one unit of a string, at the most. */
const UNIT_BYTES_MAX = 3;
/** A comma or the opening bracket before an event, and the closing one behind the last. */
const FRAME_BYTES = 2;

/** What the events of one connection begin with, while its facts stay the same. */
export function beginOf(facts: ConnectionFacts, sender: Sender): string {
  const { connectionId, userId, subprotocol, connectionState } = facts;
  let text = `{"specversion":"1.0","source":"${sourceOf(sender.hub, connectionId)}"`;
  text += `,"hub":"${sender.hub}","connectionid":"${connectionId}"`;
  if (userId) text += `,"userid":${JSON.stringify(userId)}`;
  if (subprotocol !== undefined) text += `,"subprotocol":${JSON.stringify(subprotocol)}`;
  if (connectionState) text += `,"connectionstate":${JSON.stringify(connectionState)}`;
  if (sender.signingKeys.length > 0) {
    text += `,"signature":"${signConnection(sender.signingKeys, connectionId)}"`;
  }
  return text;
}

/** One event; `begin` is its connection's. */
export function writeEvent(event: ServiceEvent, begin: string): string {
  const { contentType, id, messageNumber, name, timeMs } = event;
  const number = messageNumber > 0 ? `,"messagenumber":${messageNumber}` : "";
  const kind = `"type":"${types[name]}","eventname":"${name}"`;
  const when = `"id":"${id}","time":"${formatTime(timeMs)}"`;
  return `${begin},${kind},${when}${number},"datacontenttype":"${contentType}",${dataOf(event)}}`;
}

function dataOf({ body, contentType, name }: ServiceEvent): string {
  // A body that is ours is JSON already.
  if (isOurs(name)) return `"data":${body.toString()}`;
  if (contentType === TEXT_TYPE) return `"data":${JSON.stringify(body.toString())}`;
  return `"data_base64":"${body.toString("base64")}"`;
}

function isOurs(name: EventName): boolean {
  return name !== "message";
}

/** One at a time: `begin`, `add` until it is full, `end`. */
export class BatchBody {
  /** Memory of it is used as far as batches have been filled. */
  readonly #buffer: Buffer;
  #end = 0;
  #oversized: Buffer | undefined;

  constructor(bytesMax: number) {
    this.#buffer = Buffer.allocUnsafeSlow(bytesMax);
  }

  begin(): void {
    this.#end = 0;
    this.#oversized = undefined;
  }

  /** False, and nothing is added, where it does not fit; the first one always does. */
  add(event: string): boolean {
    if (this.#oversized !== undefined) return false;
    const room = this.#buffer.length - this.#end - FRAME_BYTES;
    if (event.length * UNIT_BYTES_MAX > room && Buffer.byteLength(event) > room) {
      if (this.#end > 0) return false;
      this.#oversized = Buffer.from(`[${event}]`);
      return true;
    }
    this.#buffer[this.#end] = this.#end === 0 ? OPENING : COMMA;
    this.#end += 1 + this.#buffer.write(event, this.#end + 1);
    return true;
  }

  /** A copy, for the request reads it while the next batch is written. */
  end(): Buffer {
    if (this.#oversized !== undefined) return this.#oversized;
    this.#buffer[this.#end] = CLOSING;
    return Buffer.from(this.#buffer.subarray(0, this.#end + 1));
  }
}
