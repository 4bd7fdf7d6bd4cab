/**
 * Pushes: what a service says to clients, and does to connections and groups, without being
 * asked. One set of calls over three carriers: the gateway's REST API, the links, and NATS.
 */
import { HeadgateError } from "../../core/error.ts";
import { type TargetKind, TEXT_BYTES_MAX, type Verb } from "../../link/frame.ts";
import { type Encoded, encodePayload, type Payload, type PayloadKind } from "../payload.ts";

export interface PushOptions {
  /** Connection ids that are left out; not where one connection is named. */
  excluded?: readonly string[];
  /** The same id within two minutes is sent to no connection twice. */
  pushId?: string;
  /** Otherwise a string is text, and bytes are binary. */
  kind?: PayloadKind;
}

export interface CloseOptions {
  /** What the client's close frame says, 123 bytes at the most. */
  reason?: string;
  /** Connection ids that are left out; not where one connection is named. */
  excluded?: readonly string[];
}

export interface PushResult {
  /** Connections that it was about, dropped ones included. Undefined over NATS: nobody counts. */
  readonly matched: number | undefined;
  /** Of those, the slow readers that a message was kept from. Undefined over NATS. */
  readonly dropped: number | undefined;
  /** Not every worker of the gateway answered: there may be more. Over NATS none does. */
  readonly partial: boolean;
}

export type Member = { connection: string } | { user: string };
export type Target = Member | { group: string };

/** One call, as a carrier takes it. */
export interface Call {
  readonly verb: Verb;
  readonly target: TargetKind;
  /** "" for all. */
  readonly name: string;
  /** The group of a join or leave, the reason of a close. */
  readonly argument: string;
  readonly pushId: string;
  readonly excluded: readonly string[];
  readonly payload: Encoded | undefined;
}

export interface PushCarrier {
  /** Rejects with a HeadgateError. */
  call(call: Call): Promise<PushResult>;
  close(): void;
}

export class Push {
  readonly #carrier: () => PushCarrier;

  constructor(carrier: () => PushCarrier) {
    this.#carrier = carrier;
  }

  /** To one connection; `matched` is 0 when it is gone. */
  toConnection(id: string, payload: Payload, options?: PushOptions): Promise<PushResult> {
    return this.#send("connection", id, payload, options);
  }

  /** To every connection of a user. */
  toUser(user: string, payload: Payload, options?: PushOptions): Promise<PushResult> {
    return this.#send("user", user, payload, options);
  }

  toGroup(group: string, payload: Payload, options?: PushOptions): Promise<PushResult> {
    return this.#send("group", group, payload, options);
  }

  /** To every connection of the hub. */
  toAll(payload: Payload, options?: PushOptions): Promise<PushResult> {
    return this.#send("all", "", payload, options);
  }

  closeConnection(id: string, options?: CloseOptions): Promise<PushResult> {
    return this.#close("connection", id, options);
  }

  closeUser(user: string, options?: CloseOptions): Promise<PushResult> {
    return this.#close("user", user, options);
  }

  closeGroup(group: string, options?: CloseOptions): Promise<PushResult> {
    return this.#close("group", group, options);
  }

  closeAll(options?: CloseOptions): Promise<PushResult> {
    return this.#close("all", "", options);
  }

  /** Rejects with HG_PUSH_REFUSED when one of them is in too many groups, but over NATS. */
  join(member: Member, group: string): Promise<PushResult> {
    return this.#about("join", member, group);
  }

  leave(member: Member, group: string): Promise<PushResult> {
    return this.#about("leave", member, group);
  }

  /** Over NATS it rejects with HG_PUSH_UNSUPPORTED. */
  leaveAll(member: Member): Promise<PushResult> {
    return this.#about("leave-all", member, undefined);
  }

  /** Whether anything that is connected matches. Over NATS it rejects with HG_PUSH_UNSUPPORTED. */
  async exists(target: Target): Promise<boolean> {
    const { matched = 0, partial } = await this.#about("exists", target, undefined);
    if (matched > 0 || !partial) return matched > 0;
    throw new HeadgateError(
      "HG_PUSH_UNANSWERED",
      "Not every worker answered in time, so this cannot be known now; ask again in a second.",
    );
  }

  async #send(
    target: TargetKind,
    name: string,
    payload: Payload,
    options: PushOptions = {},
  ): Promise<PushResult> {
    const { excluded = [], pushId = "", kind } = options;
    const encoded = encodePayload(payload, kind);
    return this.#call("send", target, name, { excluded, pushId, payload: encoded });
  }

  async #close(target: TargetKind, name: string, options: CloseOptions = {}) {
    const { excluded = [], reason = "" } = options;
    return this.#call("close", target, name, { excluded, argument: reason });
  }

  async #about(verb: Verb, about: Target, group: string | undefined): Promise<PushResult> {
    if (verb === "join" || verb === "leave") checkName(group ?? "");
    const more = { argument: group ?? "" };
    if ("connection" in about) return this.#call(verb, "connection", about.connection, more);
    if ("user" in about) return this.#call(verb, "user", about.user, more);
    return this.#call(verb, "group", about.group, more);
  }

  #call(
    verb: Verb,
    target: TargetKind,
    name: string,
    more: Partial<Pick<Call, "argument" | "pushId" | "excluded" | "payload">>,
  ): Promise<PushResult> {
    const { argument = "", excluded = [], payload, pushId = "" } = more;
    if (target !== "all") checkName(name);
    for (const text of [argument, pushId, ...excluded]) checkText(text);
    if (excluded.length > TEXT_BYTES_MAX) throw invalid("too many are excluded");
    return this.#carrier().call({ argument, excluded, payload, pushId, verb, target, name });
  }
}

function checkName(name: string): void {
  if (name === "") throw invalid("a name is empty");
  checkText(name);
}

function checkText(text: string): void {
  // A program without types may name nobody: join({ usr: "ann" }, "lobby").
  if (typeof text !== "string") throw invalid(`a name in it is no string, but ${typeof text}`);
  if (Buffer.byteLength(text) <= TEXT_BYTES_MAX) return;
  throw invalid(`a name has more than ${TEXT_BYTES_MAX} bytes`);
}

function invalid(what: string): HeadgateError {
  return new HeadgateError("HG_PUSH_INVALID", `This cannot be pushed: ${what}.`);
}
