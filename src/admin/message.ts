/**
 * A pushed message's kind from its headers, and the check that text is UTF-8. The payload itself
 * is never parsed and never changed.
 */
import { isUtf8 } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import { BINARY, type MessageOpcode, TEXT } from "../core/opcode.ts";
import { Fault } from "./outcome.ts";

const opcodes: Readonly<Record<string, MessageOpcode>> = {
  "application/octet-stream": BINARY,
  "text/plain": TEXT,
  "application/json": TEXT,
};

export const messageTypes = Object.keys(opcodes);

const UTF8_CHARSETS = new Set(["utf-8", "utf8", "us-ascii"]);

/** There is no default type: text that arrived as binary would be found out by the client. */
export function messageOpcode(headers: IncomingHttpHeaders): MessageOpcode | Fault {
  const contentType = headers["content-type"];
  if (contentType === undefined) {
    return unsupported(`Content-Type is missing: it must be ${allowedTypes}.`, "Content-Type");
  }
  const [type = "", ...parameters] = contentType.split(";").map((part) => part.trim());
  const opcode = Object.hasOwn(opcodes, type.toLowerCase())
    ? opcodes[type.toLowerCase()]
    : undefined;
  if (opcode === undefined) {
    return unsupported(`Content-Type must be ${allowedTypes}.`, "Content-Type");
  }
  for (const parameter of parameters) {
    const charset = /^charset\s*=\s*"?([^"]*)"?$/i.exec(parameter)?.[1];
    if (opcode === TEXT && charset !== undefined && !UTF8_CHARSETS.has(charset.toLowerCase())) {
      return unsupported("Text frames are UTF-8: send charset=utf-8.", "Content-Type");
    }
  }
  return checkCoding(headers) ?? opcode;
}

export function checkCoding(headers: IncomingHttpHeaders): Fault | undefined {
  const coding = headers["content-encoding"];
  if (coding === undefined || coding.toLowerCase() === "identity") return undefined;
  return unsupported(
    "A message is sent to clients as it comes, so send it without Content-Encoding.",
    "Content-Encoding",
  );
}

export function checkText(opcode: MessageOpcode, bytes: Uint8Array): Fault | undefined {
  if (opcode === BINARY || isUtf8(bytes)) return undefined;
  return new Fault(
    400,
    "InvalidUtf8",
    "The body is not valid UTF-8, which a text frame must be; " +
      "send other bytes as application/octet-stream.",
    "body",
  );
}

const allowedTypes =
  "text/plain or application/json for a text frame, or application/octet-stream for a binary one";

function unsupported(message: string, target: string): Fault {
  return new Fault(415, "UnsupportedMediaType", message, target);
}
