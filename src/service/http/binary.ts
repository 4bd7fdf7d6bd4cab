/**
 * One event in HTTP's binary mode of CloudEvents: its attributes in the headers, its payload as
 * the body. It checks no signature.
 */
import { TEXT } from "../../core/opcode.ts";
import { decodeAttribute, encodeAttribute } from "../attribute.ts";
import { ConnectRequest, stateHeader } from "../connect-request.ts";
import { Connection } from "../connection.ts";
import type { ServiceEvent, Taken } from "../handlers.ts";
import { ConnectedEvent, DisconnectedEvent } from "../lifecycle.ts";
import { Message } from "../message.ts";
import {
  BINARY_TYPE,
  type HttpAnswer,
  type HttpRequest,
  NOTHING,
  rejected,
  TEXT_TYPE,
} from "./answer.ts";
import { readEnd } from "./event-fields.ts";

/** A sentence where the request is no event of the gateway's. */
export function readEvent(request: HttpRequest): ServiceEvent | ConnectRequest | string {
  const attribute = (name: string) => decodeAttribute(request.header(`ce-${name}`));
  const [id, connectionId, type] = [attribute("id"), attribute("connectionid"), attribute("type")];
  if (id === "" || connectionId === "") return "ce-id and ce-connectionid must be there";
  const timeMs = Date.parse(attribute("time"));
  if (Number.isNaN(timeMs)) return "ce-time is no time";
  const { body } = request;
  const connection = new Connection(
    connectionId,
    attribute("userid"),
    attribute("subprotocol"),
    attribute("connectionstate"),
  );
  switch (type) {
    case "headgate.sys.connect":
      return readConnect(request, connectionId, timeMs);
    case "headgate.sys.connected":
      return new ConnectedEvent(connection, id, timeMs);
    case "headgate.user.message": {
      const number = Number(attribute("messagenumber"));
      const isText = request.header("content-type")?.startsWith("text/") ?? false;
      if (!Number.isSafeInteger(number) || number < 1) return "ce-messagenumber is no number";
      return new Message(connection, id, { number, timeMs, isText }, body, 0, body.length);
    }
    case "headgate.sys.disconnected": {
      const end = readEnd(parseJson(body));
      if (typeof end === "string") return end;
      return new DisconnectedEvent(connection, id, timeMs, end);
    }
    default:
      return `ce-type "${type}" is not known`;
  }
}

function readConnect(request: HttpRequest, connectionId: string, timeMs: number) {
  const traceparent = request.header("traceparent") ?? "";
  const tracestate = request.header("tracestate") ?? "";
  try {
    return new ConnectRequest(connectionId, timeMs, request.body, { traceparent, tracestate });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return `the body is no handshake: ${error.message}`;
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

export function writeAnswer({ event, outcome }: Taken): HttpAnswer {
  if (outcome !== undefined) return rejected(outcome);
  if (event.name !== "message") return { status: 204, headers: {}, body: NOTHING };
  const { encodedReply: reply, newState } = event;
  const headers: Record<string, string> = {};
  if (newState !== undefined) headers["ce-connectionstate"] = encodeAttribute(newState);
  if (reply === undefined) return { status: 204, headers, body: NOTHING };
  headers["content-type"] = typeOf(reply.opcode);
  return { status: 200, headers, body: reply.bytes };
}

export function typeOf(opcode: number): string {
  return opcode === TEXT ? TEXT_TYPE : BINARY_TYPE;
}

export function writeConnectAnswer(outcome: Parameters<typeof stateHeader>[0]): HttpAnswer {
  const { body, contentType, status } = outcome;
  const state = stateHeader(outcome);
  const headers: Record<string, string> = {};
  if (contentType !== "") headers["content-type"] = contentType;
  if (state !== undefined) headers["ce-connectionstate"] = state;
  return { status, headers, body };
}
