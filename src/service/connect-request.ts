/**
 * A client that asks to come in, as the connect handler sees it, and what may be answered. What
 * the gateway tells of the handshake is JSON; every field of it is checked for its shape.
 */
import { HeadgateError } from "../core/error.ts";
import { REJECT_HELD, TEXT_BYTES_MAX } from "../link/frame.ts";
import { encodeAttribute } from "./attribute.ts";
import { Refuse, type Rejection } from "./fault.ts";

/** Lets the client in. All may be left out; undefined as a whole lets it in without a name. */
export interface ConnectAnswer {
  userId?: string | undefined;
  groups?: readonly string[] | undefined;
  /** One of `request.subprotocols`. */
  subprotocol?: string | undefined;
  /** What later events of the connection carry. */
  connectionState?: string | undefined;
}

/** The client's answer to its handshake: return it or throw it. */
export class Refusal extends Error {
  readonly status: number;
  readonly contentType: string;

  constructor(status: number, text: string, contentType: string) {
    super(text);
    this.name = "Refusal";
    this.status = status;
    this.contentType = contentType;
  }
}

const TEXT_TYPE = "text/plain; charset=utf-8";

const CONTENT_TYPE = /^[\x20-\x7e]{0,255}$/;

type Lists = Readonly<Record<string, readonly string[]>>;

export class ConnectRequest {
  readonly name = "connect" as const;
  readonly connectionId: string;
  /** When it came to the gateway, in milliseconds since 1970. */
  readonly timeMs: number;
  /** As the client sent it, still percent-encoded. */
  readonly path: string;
  /** The parts of the path that the hub's pattern names, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Lists;
  /** Names in lower case. */
  readonly headers: Lists;
  /** What the client offers, in its order. */
  readonly subprotocols: readonly string[];
  /** Of the peer: behind a proxy, the proxy's. */
  readonly address: string;
  /** W3C Trace Context, as the client's handshake had it; "" for none. */
  readonly traceparent: string;
  readonly tracestate: string;

  constructor(
    connectionId: string,
    timeMs: number,
    body: Uint8Array,
    trace: { traceparent: string; tracestate: string },
  ) {
    const fields = parseFields(body);
    this.connectionId = connectionId;
    this.timeMs = timeMs;
    this.path = typeof fields.path === "string" ? fields.path : "";
    this.params = recordOf(fields.params, (value) => typeof value === "string");
    this.query = recordOf(fields.query, isStrings);
    this.headers = recordOf(fields.headers, isStrings);
    this.subprotocols = isStrings(fields.subprotocols) ? fields.subprotocols : [];
    this.address = typeof fields.address === "string" ? fields.address : "";
    this.traceparent = trace.traceparent;
    this.tracestate = trace.tracestate;
  }

  /** `status` is from 400 to 499: anything else would reach the client as 503. */
  refuse(status: number, text = "", contentType = TEXT_TYPE): Refusal {
    if (!CONTENT_TYPE.test(contentType)) {
      throw new TypeError("the content type of a refusal is no header's value");
    }
    if (Number.isInteger(status) && status >= 400 && status <= 499) {
      return new Refusal(status, text, contentType);
    }
    throw new HeadgateError(
      "HG_REFUSAL_STATUS",
      `A client is refused with a status from 400 to 499, and ${status} is none; throw TryLater ` +
        "for a 503.",
    );
  }
}

/** What the gateway is told of a connect event, on its way into HTTP or a frame. */
export interface ConnectOutcome {
  readonly status: number;
  readonly contentType: string;
  readonly connectionState: string;
  readonly body: Buffer;
}

const NOTHING = Buffer.alloc(0);

/** Throws what the handler did wrong: `false`, by which nobody meant to let a client in. */
export function connectOutcome(answer: ConnectAnswer | Refusal | undefined): ConnectOutcome {
  if (answer instanceof Refusal) {
    const { contentType, message, status } = answer;
    return { status, contentType, connectionState: "", body: Buffer.from(message) };
  }
  if (answer === undefined) {
    return { status: 204, contentType: "", connectionState: "", body: NOTHING };
  }
  // Refuse and TryLater are for throwing, and who returns one means the same.
  if (answer instanceof Error) throw answer;
  if (typeof answer !== "object" || answer === null || Array.isArray(answer)) {
    throw new TypeError(`connect answers with an object or undefined, and not ${answer}`);
  }
  const { connectionState = "", ...fields } = answer;
  if (typeof connectionState !== "string") throw new TypeError("connectionState is no string");
  if (Buffer.byteLength(connectionState) > TEXT_BYTES_MAX) {
    throw new RangeError(`connectionState has more than ${TEXT_BYTES_MAX} bytes`);
  }
  const body = Buffer.from(JSON.stringify(fields));
  return { status: 200, contentType: "application/json", connectionState, body };
}

/** Nobody is asked twice, so that a failure is the client's 503. */
export function failedConnect(thrown: unknown, rejection: Rejection): ConnectOutcome {
  const isRefused = thrown instanceof Refuse;
  const status = isRefused ? 400 : rejection.kind === REJECT_HELD ? 503 : 500;
  const body = isRefused ? Buffer.from(rejection.cause) : NOTHING;
  return { status, contentType: isRefused ? TEXT_TYPE : "", connectionState: "", body };
}

/** The state as a header's value; undefined where there is none to set. */
export function stateHeader({ connectionState }: ConnectOutcome): string | undefined {
  return connectionState === "" ? undefined : encodeAttribute(connectionState);
}

function parseFields(body: Uint8Array): Record<string, unknown> {
  const value: unknown = JSON.parse(Buffer.from(body).toString());
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new SyntaxError("the body of a connect event is no JSON object");
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

/** Without the entries that are of another shape. */
function recordOf<Value>(value: unknown, isShape: (value: unknown) => boolean) {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  const entries = isRecord ? Object.entries(value).filter(([, each]) => isShape(each)) : [];
  return Object.fromEntries(entries) as Record<string, Value>;
}
