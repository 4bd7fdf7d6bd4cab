/**
 * The route table of the admin API, with the document that describes it as its last row.
 */
import { connectionRoutes } from "./amazon-routes.ts";
import { groupRoutes } from "./group-routes.ts";
import { describeApi } from "./openapi.ts";
import { Reply } from "./outcome.ts";
import { processRoutes } from "./process-routes.ts";
import type { Route } from "./route.ts";
import { targetRoutes } from "./target-routes.ts";

const document: Route = {
  method: "GET",
  path: "/openapi.json",
  operationId: "openapi",
  tag: "process",
  summary: "This document.",
  replies: { 200: { description: "OpenAPI 3.1.", schema: { type: "object" } } },
  faults: [],
  handle: () => new Reply(200, {}, description),
};

export const routes: readonly Route[] = [
  ...targetRoutes,
  ...groupRoutes,
  ...connectionRoutes,
  ...processRoutes,
  document,
];

const description = describeApi(routes);
