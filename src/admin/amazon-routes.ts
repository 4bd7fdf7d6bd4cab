/**
 * The `@connections` API of Amazon API Gateway: sending to, describing and closing a connection
 * that is known by its id alone. The stage, if there is one, means nothing here.
 */
import { isUtf8 } from "node:buffer";
import { BINARY, TEXT } from "../core/opcode.ts";
import { readPushId } from "./call-values.ts";
import { checkCoding } from "./message.ts";
import { Fault, type Outcome, Reply, workersSilent } from "./outcome.ts";
import { type AdminServices, type Call, pathParameter, type Route } from "./route.ts";
import {
  COUNT_HEADERS,
  connectionTarget,
  countHeaders,
  readNothing,
  SEND_HEADERS,
  sendHeaders,
} from "./target-routes.ts";

/** Amazon's SDKs percent-encode the @, and the @ alone decides in which dialect we answer. */
const AMAZON_PATH = /^((?:\/[^/]+)?)\/(?:@|%40)connections(?=\/|$)/i;

export function isAmazonPath(path: string): boolean {
  return AMAZON_PATH.test(path);
}

export function plainAmazonPath(path: string): string {
  return path.replace(AMAZON_PATH, "$1/@connections");
}

const gone = new Fault(
  410,
  "GoneException",
  "The connection is no longer there, or never was.",
  "connectionId",
);

function amazonRoutes(prefix: string, suffix: string): Route[] {
  const path = `${prefix}/@connections/{connectionId}`;
  return [
    {
      method: "POST",
      path,
      operationId: `postToConnection${suffix}`,
      tag: "amazon",
      summary: "Send one message: text if it is valid UTF-8, otherwise binary.",
      body: ["*/*"],
      replies: { 200: { description: "Queued or written.", headers: SEND_HEADERS } },
      faults: [400, 410, 413, 415, 503],
      handle: post,
    },
    {
      method: "GET",
      path,
      operationId: `getConnection${suffix}`,
      tag: "amazon",
      summary: "Describe a connection.",
      replies: {
        200: {
          description: "What is known of it.",
          schema: { $ref: "#/components/schemas/DescribedConnection" },
        },
      },
      faults: [400, 410, 503],
      handle: get,
    },
    {
      method: "DELETE",
      path,
      operationId: `deleteConnection${suffix}`,
      tag: "amazon",
      summary: "Close a connection.",
      replies: { 204: { description: "Closed.", headers: COUNT_HEADERS } },
      faults: [400, 410, 413, 503],
      handle: remove,
    },
  ];
}

async function post(call: Call, { configuration, bus }: AdminServices): Promise<Outcome> {
  const { limits } = configuration;
  const pushId = readPushId(call, limits);
  if (pushId instanceof Fault) return pushId;
  const coded = checkCoding(call.headers);
  if (coded !== undefined) return coded;
  const bytes = await call.readBody(limits.pushBytesMax, "pushBytesMax");
  if (bytes instanceof Fault) return bytes;
  const { answer, partial } = await bus.ask({
    verb: "send",
    hub: undefined,
    target: connectionTarget(call),
    excluded: [],
    opcode: isUtf8(bytes) ? TEXT : BINARY,
    bytes,
    pushId,
  });
  if (answer.matched > 0) return new Reply(200, sendHeaders(answer, partial));
  return partial ? workersSilent : gone;
}

async function get(call: Call, { bus }: AdminServices): Promise<Outcome> {
  const connectionId = pathParameter(call, "connectionId");
  const { answer, partial } = await bus.ask({ verb: "describe", connectionId });
  const { description } = answer;
  if (description === undefined) return partial ? workersSilent : gone;
  return new Reply(
    200,
    {},
    {
      connectedAt: new Date(description.connectedAtMs).toISOString(),
      // Amazon's SDKs want a string; the gateway keeps no user agents.
      identity: { sourceIp: description.address, userAgent: "" },
      lastActiveAt: new Date(description.lastActiveAtMs).toISOString(),
    },
  );
}

async function remove(call: Call, { configuration, bus }: AdminServices): Promise<Outcome> {
  const unread = await readNothing(call, configuration.limits);
  if (unread !== undefined) return unread;
  const { answer, partial } = await bus.ask({
    verb: "close",
    hub: undefined,
    target: connectionTarget(call),
    excluded: [],
    reason: "",
  });
  if (answer.matched > 0) return new Reply(204, countHeaders(answer, partial));
  return partial ? workersSilent : gone;
}

export const connectionRoutes: Route[] = [
  ...amazonRoutes("", ""),
  ...amazonRoutes("/{stage}", "OfStage"),
];
