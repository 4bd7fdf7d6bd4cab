/**
 * What a connect event asks, and what a service's answer means for the client's handshake, over
 * every carrier. The answer comes from a peer, so every field is checked; what is wrong is returned
 * as a sentence for the log.
 */
import { isUtf8 } from "node:buffer";
import type { ServiceEvent } from "../delivery/event.ts";
import { JSON_TYPE } from "../delivery/event.ts";
import type { QuietLog } from "../delivery/quiet-log.ts";
import type { ConnectAnswer, ConnectionFacts, ConnectRequest } from "../upstream.ts";
import type { Answer, Outcome } from "./outcome.ts";
import { contentTypeOf, describeStatus, isSuccess, readStateChange, TOO_BIG } from "./outcome.ts";

export interface ConnectRules {
  /** What the client offered. */
  subprotocols: readonly string[];
  nameBytesMax: number;
  groupsPerConnectionMax: number;
  connectionStateBytesMax: number;
}

export interface ConnectVerdict {
  answer: ConnectAnswer;
  /** What the service did wrong; the client is told nothing of it. */
  fault: string | undefined;
  /** Fields of the answer that mean nothing here: misspelt ones, perhaps; the first of them. */
  unknownKeys: string[];
}

type Fields = Pick<ConnectAnswer & { accepted: true }, "userId" | "groups" | "subprotocol">;

/** An answer may hold a million mistakes, or one of a megabyte; a line of the log holds these. */
const TOLD_MAX = 8;
const KEY_LENGTH_MAX = 64;
const KNOWN_KEYS = new Set(["userId", "groups", "roles", "subprotocol"]);

export function writeConnectBody(request: ConnectRequest): Buffer {
  return Buffer.from(
    JSON.stringify({
      claims: {},
      query: request.query,
      headers: request.headers,
      subprotocols: request.subprotocols,
      clientCertificates: [],
      path: request.path,
      params: request.params,
      address: request.address,
    }),
  );
}

/** As carriers with header fields send it: of who is not let in yet, the id alone is known. */
export function connectEvent({ connectionId }: ConnectRequest, id: string, body: Buffer) {
  const shape = { name: "connect", contentType: JSON_TYPE, messageNumber: 0, body } as const;
  const event: ServiceEvent = { ...shape, id, timeMs: Date.now() };
  const unknown = { userId: undefined, subprotocol: undefined, connectionState: undefined };
  const facts: ConnectionFacts = { connectionId, ...unknown };
  return { event, facts };
}

/** The trace that the client began goes on in the service; W3C Trace Context. */
export function traceHeaders(request: ConnectRequest): string[] {
  const headers: string[] = [];
  for (const name of ["traceparent", "tracestate"]) {
    const value = request.headers[name]?.join(",");
    // What is not plain ASCII is no trace, and would be no header either.
    if (value !== undefined && /^[\x20-\x7e]+$/.test(value)) headers.push(name, value);
  }
  return headers;
}

export function judgeConnect(outcome: Outcome, rules: ConnectRules): ConnectVerdict {
  if (outcome.kind === "none") return unavailable(outcome.cause);
  if (outcome.status >= 400 && outcome.status < 500) return refuse(outcome);
  if (!isSuccess(outcome.status)) return unavailable(describeStatus(outcome.status));
  return accept(outcome, rules);
}

/** The same for a service that is not there, fails, or answers what cannot be used. */
export function unavailable(fault: string | undefined): ConnectVerdict {
  const body = Buffer.from("The service behind this gateway is not available.\n");
  const contentType = "text/plain; charset=utf-8";
  return {
    answer: { accepted: false, status: 503, contentType, body },
    fault,
    unknownKeys: [],
  };
}

/** What is said of a fault over carriers without a status of their own. */
const UNUSABLE = {
  level: "warn",
  sentence: "a connect event has no answer that can be used: the client gets it or 503",
} as const;

/** Tells the log; `fields` say whose verdict it is, `told` what a fault is called. */
export function reportVerdict(
  { answer, fault, unknownKeys }: ConnectVerdict,
  log: QuietLog,
  fields: object,
  told: { level: "warn" | "error"; sentence: string } = UNUSABLE,
): ConnectAnswer {
  if (fault !== undefined) log.say(told.level, { ...fields, cause: fault }, told.sentence);
  if (unknownKeys.length > 0) {
    const sentence = "the service's answer to a connect event has fields that mean nothing";
    log.say("warn", { ...fields, unknownKeys }, sentence);
  }
  return answer;
}

