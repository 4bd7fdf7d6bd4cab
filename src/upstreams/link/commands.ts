/**
 * What services ask of the gateway over their links: each COMMAND is carried out on this worker's
 * connections, and its RESULT goes back on the link that it came by.
 */
import { isUtf8 } from "node:buffer";
import { TEXT } from "../../core/opcode.ts";
import { type Command, RESULT_DONE, RESULT_FAILED } from "../../link/frame.ts";
import type { UpstreamCommand, UpstreamSink, UpstreamTarget } from "../upstream.ts";
import type { Link } from "./link.ts";

/** Behind so many that are not carried out yet a link is not read. */
const UNDER_WAY_MAX = 1024;
const ERROR_LENGTH_MAX = 1000;
/** A close frame holds no more beside its code; RFC 6455, 5.5. */
const REASON_BYTES_MAX = 123;

export interface CommandRules {
  pushBytesMax: number;
  nameBytesMax: number;
}

/** What became of pushes, ever. */
export type CommandCounts = {
  executed: number;
  /** What cannot be carried out, as its RESULT says. */
  unusable: number;
  failed: number;
};

export class Commands {
  readonly counts: CommandCounts = { executed: 0, unusable: 0, failed: 0 };
  readonly #sink: UpstreamSink;
  readonly #rules: CommandRules;
  readonly #underWay = new Map<Link, number>();

  constructor(sink: UpstreamSink, rules: CommandRules) {
    this.#sink = sink;
    this.#rules = rules;
  }

  take(link: Link, frame: Command): void {
    const fault = faultOf(frame, this.#rules);
    if (fault !== undefined) {
      this.counts.unusable += 1;
      this.#fail(link, frame.request, fault);
      return;
    }
    this.#began(link);
    this.#sink.execute(commandOf(frame)).then(
      ({ matched, dropped }) => {
        this.counts.executed += 1;
        this.#ended(link);
        if (frame.request === 0) return;
        const { request } = frame;
        link.sendResult({ request, status: RESULT_DONE, matched, dropped, error: "" });
      },
      (error: unknown) => {
        this.counts.failed += 1;
        this.#ended(link);
        this.#fail(link, frame.request, error instanceof Error ? error.message : String(error));
      },
    );
  }

  lost(link: Link): void {
    this.#underWay.delete(link);
  }

  #began(link: Link): void {
    const count = (this.#underWay.get(link) ?? 0) + 1;
    this.#underWay.set(link, count);
    if (count === UNDER_WAY_MAX) link.socket.pause();
  }

  #ended(link: Link): void {
    const count = this.#underWay.get(link);
    if (count === undefined) return;
    if (count === 1) this.#underWay.delete(link);
    else this.#underWay.set(link, count - 1);
    if (count === UNDER_WAY_MAX) link.socket.resume();
  }

  #fail(link: Link, request: number, sentence: string): void {
    if (request === 0) return;
    const error = sentence.slice(0, ERROR_LENGTH_MAX);
    link.sendResult({ request, status: RESULT_FAILED, matched: 0, dropped: 0, error });
  }
}

/** Why it cannot be carried out, as a sentence. */
function faultOf(frame: Command, { nameBytesMax, pushBytesMax }: CommandRules): string | undefined {
  const { argument, bytes, end, name, opcode, pushId, start, target, verb } = frame;
  if (target !== "all" && name === "") return `it has no name of the ${target} that it is about`;
  const isOfGroup = verb === "join" || verb === "leave";
  const isOfMembers = target === "connection" || target === "user";
  if ((isOfGroup || verb === "leave-all") && !isOfMembers) {
    return `it says ${verb}, which a connection or a user can, and no ${target}`;
  }
  if (isOfGroup && argument === "") return `it says ${verb}, and no group`;
  for (const text of isOfGroup ? [name, pushId, argument] : [name, pushId]) {
    const length = Buffer.byteLength(text);
    if (length > nameBytesMax) {
      return `a name in it has ${length} bytes, and nameBytesMax is ${nameBytesMax}`;
    }
  }
  const reasonBytes = verb === "close" ? Buffer.byteLength(argument) : 0;
  if (reasonBytes > REASON_BYTES_MAX) {
    return `its reason has ${reasonBytes} bytes, and a close frame holds ${REASON_BYTES_MAX}`;
  }
  if (end - start > pushBytesMax) {
    return `it has ${end - start} bytes, and pushBytesMax is ${pushBytesMax}`;
  }
  const isText = verb === "send" && opcode === TEXT;
  if (isText && !isUtf8(bytes.subarray(start, end))) return "it is called text and is not UTF-8";
  return undefined;
}

/** In the words of the gateway, its payload copied: it is carried out when the frame is gone. */
function commandOf(frame: Command): UpstreamCommand {
  const { argument, bytes, end, excluded, name, opcode, pushId, start, target, verb } = frame;
  return {
    verb,
    target: targetOf(target, name),
    excluded,
    opcode,
    bytes: bytes.slice(start, end),
    argument,
    pushId: pushId === "" ? undefined : pushId,
  };
}

function targetOf(kind: Command["target"], name: string): UpstreamTarget {
  switch (kind) {
    case "connection":
      return { kind, connectionId: name };
    case "user":
      return { kind, user: name };
    case "group":
      return { kind, group: name };
    case "all":
      return { kind };
  }
}
