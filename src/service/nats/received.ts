/**
 * A message on one of the hub's subjects as the event that it is: its headers and signature are
 * those of an event over HTTP, and its body too. What answers it is not known here.
 */
import type { MsgHdrs } from "@nats-io/transport-node";
import { ConnectRequest } from "../connect-request.ts";
import type { ServiceEvent } from "../handlers.ts";
import { readEvent } from "../http/binary.ts";
import { isEventSigned } from "../signature.ts";

/** Of a Msg or a JsMsg. */
export interface Received {
  readonly headers?: MsgHdrs | undefined;
  readonly data: Uint8Array;
}

export interface Reader {
  hub: string;
  keys: readonly string[];
}

/** By names in lower case: a server or a bridge may have written them otherwise. */
export type HeaderMap = ReadonlyMap<string, string>;

/**
 * None where they cannot be read. The library reads them when they are asked for, and throws at a
 * name that no header may have; thrown out of the callback of a subscription, that would end its
 * reading of the whole connection.
 */
export function headersOf(received: Received): HeaderMap {
  const read = new Map<string, string>();
  let headers: MsgHdrs | undefined;
  try {
    headers = received.headers;
  } catch {
    return read;
  }
  if (headers === undefined) return read;
  for (const [name, values] of headers) {
    const key = name.toLowerCase();
    const earlier = read.get(key);
    const value = values.join(",");
    read.set(key, earlier === undefined ? value : `${earlier},${value}`);
  }
  return read;
}

/** A sentence where it is no event of this hub, or where no key has signed it around `atMs`. */
export function readReceived(
  received: Received,
  headers: HeaderMap,
  { hub, keys }: Reader,
  atMs: number,
): ServiceEvent | ConnectRequest | string {
  if (headers.size === 0) return "it has no headers, or one whose name none may have";
  const { data } = received;
  const body = Buffer.from(data.buffer, data.byteOffset, data.length);
  const header = (name: string) => headers.get(name);
  if (keys.length > 0 && !isEventSigned(keys, header, body, atMs)) {
    return "it is not signed by a key of this service, or too old";
  }
  if (header("ce-hub") !== hub) return `it is of another hub than "${hub}"`;
  const event = readEvent({ method: "POST", header, body });
  if (typeof event !== "string" && event.name === "message") event.refuseState();
  return event;
}

export function isConnect(event: ServiceEvent | ConnectRequest): event is ConnectRequest {
  return event instanceof ConnectRequest;
}
