/**
 * Whether what came was signed by the gateway: `headgate-signature` over an event or the HELLO of
 * a link, with the time of sending, and `ce-signature` over a connection's id. Keys are compared
 * in a time that tells nothing.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

/** What is older, or that much in the future, is refused. */
const WINDOW_SECONDS = 300;

const SIGNED = ["ce-id", "ce-type", "ce-source", "ce-userid", "ce-connectionstate"];
const SIGNATURE = /^t=(\d{1,15}),v1=([0-9a-f]{64})$/;

export type HeaderOf = (name: string) => string | undefined;

/**
 * `header` gives values as they stand on the wire. `atMs` is when the event came; where it was
 * stored on its way, when it came there.
 */
export function isEventSigned(
  keys: readonly string[],
  header: HeaderOf,
  body: Uint8Array,
  atMs = Date.now(),
): boolean {
  const head = SIGNED.map((name) => header(name) ?? "");
  if (!isSigned(keys, header("headgate-signature"), head, body, atMs)) return false;
  // It covers the source, and of these two only what stands there.
  const source = `/hubs/${header("ce-hub")}/client/${header("ce-connectionid")}`;
  if (header("ce-source") !== source) return false;
  const connectionSignature = header("ce-signature");
  if (connectionSignature === undefined) return true;
  return isConnectionSigned(keys, connectionSignature, header("ce-connectionid") ?? "");
}

/** All of it is in the body: what is signed with attributes is no batch, whatever its type says. */
export function isBatchSigned(
  keys: readonly string[],
  header: HeaderOf,
  body: Uint8Array,
): boolean {
  const head = SIGNED.map(() => "");
  return isSigned(keys, header("headgate-signature"), head, body, Date.now());
}

export function isHelloSigned(
  keys: readonly string[],
  hello: { hub: string; nonce: string; signature: string },
): boolean {
  const body = Buffer.from(hello.nonce);
  return isSigned(keys, hello.signature, ["link", hello.hub], body, Date.now());
}

function isSigned(
  keys: readonly string[],
  signature: string | undefined,
  head: readonly string[],
  body: Uint8Array,
  atMs: number,
): boolean {
  const [, seconds, hex] = SIGNATURE.exec(signature ?? "") ?? [];
  if (seconds === undefined || hex === undefined) return false;
  if (Math.abs(atMs / 1000 - Number(seconds)) > WINDOW_SECONDS) return false;
  const given = Buffer.from(hex, "hex");
  const text = [seconds, ...head, ""].join("\n");
  return keys.some((key) =>
    timingSafeEqual(createHmac("sha256", key).update(text).update(body).digest(), given),
  );
}

/** `sha256=…`, one for each key that the gateway has. */
function isConnectionSigned(keys: readonly string[], header: string, connectionId: string) {
  return header.split(",").some((each) => {
    const [, hex] = /^\s*sha256=([0-9a-f]{64})\s*$/.exec(each) ?? [];
    if (hex === undefined) return false;
    const given = Buffer.from(hex, "hex");
    return keys.some((key) =>
      timingSafeEqual(createHmac("sha256", key).update(connectionId).digest(), given),
    );
  });
}
