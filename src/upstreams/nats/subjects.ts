/**
 * The subjects of one hub: those on which its events go out, and those on which pushes come in.
 * A subject is names and dots; what a message on it holds is for headers.ts and push.ts.
 */
import { isUtf8 } from "node:buffer";
import type { UpstreamTarget } from "../upstream.ts";

/** Fixed for ever: a service divides these among its instances. */
export const PARTITIONS = 16;

const PLAIN_TOKEN = /^[A-Za-z0-9_-]+$/;
const ENCODED_TOKEN = /^~[A-Za-z0-9_-]+$/;

export class Subjects {
  readonly connect: string;
  readonly connected: string;
  readonly disconnected: string;
  readonly #messages: readonly string[];
  readonly #pushes: string;

  constructor(prefix: string, hub: string) {
    const events = `${prefix}.event.${hub}`;
    this.connect = `${events}.connect`;
    this.connected = `${events}.connected`;
    this.disconnected = `${events}.disconnected`;
    this.#messages = Array.from({ length: PARTITIONS }, (_, index) => `${events}.message.${index}`);
    this.#pushes = `${prefix}.push.${hub}.`;
  }

  message(connectionId: string): string {
    return this.#messages[partitionOf(connectionId)] as string;
  }

  /** Of every event that is not a question. */
  get events(): string[] {
    return [this.connected, this.disconnected, ...this.#messages];
  }

  /** Publishing there sends to that client. */
  replyTo(connectionId: string): string {
    return `${this.#pushes}conn.${connectionId}`;
  }

  /** Publishing there sends to the connections of a user or in a group, by its token, or to all. */
  push(target: "user" | "group" | "all", token?: string): string {
    return token === undefined ? `${this.#pushes}${target}` : `${this.#pushes}${target}.${token}`;
  }

  /**
   * What a worker subscribes to. Its own connections have its nonce in their ids, so their pushes
   * reach it alone. Those to users and groups reach every worker of the hub, which looks whether
   * it holds one: a subscription for each user and group that it holds would spare the others
   * that, but costs one for each; that is worth it between the machines of a cluster.
   */
  pushes(nonce: string): string[] {
    return ["user.*", "group.*", "all", `conn.${nonce}.*`].map((rest) => `${this.#pushes}${rest}`);
  }

  /** Undefined for a subject that names nobody. */
  targetOf(subject: string): UpstreamTarget | undefined {
    if (!subject.startsWith(this.#pushes)) return undefined;
    const [kind, token = "", ...rest] = subject.slice(this.#pushes.length).split(".");
    switch (kind) {
      case "conn":
        return { kind: "connection", connectionId: [token, ...rest].join(".") };
      case "user": {
        const user = decodeToken(token);
        return user === undefined ? undefined : { kind: "user", user };
      }
      case "group": {
        const group = decodeToken(token);
        return group === undefined ? undefined : { kind: "group", group };
      }
      case "all":
        return { kind: "all" };
      default:
        return undefined;
    }
  }
}

/** FNV-1a of 32 bits over the id, its halves folded together: of that the low bits. */
export function partitionOf(connectionId: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < connectionId.length; index += 1) {
    hash = Math.imul(hash ^ connectionId.charCodeAt(index), 0x01000193) >>> 0;
  }
  return (hash ^ (hash >>> 16)) & (PARTITIONS - 1);
}

/** A user's or group's name as one token: itself where it can be, or `~` and its base64url. */
export function encodeToken(name: string): string {
  return PLAIN_TOKEN.test(name) ? name : `~${Buffer.from(name, "utf8").toString("base64url")}`;
}

/** Undefined for a token that stands for no name. */
export function decodeToken(token: string): string | undefined {
  if (PLAIN_TOKEN.test(token)) return token;
  if (!ENCODED_TOKEN.test(token)) return undefined;
  const bytes = Buffer.from(token.slice(1), "base64url");
  return bytes.length > 0 && isUtf8(bytes) ? bytes.toString("utf8") : undefined;
}

/** Whether every message on `subject` is on `filter` too, which may hold `*` and `>`. */
export function covers(filter: string, subject: string): boolean {
  const wanted = filter.split(".");
  const tokens = subject.split(".");
  for (const [index, token] of wanted.entries()) {
    if (token === ">") return tokens.length > index;
    if (tokens[index] === undefined || (token !== "*" && token !== tokens[index])) return false;
  }
  return tokens.length === wanted.length;
}
