/**
 * Routes about membership: joining and leaving groups, and the list of a group's connections,
 * page by page.
 */
import type { Command, Target } from "../bus/command.ts";
import { parseConnectionId } from "../core/connection-id.ts";
import { readInteger, readOnce } from "./call-values.ts";
import { Fault, type Outcome, Reply, workersSilent } from "./outcome.ts";
import { type AdminServices, type Call, pathParameter, type Route } from "./route.ts";
import {
  COUNT_HEADERS,
  connectionTarget,
  countHeaders,
  readNothing,
  userTarget,
} from "./target-routes.ts";

const HUB = "/api/hubs/{hub}";
/** Azure's, for one page. */
const PAGE_MAX = 200;

interface Member {
  name: "Connection" | "User";
  membershipPath: string;
  groupsPath: string;
  target(call: Call): Target;
}

const members: Member[] = [
  {
    name: "Connection",
    membershipPath: `${HUB}/groups/{group}/connections/{connectionId}`,
    groupsPath: `${HUB}/connections/{connectionId}/groups`,
    target: connectionTarget,
  },
  {
    name: "User",
    membershipPath: `${HUB}/users/{user}/groups/{group}`,
    groupsPath: `${HUB}/users/{user}/groups`,
    target: userTarget,
  },
];

function join(member: Member): Route {
  const noun = member.name.toLowerCase();
  return {
    method: "PUT",
    path: member.membershipPath,
    operationId: `add${member.name}ToGroup`,
    tag: "groups",
    summary: `Add ${noun === "user" ? "every connection of a user" : "a connection"} to a group.`,
    replies: { 200: { description: "Joined, or was in it already.", headers: COUNT_HEADERS } },
    faults: [400, 404, 409, 413, 503],
    handle: (call, services) => handleJoin(call, services, member),
  };
}

async function handleJoin(call: Call, services: AdminServices, member: Member): Promise<Outcome> {
  const { limits } = services.configuration;
  const unread = await readNothing(call, limits);
  if (unread !== undefined) return unread;
  const hub = pathParameter(call, "hub");
  const group = pathParameter(call, "group");
  const { answer, partial } = await services.bus.ask({
    verb: "join",
    hub,
    target: member.target(call),
    group,
  });
  if (answer.refused !== undefined) {
    const { count, code } = answer.refused;
    return new Fault(
      409,
      code,
      `${count} of ${answer.matched} connections did not join: they are in as many groups as ` +
        `limits.groupsPerConnectionMax (${limits.groupsPerConnectionMax}) allows; ` +
        "leave one first, or raise the limit.",
      "groupsPerConnectionMax",
    );
  }
  if (answer.matched > 0) return new Reply(200, countHeaders(answer, partial));
  if (partial) return workersSilent;
  return new Fault(
    404,
    `${member.name}NotFound`,
    member.name === "User"
      ? "The user has no connection to this hub."
      : "There is no such connection in this hub; it may have closed.",
    member.name === "User" ? "user" : "connectionId",
  );
}

function leave(member: Member, every: boolean): Route {
  const noun = member.name.toLowerCase();
  return {
    method: "DELETE",
    path: every ? member.groupsPath : member.membershipPath,
    operationId: `remove${member.name}From${every ? "AllGroups" : "Group"}`,
    tag: "groups",
    summary: `Remove ${noun === "user" ? "every connection of a user" : "a connection"} from ${
      every ? "all groups" : "a group"
    }.`,
    replies: { 204: { description: "It is in it no longer.", headers: COUNT_HEADERS } },
    faults: [400, 404, 413, 503],
    async handle(call, services) {
      const unread = await readNothing(call, services.configuration.limits);
      if (unread !== undefined) return unread;
      const hub = pathParameter(call, "hub");
      const target = member.target(call);
      const command: Command = every
        ? { verb: "leave-all", hub, target }
        : { verb: "leave", hub, target, group: pathParameter(call, "group") };
      const { answer, partial } = await services.bus.ask(command);
      return new Reply(204, countHeaders(answer, partial));
    },
  };
}

const list: Route = {
  method: "GET",
  path: `${HUB}/groups/{group}/connections`,
  operationId: "listConnectionsInGroup",
  tag: "questions",
  summary: "List the connections in a group, in the order of their ids.",
  parameters: [
    {
      name: "maxpagesize",
      in: "query",
      description: "Connections in one answer.",
      schema: { type: "integer", minimum: 1, maximum: PAGE_MAX, default: PAGE_MAX },
    },
    {
      name: "top",
      in: "query",
      description: "Connections in all answers together; all of them by default.",
      schema: { type: "integer", minimum: 1 },
    },
    {
      name: "continuationToken",
      in: "query",
      description: "Where the last page ended, as its nextLink says.",
      schema: { type: "string" },
    },
  ],
  replies: {
    200: {
      description: "A page; nextLink is there while more follow.",
      headers: ["headgate-partial"],
      schema: { $ref: "#/components/schemas/ConnectionPage" },
    },
  },
  faults: [400, 404, 503],
  handle: handleList,
};

async function handleList(call: Call, { bus }: AdminServices): Promise<Outcome> {
  const pageMax = readInteger(call, "maxpagesize", { from: 1, to: PAGE_MAX });
  if (pageMax instanceof Fault) return pageMax;
  const top = readInteger(call, "top", { from: 1, to: 2 ** 31 - 1 });
  if (top instanceof Fault) return top;
  const after = readContinuation(call);
  if (after instanceof Fault) return after;
  const pageSize = Math.min(pageMax ?? PAGE_MAX, top ?? PAGE_MAX);
  const hub = pathParameter(call, "hub");
  const group = pathParameter(call, "group");
  // One more than is shown tells whether another page follows.
  const command = { verb: "list", hub, group, after, limit: pageSize + 1 } as const;
  const { answer, partial } = await bus.ask(command);
  const value = answer.connections.slice(0, pageSize);
  const last = value.at(-1);
  const rest = top === undefined ? Number.POSITIVE_INFINITY : top - value.length;
  const follows = last !== undefined && answer.connections.length > pageSize && rest > 0;
  const headers: Record<string, string> = partial ? { "headgate-partial": "true" } : {};
  const nextLink = follows ? linkAfter(call, last.connectionId, pageMax, rest) : undefined;
  return new Reply(200, headers, { value, nextLink });
}

function linkAfter(call: Call, connectionId: string, pageMax: number | undefined, rest: number) {
  const query = new URLSearchParams();
  const version = call.query.get("api-version");
  if (version !== null) query.set("api-version", version);
  if (pageMax !== undefined) query.set("maxpagesize", String(pageMax));
  if (Number.isFinite(rest)) query.set("top", String(rest));
  query.set("continuationToken", Buffer.from(connectionId).toString("base64url"));
  return `http://${call.host}${call.path}?${query}`;
}

function readContinuation(call: Call): string | undefined | Fault {
  const token = readOnce(call, "continuationToken");
  if (token === undefined || token instanceof Fault) return token;
  const after = Buffer.from(token, "base64url").toString();
  if (parseConnectionId(after) !== undefined) return after;
  return new Fault(
    400,
    "InvalidParameter",
    "The continuationToken is none that this API gave out; follow nextLink as it is.",
    "continuationToken",
  );
}

export const groupRoutes: Route[] = [
  list,
  ...members.map(join),
  ...members.map((member) => leave(member, false)),
  ...members.map((member) => leave(member, true)),
];
