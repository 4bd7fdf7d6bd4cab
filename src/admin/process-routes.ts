/**
 * Routes about the gateway itself, and those that are known by name and answered with 501.
 */
import { EXPOSITION_TYPE } from "../metrics/exposition.ts";
import { Fault, notImplemented, Reply } from "./outcome.ts";
import type { Method, Route } from "./route.ts";

function health(method: "GET" | "HEAD", path: string, operationId: string): Route {
  return {
    method,
    path,
    operationId,
    tag: "process",
    summary: "Is the process alive?",
    open: true,
    replies: { 200: { description: "It is." } },
    faults: [],
    handle: () => new Reply(200),
  };
}

const ready: Route = {
  method: "GET",
  path: "/readyz",
  operationId: "readiness",
  tag: "process",
  summary: "May clients be sent here?",
  open: true,
  replies: { 200: { description: "They may." } },
  faults: [503],
  handle: (_, services) => (services.ready() ? new Reply(200) : notReady),
};

const notReady = new Fault(
  503,
  "NotReady",
  "The gateway is starting or stopping; send clients elsewhere for now.",
);

const status: Route = {
  method: "GET",
  path: "/status",
  operationId: "status",
  tag: "process",
  summary: "What the supervisor knows of itself and its workers.",
  replies: { 200: { description: "The state of now.", schema: { type: "object" } } },
  faults: [503],
  handle: async (_, services) => new Reply(200, {}, await services.status()),
};

const metrics: Route = {
  method: "GET",
  path: "/metrics",
  operationId: "metrics",
  tag: "process",
  summary: "What the gateway counts, for Prometheus.",
  replies: {
    200: {
      description: "Prometheus' text format, version 0.0.4.",
      schema: { type: "string" },
      mediaType: EXPOSITION_TYPE,
    },
  },
  faults: [],
  handle: (_, services) => {
    return new Reply(200, { "content-type": EXPOSITION_TYPE }, services.metrics());
  },
};

function later(method: Method, path: string, operationId: string, what: string): Route {
  return {
    method,
    path,
    operationId,
    tag: "later",
    summary: `${what}: not implemented yet.`,
    replies: {},
    faults: [501],
    handle: () => notImplemented(what),
  };
}

const HUB = "/api/hubs/{hub}";
const PERMISSION = `${HUB}/permissions/{permission}/connections/{connectionId}`;

export const processRoutes: Route[] = [
  health("HEAD", "/api/health", "serviceHealth"),
  health("GET", "/api/health", "serviceHealthByGet"),
  health("GET", "/healthz", "liveness"),
  ready,
  status,
  metrics,
  later("GET", "/", "dashboard", "The dashboard"),
  later("POST", `${HUB}/:addToGroups`, "addConnectionsToGroups", "Adding by filter"),
  later("POST", `${HUB}/:removeFromGroups`, "removeConnectionsFromGroups", "Removing by filter"),
  later("POST", `${HUB}/:generateToken`, "generateClientToken", "Signing client tokens"),
  later("POST", `${HUB}/:refresh`, "refreshAll", "Refreshing connections"),
  later(
    "POST",
    `${HUB}/connections/{connectionId}/:refresh`,
    "refreshConnection",
    "Refreshing a connection",
  ),
  later("PUT", PERMISSION, "grantPermission", "Granting permissions"),
  later("HEAD", PERMISSION, "checkPermission", "Checking permissions"),
  later("DELETE", PERMISSION, "revokePermission", "Revoking permissions"),
];
