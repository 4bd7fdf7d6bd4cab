/**
 * What crosses the bus: pushes, acts and questions about connections, as plain data. One process
 * (the supervisor, for a REST call) asks; every worker that may hold a match answers; the
 * answers are added up.
 */
import type { MessageOpcode } from "../core/opcode.ts";

export type Target =
  | { kind: "connection"; connectionId: string }
  | { kind: "user"; user: string }
  | { kind: "group"; group: string }
  | { kind: "all" };

export type Command =
  /** Sends one message to every connection of the target but the excluded ones. */
  | {
      verb: "send";
      /** Undefined only for a connection that is known by its id alone. */
      hub: string | undefined;
      target: Target;
      excluded: string[];
      opcode: MessageOpcode;
      bytes: Uint8Array;
      /** The same id within two minutes sends to no connection twice. */
      pushId: string | undefined;
    }
  | {
      verb: "close";
      hub: string | undefined;
      target: Target;
      excluded: string[];
      reason: string;
    }
  /** `target` is a connection or a user. */
  | { verb: "join"; hub: string; target: Target; group: string }
  | { verb: "leave"; hub: string; target: Target; group: string }
  | { verb: "leave-all"; hub: string; target: Target }
  /** Does anything match? At most one is counted. */
  | { verb: "exists"; hub: string; target: Target }
  /** Connections of a group in the order of their ids, those after `after` only. */
  | { verb: "list"; hub: string; group: string; after: string | undefined; limit: number }
  /** `GET /@connections/{id}`: what is known of one connection. */
  | { verb: "describe"; connectionId: string };

export interface ListedConnection {
  connectionId: string;
  userId: string | undefined;
}

export interface DescribedConnection {
  connectedAtMs: number;
  lastActiveAtMs: number;
  address: string;
  userId: string | undefined;
}

export interface Answer {
  /** Connections that the command was about, dropped ones included. */
  matched: number;
  /** Of those, the receivers that the slow-consumer policy kept the message from. */
  dropped: number;
  /** Matched ones that could not do it, and why: joining one group too many. */
  refused: { code: "GroupsPerConnectionMax"; count: number } | undefined;
  connections: ListedConnection[];
  description: DescribedConnection | undefined;
}

export function emptyAnswer(): Answer {
  return { matched: 0, dropped: 0, refused: undefined, connections: [], description: undefined };
}

/** Adds up the answers of several workers. */
export function mergeAnswers(answers: Answer[], limit: number): Answer {
  const merged = emptyAnswer();
  for (const answer of answers) {
    merged.matched += answer.matched;
    merged.dropped += answer.dropped;
    if (answer.refused !== undefined) {
      const count = (merged.refused?.count ?? 0) + answer.refused.count;
      merged.refused = { code: answer.refused.code, count };
    }
    merged.connections.push(...answer.connections);
    merged.description ??= answer.description;
  }
  merged.connections.sort((a, b) => (a.connectionId < b.connectionId ? -1 : 1));
  merged.connections.length = Math.min(merged.connections.length, limit);
  return merged;
}
