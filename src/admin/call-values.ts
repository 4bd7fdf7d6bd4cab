/**
 * Values that a call carries in its path, query and headers, each checked as it is read: what
 * comes back is a value or the fault to answer.
 */
import type { GatewayLimits } from "../config/configuration.ts";
import { Fault } from "./outcome.ts";
import type { Call, Parameter } from "./route.ts";

/** A close frame holds 125 bytes, two of them the code (RFC 6455, 5.5). */
const CLOSE_REASON_BYTES_MAX = 123;

export const excludedParameter: Parameter = {
  name: "excluded",
  in: "query",
  description: "A connection id to leave out; repeats for several.",
  schema: { type: "array", items: { type: "string" } },
};

export const reasonParameter: Parameter = {
  name: "reason",
  in: "query",
  description: "What the client's close frame says.",
  schema: { type: "string", maxLength: CLOSE_REASON_BYTES_MAX },
};

export const pushIdParameter: Parameter = {
  name: "headgate-push-id",
  in: "header",
  description: "The same id within two minutes is sent to no connection twice.",
  schema: { type: "string", minLength: 1 },
};

export function checkName(name: string, target: string, bytesMax: number): Fault | undefined {
  if (name === "") return new Fault(400, "InvalidName", `The ${target} is empty.`, target);
  if (Buffer.byteLength(name) <= bytesMax) return undefined;
  return new Fault(
    400,
    "InvalidName",
    `The ${target} is longer than the ${bytesMax} bytes that limits.nameBytesMax allows.`,
    target,
  );
}

export function readExcluded(call: Call, limits: GatewayLimits): string[] | Fault {
  const excluded = call.query.getAll("excluded");
  if (excluded.length <= limits.adminBatchMax) return excluded;
  return new Fault(
    413,
    "TooManyExcluded",
    `More than the ${limits.adminBatchMax} connections that limits.adminBatchMax allows are ` +
      "excluded; send to a group instead.",
    "excluded",
  );
}

export function readReason(call: Call): string | Fault {
  const reason = readOnce(call, "reason") ?? "";
  if (typeof reason === "string" && Buffer.byteLength(reason) > CLOSE_REASON_BYTES_MAX) {
    return new Fault(
      400,
      "InvalidReason",
      `The reason is longer than the ${CLOSE_REASON_BYTES_MAX} bytes that a close frame holds.`,
      "reason",
    );
  }
  return reason;
}

export function readPushId(call: Call, limits: GatewayLimits): string | undefined | Fault {
  const value = call.headers["headgate-push-id"];
  if (value === undefined) return undefined;
  // Node joins a repeated header by commas, so this is a string whatever its type says.
  const pushId = String(value);
  return checkName(pushId, "headgate-push-id", limits.nameBytesMax) ?? pushId;
}

export function readInteger(
  call: Call,
  name: string,
  range: { from: number; to: number },
): number | undefined | Fault {
  const text = readOnce(call, name);
  if (text === undefined || text instanceof Fault) return text;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= range.from && value <= range.to) return value;
  return new Fault(
    400,
    "InvalidParameter",
    `${name} must be a whole number from ${range.from} to ${range.to}.`,
    name,
  );
}

/** A query parameter that may not repeat: which one to believe would be a guess. */
export function readOnce(call: Call, name: string): string | undefined | Fault {
  const values = call.query.getAll(name);
  if (values.length <= 1) return values[0];
  return new Fault(400, "InvalidParameter", `${name} may be given once only.`, name);
}
