/**
 * Routes that exist for each kind of target (everybody, a connection, a user, a group): sending,
 * closing, and the question whether anything is there.
 */
import type { Answer, Target } from "../bus/command.ts";
import type { GatewayLimits } from "../config/configuration.ts";
import {
  excludedParameter,
  pushIdParameter,
  readExcluded,
  readPushId,
  readReason,
  reasonParameter,
} from "./call-values.ts";
import { checkText, messageOpcode, messageTypes } from "./message.ts";
import { Fault, notImplemented, type Outcome, Reply, workersSilent } from "./outcome.ts";
import { type AdminServices, type Call, pathParameter, type Route } from "./route.ts";

interface Scope {
  /** As operation ids name it. */
  name: "All" | "Connection" | "User" | "Group";
  path: string;
  noun: string;
  target(call: Call): Target;
}

const HUB = "/api/hubs/{hub}";

const all: Scope = {
  name: "All",
  path: HUB,
  noun: "every connection of the hub",
  target: () => ({ kind: "all" }),
};
const connection: Scope = {
  name: "Connection",
  path: `${HUB}/connections/{connectionId}`,
  noun: "one connection",
  target: connectionTarget,
};
const user: Scope = {
  name: "User",
  path: `${HUB}/users/{user}`,
  noun: "every connection of a user",
  target: userTarget,
};
const group: Scope = {
  name: "Group",
  path: `${HUB}/groups/{group}`,
  noun: "every connection in a group",
  target: (call) => ({ kind: "group", group: pathParameter(call, "group") }),
};

export function connectionTarget(call: Call): Target {
  return { kind: "connection", connectionId: pathParameter(call, "connectionId") };
}

export function userTarget(call: Call): Target {
  return { kind: "user", user: pathParameter(call, "user") };
}

/** How many the command was about, and whether all workers answered. */
export function countHeaders(answer: Answer, partial: boolean): Record<string, string> {
  return {
    "headgate-matched": String(answer.matched),
    ...(partial ? { "headgate-partial": "true" } : {}),
  };
}

export const COUNT_HEADERS = ["headgate-matched", "headgate-partial"];
export const SEND_HEADERS = ["headgate-matched", "headgate-dropped", "headgate-partial"];

export function sendHeaders(answer: Answer, partial: boolean): Record<string, string> {
  return { ...countHeaders(answer, partial), "headgate-dropped": String(answer.dropped) };
}

function send(scope: Scope): Route {
  return {
    method: "POST",
    path: `${scope.path}/:send`,
    operationId: `sendTo${scope.name}`,
    tag: "push",
    summary: `Send one message to ${scope.noun}.`,
    parameters: scope === connection ? [pushIdParameter] : [excludedParameter, pushIdParameter],
    body: messageTypes,
    replies: {
      202: {
        description: "Queued or written for every connection that matched, zero included.",
        headers: SEND_HEADERS,
      },
    },
    faults: [400, 404, 413, 415, 501, 503],
    handle: (call, services) => handleSend(call, services, scope.target(call)),
  };
}

async function handleSend(call: Call, services: AdminServices, target: Target): Promise<Outcome> {
  const { limits } = services.configuration;
  for (const later of ["filter", "messageTtlSeconds"]) {
    if (call.query.has(later)) return notImplemented(`The parameter ${later}`, later);
  }
  const excluded = readExcluded(call, limits);
  if (excluded instanceof Fault) return excluded;
  const pushId = readPushId(call, limits);
  if (pushId instanceof Fault) return pushId;
  const opcode = messageOpcode(call.headers);
  if (opcode instanceof Fault) return opcode;
  const bytes = await call.readBody(limits.pushBytesMax, "pushBytesMax");
  if (bytes instanceof Fault) return bytes;
  const invalid = checkText(opcode, bytes);
  if (invalid !== undefined) return invalid;
  const hub = pathParameter(call, "hub");
  const command = { verb: "send", hub, target, excluded, opcode, bytes, pushId } as const;
  const { answer, partial } = await services.bus.ask(command);
  return new Reply(202, sendHeaders(answer, partial));
}

function close(scope: Scope, method: "POST" | "DELETE"): Route {
  const one = method === "DELETE";
  return {
    method,
    path: one ? scope.path : `${scope.path}/:closeConnections`,
    operationId: one ? "closeConnection" : `close${scope.name}Connections`,
    tag: "close",
    summary: `Close ${scope.noun}.`,
    parameters: one ? [reasonParameter] : [excludedParameter, reasonParameter],
    replies: {
      204: {
        description: "Closed, or nothing was there to close.",
        headers: COUNT_HEADERS,
      },
    },
    faults: [400, 404, 413, 503],
    handle: (call, services) => handleClose(call, services, scope.target(call)),
  };
}

async function handleClose(call: Call, services: AdminServices, target: Target): Promise<Outcome> {
  const excluded = readExcluded(call, services.configuration.limits);
  if (excluded instanceof Fault) return excluded;
  const reason = readReason(call);
  if (reason instanceof Fault) return reason;
  const unread = await readNothing(call, services.configuration.limits);
  if (unread !== undefined) return unread;
  const hub = pathParameter(call, "hub");
  const command = { verb: "close", hub, target, excluded, reason } as const;
  const { answer, partial } = await services.bus.ask(command);
  return new Reply(204, countHeaders(answer, partial));
}

/** Reads a body that means nothing; some clients send `{}` with every POST and PUT. */
export async function readNothing(call: Call, limits: GatewayLimits): Promise<Fault | undefined> {
  const body = await call.readBody(limits.adminBodyBytesMax, "adminBodyBytesMax");
  return body instanceof Fault ? body : undefined;
}

function exists(scope: Scope): Route {
  return {
    method: "HEAD",
    path: scope.path,
    operationId: `${scope.name.toLowerCase()}Exists`,
    tag: "questions",
    summary: `Is there a connection: ${scope.noun}?`,
    replies: { 200: { description: "There is." } },
    faults: [400, 404, 503],
    async handle(call, { bus }) {
      const hub = pathParameter(call, "hub");
      const command = { verb: "exists", hub, target: scope.target(call) } as const;
      const { answer, partial } = await bus.ask(command);
      if (answer.matched > 0) return new Reply(200);
      return partial ? workersSilent : nothingThere;
    },
  };
}

const nothingThere = new Fault(404, "NotFound", "Nothing that is connected matches.");

export const targetRoutes: Route[] = [
  ...[all, connection, user, group].map(send),
  ...[all, user, group].map((scope) => close(scope, "POST")),
  close(connection, "DELETE"),
  ...[connection, user, group].map(exists),
];