function refuse(answer: Answer): ConnectVerdict {
  const { status, tooBig } = answer;
  const contentType = tooBig ? undefined : contentTypeOf(answer.headers);
  const body = tooBig ? Buffer.alloc(0) : answer.body;
  const fault = tooBig ? TOO_BIG : undefined;
  return { answer: { accepted: false, status, contentType, body }, fault, unknownKeys: [] };
}

function accept(answer: Answer, rules: ConnectRules): ConnectVerdict {
  if (answer.tooBig) return unavailable(TOO_BIG);
  const change = readStateChange(answer.headers, rules.connectionStateBytesMax);
  const faults = change.kind === "wrong" ? [change.fault] : [];
  const value = answer.body.length === 0 ? {} : parseObject(answer.body, faults);
  const fields = readFields(value, rules, faults);
  if (faults.length > 0) return unavailable(tell(faults));
  const connectionState = change.kind === "changed" ? change.connectionState : undefined;
  return {
    answer: { accepted: true, ...fields, connectionState },
    fault: undefined,
    unknownKeys: unknownKeysOf(value),
  };
}

function tell(faults: readonly string[]): string {
  const told = faults.slice(0, TOLD_MAX).join("; ");
  const others = faults.length - TOLD_MAX;
  return others > 0 ? `${told}; and ${others} more` : told;
}

function unknownKeysOf(value: Record<string, unknown>): string[] {
  const unknown = Object.keys(value).filter((key) => !KNOWN_KEYS.has(key));
  return unknown.slice(0, TOLD_MAX).map((key) => key.slice(0, KEY_LENGTH_MAX));
}

function parseObject(body: Buffer, faults: string[]): Record<string, unknown> {
  if (!isUtf8(body)) {
    faults.push("its answer is not UTF-8");
    return {};
  }
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    faults.push(`its answer is not JSON: ${error.message}`);
    return {};
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  faults.push(`its answer is ${nameOf(value)}, and must be a JSON object`);
  return {};
}

function readFields(value: Record<string, unknown>, rules: ConnectRules, faults: string[]): Fields {
  const { nameBytesMax, groupsPerConnectionMax: groupsMax } = rules;
  const userId = readName(value.userId, "userId", nameBytesMax, faults);
  const groups = readNames(value.groups, "groups", nameBytesMax, faults);
  if (groups.length > groupsMax) {
    faults.push(`groups holds ${groups.length}, and groupsPerConnectionMax is ${groupsMax}`);
  }
  readNames(value.roles, "roles", Number.POSITIVE_INFINITY, faults);
  const subprotocol = readName(value.subprotocol, "subprotocol", nameBytesMax, faults);
  if (subprotocol !== undefined && !rules.subprotocols.includes(subprotocol)) {
    const offered = rules.subprotocols.join(", ") || "none";
    faults.push(`subprotocol is "${subprotocol}", and the client offered ${offered}`);
  }
  return { userId, groups, subprotocol };
}

/** Absent, null and "" are all none: serializers differ in what they write for it. */
function readName(
  value: unknown,
  field: string,
  bytesMax: number,
  faults: string[],
): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  return isName(value, field, bytesMax, faults) ? wellFormed(value) : undefined;
}

/** Without those that stand in it twice. */
function readNames(value: unknown, field: string, bytesMax: number, faults: string[]): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    faults.push(`${field} is ${nameOf(value)}, and must be an array of strings`);
    return [];
  }
  const names = value.filter((name, index) => isName(name, `${field}[${index}]`, bytesMax, faults));
  return [...new Set<string>(names.map(wellFormed))];
}

/** JSON can say half of a surrogate pair, and no event and no push could name who has one. */
function wellFormed(name: string): string {
  return name.toWellFormed();
}

function isName(
  value: unknown,
  field: string,
  bytesMax: number,
  faults: string[],
): value is string {
  const fault = findFault(value, bytesMax);
  if (fault !== undefined) faults.push(`${field} ${fault}`);
  return fault === undefined;
}

function findFault(value: unknown, bytesMax: number): string | undefined {
  if (typeof value !== "string") return `is ${nameOf(value)}, and must be a string`;
  if (value === "") return "is empty";
  const bytes = Buffer.byteLength(value);
  return bytes > bytesMax ? `has ${bytes} bytes, and nameBytesMax is ${bytesMax}` : undefined;
}

function nameOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
