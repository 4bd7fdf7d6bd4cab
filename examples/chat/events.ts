/**
 * Reads what the gateway posts: CloudEvents 1.0 in binary mode, attributes as ce- headers. It
 * checks the signature and the shape, and decides nothing about the chat.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

export type EventKind = "connect" | "connected" | "message" | "disconnected";

export interface GatewayEvent {
  kind: EventKind;
  /** The same on every redelivery. */
  id: string;
  hub: string;
  connectionId: string;
  /** Empty before `connect` has been answered. */
  userId: string;
  /** What our own answer to `connect` set. */
  connectionState: string;
  body: Buffer;
}

export interface Refusal {
  status: number;
  sentence: string;
}

const kinds = new Map<string, EventKind>([
  ["headgate.sys.connect", "connect"],
  ["headgate.sys.connected", "connected"],
  ["headgate.sys.disconnected", "disconnected"],
  ["headgate.user.message", "message"],
]);

/** An event is signed when it is sent, so an old one is somebody's recording. */
const SIGNATURE_AGE_SECONDS_MAX = 300;

/** `signingKeys`: any of them may have signed; none: events are taken unsigned. */
export function readEvent(
  headers: IncomingHttpHeaders,
  body: Buffer,
  signingKeys: readonly string[],
  nowMs: number,
): GatewayEvent | Refusal {
  const refusal = checkSignature(headers, body, signingKeys, nowMs);
  if (refusal !== undefined) return refusal;
  const kind = kinds.get(header(headers, "ce-type"));
  if (kind === undefined) return { status: 400, sentence: "ce-type is not one of this service's." };
  const event = {
    kind,
    id: attribute(headers, "ce-id"),
    hub: attribute(headers, "ce-hub"),
    connectionId: attribute(headers, "ce-connectionid"),
    userId: attribute(headers, "ce-userid"),
    connectionState: attribute(headers, "ce-connectionstate"),
    body,
  };
  if (event.id === "" || event.hub === "" || event.connectionId === "") {
    return { status: 400, sentence: "ce-id, ce-hub and ce-connectionid are needed." };
  }
  return event;
}

/** For an answer's ce-connectionstate: the reverse of how attributes are read. */
export function encodeAttribute(value: string): string {
  return encodeURIComponent(value);
}

function checkSignature(
  headers: IncomingHttpHeaders,
  body: Buffer,
  signingKeys: readonly string[],
  nowMs: number,
): Refusal | undefined {
  if (signingKeys.length === 0) return undefined;
  const { signedAt, signatures } = parseSignature(header(headers, "headgate-signature"));
  if (signedAt === "" || signatures.length === 0) {
    return { status: 401, sentence: "The event is not signed; set signingKeys for this hub." };
  }
  if (!(Math.abs(nowMs / 1000 - Number(signedAt)) <= SIGNATURE_AGE_SECONDS_MAX)) {
    return { status: 401, sentence: "The event's signature is too old; compare the clocks." };
  }
  for (const key of signingKeys) {
    const expected = sign(key, signedAt, headers, body);
    for (const signature of signatures) if (isSame(signature, expected)) return undefined;
  }
  return { status: 401, sentence: "The event was signed with another key." };
}

/** `t=<unix seconds>,v1=<hex>`, with more than one v1 while keys change. */
function parseSignature(value: string): { signedAt: string; signatures: string[] } {
  let signedAt = "";
  const signatures: string[] = [];
  for (const part of value.split(",")) {
    const [name, content = ""] = part.trim().split("=", 2);
    if (name === "t") signedAt = content;
    if (name === "v1") signatures.push(content);
  }
  return { signedAt, signatures };
}

function sign(key: string, signedAt: string, headers: IncomingHttpHeaders, body: Buffer): string {
  const hmac = createHmac("sha256", key).update(`${signedAt}\n`);
  for (const name of ["ce-id", "ce-type", "ce-source", "ce-userid", "ce-connectionstate"]) {
    hmac.update(`${header(headers, name)}\n`);
  }
  return hmac.update(body).digest("hex");
}

function isSame(signature: string, expected: string): boolean {
  const given = Buffer.from(signature);
  const wanted = Buffer.from(expected);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function header(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}

/** Attribute values are percent-encoded (CloudEvents HTTP binding, 3.1.3.2). */
function attribute(headers: IncomingHttpHeaders, name: string): string {
  const value = header(headers, name);
  try {
    return decodeURIComponent(value);
  } catch {
    // A stray percent sign is not an encoding: the value stands for itself.
    return value;
  }
}
