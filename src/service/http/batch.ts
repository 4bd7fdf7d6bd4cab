/**
 * Events as one JSON array in the CloudEvents batch format, and the array that answers them. The
 * events of a connection are taken in their order up to the first that fails; what is behind it
 * is left out, so that the gateway sends it again.
 */
import { isUtf8 } from "node:buffer";
import { TEXT } from "../../core/opcode.ts";
import { Connection } from "../connection.ts";
import { SHUTTING_DOWN } from "../fault.ts";
import type { ServiceEvent, Taken } from "../handlers.ts";
import { ConnectedEvent, DisconnectedEvent } from "../lifecycle.ts";
import { Message } from "../message.ts";
import { statusOf } from "./answer.ts";
import { typeOf } from "./binary.ts";
import { readEnd } from "./event-fields.ts";

type Fields = Record<string, unknown>;
export type Take = (event: ServiceEvent) => Taken | Promise<Taken>;

/** One entry of the answer. */
interface Entry {
  id: string;
  status: number;
  datacontenttype?: string;
  data?: string;
  data_base64?: string;
  connectionstate?: string;
}

/** Undefined where the body is no array of events, each with its id and its connection's. */
export function parseBatch(body: Buffer): Fields[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  return value.every(isEvent) ? value : undefined;
}

function isEvent(value: unknown): value is Fields {
  if (typeof value !== "object" || value === null) return false;
  const { connectionid, id } = value as Fields;
  return typeof id === "string" && typeof connectionid === "string";
}

/** `isClosing` is asked before each event: what is refused then comes again. */
export async function answerBatch(
  events: readonly Fields[],
  hub: string,
  take: Take,
  isClosing: () => boolean,
): Promise<Entry[]> {
  const byConnection = new Map<string, Fields[]>();
  for (const fields of events) {
    const id = fields.connectionid as string;
    const earlier = byConnection.get(id);
    if (earlier === undefined) byConnection.set(id, [fields]);
    else earlier.push(fields);
  }
  const entries: Entry[] = [];
  const waiting: Promise<void>[] = [];
  for (const [id, ofConnection] of byConnection) {
    const lane = takeInOrder(new Lane(id, ofConnection, hub), take, isClosing, entries);
    if (lane !== undefined) waiting.push(lane);
  }
  if (waiting.length > 0) await Promise.all(waiting);
  return entries;
}

/** The events of one connection in a batch, and its state as it goes. */
class Lane {
  readonly connectionId: string;
  readonly hub: string;
  readonly #events: readonly Fields[];
  #next = 0;
  #state: string | undefined;

  constructor(connectionId: string, events: readonly Fields[], hub: string) {
    this.connectionId = connectionId;
    this.#events = events;
    this.hub = hub;
  }

  /** With its id, and what an answer has set before. */
  next(): { id: string; event: ServiceEvent | string } | undefined {
    const fields = this.#events[this.#next];
    if (fields === undefined) return undefined;
    this.#next += 1;
    const id = fields.id as string;
    if (fields.hub !== this.hub) return { id, event: "it is of another hub" };
    return { id, event: readEvent(fields, id, this.connectionId, this.#state) };
  }

  setState(state: string | undefined): void {
    if (state !== undefined) this.#state = state;
  }
}

/** A promise only where a handler returned one. */
function takeInOrder(
  lane: Lane,
  take: Take,
  isClosing: () => boolean,
  entries: Entry[],
): Promise<void> | undefined {
  for (let next = lane.next(); next !== undefined; next = lane.next()) {
    const { event, id } = next;
    if (typeof event === "string") {
      entries.push({ id, status: 400 });
      return undefined;
    }
    const taken = isClosing() ? { event, outcome: SHUTTING_DOWN } : take(event);
    if (taken instanceof Promise) {
      return taken.then((settled) => {
        if (write(lane, id, settled, entries)) {
          return takeInOrder(lane, take, isClosing, entries);
        }
        return undefined;
      });
    }
    if (!write(lane, id, taken, entries)) return undefined;
  }
  return undefined;
}

/** False when the event failed. */
function write(lane: Lane, id: string, { event, outcome }: Taken, entries: Entry[]): boolean {
  const entry: Entry = { id, status: outcome === undefined ? 200 : statusOf(outcome) };
  entries.push(entry);
  if (outcome !== undefined) return false;
  if (event.name !== "message") return true;
  const { encodedReply: reply, newState } = event;
  lane.setState(newState);
  if (newState !== undefined) entry.connectionstate = newState;
  if (reply === undefined) return true;
  const { bytes, opcode } = reply;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  entry.datacontenttype = typeOf(opcode);
  if (opcode === TEXT && isUtf8(buffer)) entry.data = buffer.toString();
  else entry.data_base64 = buffer.toString("base64");
  return true;
}

/** A sentence where it is no event of the gateway's. */
function readEvent(
  fields: Fields,
  id: string,
  connectionId: string,
  state: string | undefined,
): ServiceEvent | string {
  const text = (name: string) => (typeof fields[name] === "string" ? (fields[name] as string) : "");
  const timeMs = Date.parse(text("time"));
  if (Number.isNaN(timeMs)) return "its time is none";
  const connection = new Connection(
    connectionId,
    text("userid"),
    text("subprotocol"),
    state ?? text("connectionstate"),
  );
  switch (fields.type) {
    case "headgate.sys.connected":
      return new ConnectedEvent(connection, id, timeMs);
    case "headgate.user.message": {
      const number = fields.messagenumber;
      const isText = typeof fields.data === "string";
      if (typeof number !== "number" || (!isText && typeof fields.data_base64 !== "string")) {
        return "its number or its payload is not there";
      }
      const body = isText ? Buffer.from(text("data")) : Buffer.from(text("data_base64"), "base64");
      return new Message(connection, id, { number, timeMs, isText }, body, 0, body.length);
    }
    case "headgate.sys.disconnected": {
      const end = readEnd(fields.data);
      return typeof end === "string" ? end : new DisconnectedEvent(connection, id, timeMs, end);
    }
    default:
      return "its type is not known";
  }
}
