/**
 * The OpenAPI 3.1 document of the admin API, made from the routes that serve it.
 */
import { type Described, pathParameterNames, type Route } from "./route.ts";

const ERROR = { $ref: "#/components/schemas/Error" };

const faultDescriptions: Readonly<Record<number, string>> = {
  400: "A name, parameter or body is not valid.",
  401: "The key is missing or wrong.",
  403: "Without keys, only this machine's own programs may call.",
  404: "There is no such hub, or nothing matches.",
  409: "A limit of the connection keeps it from joining.",
  410: "The connection is gone (GoneException).",
  413: "The body, or a list, is larger than the limits allow.",
  415: "The body's type or coding is not accepted.",
  500: "The gateway failed; its log says why.",
  501: "Not implemented yet.",
  503: "Not ready, too busy, or a worker did not answer in time.",
};

const headerDescriptions: Readonly<Record<string, object>> = {
  "headgate-matched": {
    description: "Connections that the call was about.",
    schema: { type: "integer" },
  },
  "headgate-dropped": {
    description: "Of those, the ones whose slow-consumer policy dropped the message.",
    schema: { type: "integer" },
  },
  "headgate-partial": {
    description: "There, and true, when not every worker answered in time.",
    schema: { type: "boolean" },
  },
};

const pathParameters: Readonly<Record<string, string>> = {
  hub: "A hub of the configuration.",
  connectionId: "A connection's id.",
  user: "A user's id, percent-encoded.",
  group: "A group's name, percent-encoded.",
  permission: "A permission's name.",
  stage: "Any name; it means nothing.",
};

export function describeApi(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const operations = paths[route.path] ?? {};
    operations[route.method.toLowerCase()] = describeRoute(route);
    paths[route.path] = operations;
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Headgate admin API",
      version: "1.0.0",
      description:
        "Pushes to, asks about and closes the connections of a Headgate gateway. " +
        "HEAD works wherever GET does; api-version is accepted and ignored.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    security: [{ key: [] }],
    paths,
    components: {
      securitySchemes: {
        key: {
          type: "http",
          scheme: "bearer",
          description: "One of admin.keys; none where none is configured.",
        },
      },
      schemas,
    },
  };
}

function describeRoute(route: Route): object {
  const parameters = [
    ...pathParameterNames(route.path).map((name) => ({
      name,
      in: "path",
      required: true,
      description: pathParameters[name],
      schema: { type: "string", minLength: 1 },
    })),
    ...(route.parameters ?? []),
  ];
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    ...(route.open ? { security: [] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body ? { requestBody: describeBody(route.body) } : {}),
    responses: describeResponses(route),
  };
}

function describeBody(types: string[]): object {
  const content = Object.fromEntries(types.map((type) => [type, {}]));
  return { required: true, content };
}

function describeResponses(route: Route): Record<string, object> {
  const responses: Record<string, object> = {};
  for (const [status, reply] of Object.entries(route.replies)) {
    responses[status] = describeReply(reply);
  }
  const error = route.tag === "amazon" ? { $ref: "#/components/schemas/AmazonError" } : ERROR;
  const faults = route.open ? route.faults : [401, 403, ...route.faults];
  for (const status of [...faults, 500]) {
    const description = faultDescriptions[status];
    responses[String(status)] =
      route.method === "HEAD"
        ? { description }
        : { description, content: { "application/json": { schema: error } } };
  }
  return responses;
}

function describeReply(reply: Described): object {
  const { description, schema, headers = [], mediaType = "application/json" } = reply;
  return {
    description,
    ...(headers.length > 0
      ? { headers: Object.fromEntries(headers.map((name) => [name, headerDescriptions[name]])) }
      : {}),
    ...(schema ? { content: { [mediaType]: { schema } } } : {}),
  };
}

const schemas = {
  Error: {
    type: "object",
    required: ["code", "message"],
    properties: {
      code: { type: "string", description: "Stable, for programs." },
      message: { type: "string", description: "What is wrong and what to do." },
      target: { type: "string", description: "The parameter, header or setting it is about." },
    },
  },
  AmazonError: {
    type: "object",
    required: ["code", "message"],
    properties: {
      code: { type: "string" },
      message: { type: "string" },
      target: { type: "string" },
    },
    description: "The header x-amzn-errortype names the error as Amazon's SDKs know it.",
  },
  ConnectionPage: {
    type: "object",
    required: ["value"],
    properties: {
      value: {
        type: "array",
        items: {
          type: "object",
          required: ["connectionId"],
          properties: { connectionId: { type: "string" }, userId: { type: "string" } },
        },
      },
      nextLink: { type: "string", format: "uri" },
    },
  },
  DescribedConnection: {
    type: "object",
    required: ["connectedAt", "identity", "lastActiveAt"],
    properties: {
      connectedAt: { type: "string", format: "date-time" },
      identity: {
        type: "object",
        required: ["sourceIp", "userAgent"],
        properties: { sourceIp: { type: "string" }, userAgent: { type: "string" } },
      },
      lastActiveAt: { type: "string", format: "date-time" },
    },
  },
};
