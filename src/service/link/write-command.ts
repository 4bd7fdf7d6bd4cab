/** A push as the COMMAND of the link, within the length that the gateway takes. */
import { HeadgateError } from "../../core/error.ts";
import { TEXT } from "../../core/opcode.ts";
import { COMMAND, type Command } from "../../link/frame.ts";
import type { Call } from "../push/push.ts";

/** Type, request, verb, target, opcode, three lengths and a count. */
const FIXED_BYTES = 1 + 4 + 1 + 1 + 1 + 2 + 2 + 2 + 2;
const NOTHING: Uint8Array = new Uint8Array(0);

/** Throws HG_PUSH_INVALID for what is longer than `frameBytesMax`. */
export function writeCommand(call: Call, frameBytesMax: number): (request: number) => Command {
  const { argument, excluded, name, payload, pushId, target, verb } = call;
  const bytes = payload?.bytes ?? NOTHING;
  let length = FIXED_BYTES + bytes.length;
  for (const text of [name, argument, pushId]) length += Buffer.byteLength(text);
  for (const text of excluded) length += 2 + Buffer.byteLength(text);
  if (length > frameBytesMax) {
    throw new HeadgateError(
      "HG_PUSH_INVALID",
      `This push is a frame of ${length} bytes, and the gateway takes ${frameBytesMax}.`,
    );
  }
  const names = { verb, target, name, argument, pushId, excluded: [...excluded] };
  const part = { bytes, start: 0, end: bytes.length, opcode: payload?.opcode ?? TEXT };
  return (request) => ({ type: COMMAND, request, ...names, ...part });
}
