/**
 * Headers that a client of NATS in another language sends and this one cannot read: a name has a
 * space in it.
 */
import type { MsgHdrs } from "@nats-io/transport-node";

export function unreadableHeaders(): MsgHdrs {
  const bytes = Buffer.from("NATS/1.0\r\nmy key: x\r\n\r\n");
  // The library asks for their bytes, and for nothing else.
  return { encode: () => bytes } as unknown as MsgHdrs;
}
