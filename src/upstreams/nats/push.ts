/**
 * A message that somebody published for this hub's clients, as a command for the gateway. The
 * pusher is a peer: what cannot be used is returned as a sentence, and nothing of it is executed.
 */
import { isUtf8 } from "node:buffer";
import { BINARY, TEXT } from "../../core/opcode.ts";
import { isText } from "../cloudevents/outcome.ts";
import type { UpstreamCommand, UpstreamTarget } from "../upstream.ts";
import type { ReceivedHeaders } from "./headers.ts";
import { isAcknowledgement } from "./stream-acknowledgement.ts";

export interface PushRules {
  pushBytesMax: number;
  nameBytesMax: number;
}

export type ReadPush =
  | { kind: "command"; command: UpstreamCommand }
  | { kind: "unusable"; fault: string };

/** A close frame holds no more beside its code; RFC 6455, 5.5. */
const REASON_BYTES_MAX = 123;

export function readPush(
  target: UpstreamTarget | undefined,
  headers: ReceivedHeaders | undefined,
  bytes: Uint8Array,
  rules: PushRules,
): ReadPush {
  if (headers === undefined) return unusable("a header's name has a character that none may have");
  if (target === undefined) return unusable("its subject names nobody: a token is no name");
  if (headers.size === 0 && target.kind === "connection" && isAcknowledgement(bytes)) {
    return unusable(
      "it is what a stream says that has stored a message of this client; take the hub's " +
        "subjects out of it, create it with no_ack, or set delivery: at-least-once",
    );
  }
  for (const name of ["headgate-action", "headgate-push-id", "content-type"]) {
    const count = headers.get(name)?.length ?? 0;
    if (count > 1) return unusable(`the header ${name} stands in it ${count} times`);
  }
  const pushId = headers.get("headgate-push-id")?.[0];
  if (pushId !== undefined && !isName(pushId, rules)) {
    return unusable(`headgate-push-id must have 1 to ${rules.nameBytesMax} bytes (nameBytesMax)`);
  }
  const excluded = readExcluded(headers);
  const common = { target, excluded, opcode: BINARY, bytes, argument: "", pushId } as const;
  const action = headers.get("headgate-action")?.[0];
  switch (action) {
    case undefined:
      return readMessage({ verb: "send", ...common }, headers, rules);
    case "close":
      return readReason({ verb: "close", ...common });
    case "join":
    case "leave":
      return readGroup({ verb: action, ...common }, rules);
    default:
      return unusable(`headgate-action is "${action}"; it can be close, join or leave`);
  }
}

function readMessage(
  command: UpstreamCommand,
  headers: ReceivedHeaders,
  { pushBytesMax }: PushRules,
): ReadPush {
  const { bytes } = command;
  if (bytes.length > pushBytesMax) {
    return unusable(`it has ${bytes.length} bytes, and pushBytesMax is ${pushBytesMax}`);
  }
  if (!isText(headers.get("content-type")?.[0])) return { kind: "command", command };
  if (!isUtf8(bytes)) return unusable("it is called text and is not UTF-8");
  return { kind: "command", command: { ...command, opcode: TEXT } };
}

function readReason(command: UpstreamCommand): ReadPush {
  const { length } = command.bytes;
  if (length > REASON_BYTES_MAX) {
    return unusable(`its reason has ${length} bytes, and a close frame holds ${REASON_BYTES_MAX}`);
  }
  return withArgument(command, "its reason is not UTF-8");
}

function readGroup(command: UpstreamCommand, { nameBytesMax }: PushRules): ReadPush {
  const { kind } = command.target;
  const { length } = command.bytes;
  if (kind === "group" || kind === "all") {
    return unusable(
      `a connection or a user can ${command.verb} a group, and its subject is ${kind}`,
    );
  }
  if (length === 0) return unusable("its payload is empty, and must be the group's name");
  if (length > nameBytesMax) {
    return unusable(`the group's name has ${length} bytes, and nameBytesMax is ${nameBytesMax}`);
  }
  return withArgument(command, "the group's name is not UTF-8");
}

/** The payload is what the action is about. */
function withArgument(command: UpstreamCommand, fault: string): ReadPush {
  if (!isUtf8(command.bytes)) return unusable(fault);
  const argument = Buffer.from(command.bytes).toString("utf8");
  return { kind: "command", command: { ...command, argument, bytes: new Uint8Array(0) } };
}

/** Repeated headers, or ids with commas between them. */
function readExcluded(headers: ReceivedHeaders): string[] {
  const values = headers.get("headgate-excluded") ?? [];
  return values.flatMap((value) => value.split(",").map((id) => id.trim())).filter(Boolean);
}

function isName(text: string, { nameBytesMax }: PushRules): boolean {
  return text !== "" && Buffer.byteLength(text) <= nameBytesMax;
}

function unusable(fault: string): ReadPush {
  return { kind: "unusable", fault };
}
