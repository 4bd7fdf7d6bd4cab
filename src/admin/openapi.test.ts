/** The document and the server say the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startAdmin } from "./fixture.test.helper.ts";
import { Fault } from "./outcome.ts";
import { Router } from "./router.ts";
import { routes } from "./routes.ts";

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string }[];
  responses: Record<string, { description: string; content?: Record<string, object> }>;
}

interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

async function fetchDocument(url: string): Promise<Document> {
  return (await (await fetch(`${url}/openapi.json`)).json()) as Document;
}

/** `METHOD path` of all operations. */
function operationsOf({ paths }: Document): string[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
}

test("each route is in the document, and each operation of the document is served", async (t) => {
  const { url } = await startAdmin(t);
  const document = await fetchDocument(url);
  const described = operationsOf(document);
  const served = routes.map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(described.toSorted(), served.toSorted());
  const router = new Router(routes);
  for (const operation of described) {
    const [method = "", path = ""] = operation.split(" ");
    const found = router.find(method, path.replace(/\{(\w+)\}/g, "$1-value"));
    assert.ok(!(found instanceof Fault), operation);
    assert.equal(`${found.route.method} ${found.route.path}`, operation);
  }
});

test("the document holds the paths that are the contract", async (t) => {
  const { url } = await startAdmin(t);
  const described = new Set(operationsOf(await fetchDocument(url)));
  const contract = `
    POST /api/hubs/{hub}/:send
    POST /api/hubs/{hub}/connections/{connectionId}/:send
    POST /api/hubs/{hub}/users/{user}/:send
    POST /api/hubs/{hub}/groups/{group}/:send
    HEAD /api/hubs/{hub}/connections/{connectionId}
    HEAD /api/hubs/{hub}/users/{user}
    HEAD /api/hubs/{hub}/groups/{group}
    GET /api/hubs/{hub}/groups/{group}/connections
    DELETE /api/hubs/{hub}/connections/{connectionId}
    POST /api/hubs/{hub}/:closeConnections
    POST /api/hubs/{hub}/groups/{group}/:closeConnections
    POST /api/hubs/{hub}/users/{user}/:closeConnections
    PUT /api/hubs/{hub}/groups/{group}/connections/{connectionId}
    DELETE /api/hubs/{hub}/groups/{group}/connections/{connectionId}
    PUT /api/hubs/{hub}/users/{user}/groups/{group}
    DELETE /api/hubs/{hub}/users/{user}/groups/{group}
    DELETE /api/hubs/{hub}/users/{user}/groups
    DELETE /api/hubs/{hub}/connections/{connectionId}/groups
    HEAD /api/health
    POST /@connections/{connectionId}
    GET /@connections/{connectionId}
    DELETE /@connections/{connectionId}
    POST /{stage}/@connections/{connectionId}
    GET /{stage}/@connections/{connectionId}
    DELETE /{stage}/@connections/{connectionId}
    GET /healthz
    GET /readyz
    GET /status
    GET /metrics
    GET /openapi.json`;
  for (const line of contract.trim().split("\n")) {
    assert.ok(described.has(line.trim()), line.trim());
  }
});

test("the metrics are described as text, everything else as JSON", async (t) => {
  const { url } = await startAdmin(t);
  const document = await fetchDocument(url);
  const { responses } = document.paths["/metrics"]?.get ?? assert.fail("no /metrics");
  assert.deepEqual(Object.keys(responses["200"]?.content ?? {}), [
    "text/plain; version=0.0.4; charset=utf-8",
  ]);
  assert.equal(responses["501"], undefined);
  const operations = Object.values(document.paths).flatMap((each) => Object.values(each));
  const types = operations
    .filter(({ operationId }) => operationId !== "metrics")
    .flatMap((operation) => Object.values(operation.responses))
    .flatMap(({ content }) => Object.keys(content ?? {}));
  assert.deepEqual([...new Set(types)], ["application/json"]);
});

test("operations are named once, and describe their parameters and every answer", async (t) => {
  const { url } = await startAdmin(t);
  const document = await fetchDocument(url);
  assert.equal(document.openapi, "3.1.0");
  const names = new Set<string>();
  for (const [path, operations] of Object.entries(document.paths)) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    for (const { operationId, parameters = [], responses } of Object.values(operations)) {
      assert.ok(!names.has(operationId), `${operationId} is there twice`);
      names.add(operationId);
      const declared = parameters.filter((each) => each.in === "path").map((each) => each.name);
      assert.deepEqual(declared, inPath, path);
      for (const [status, response] of Object.entries(responses)) {
        assert.ok(response.description, `${operationId} ${status} has no description`);
      }
    }
  }
  const text = JSON.stringify(document);
  for (const [, name = ""] of text.matchAll(/#\/components\/schemas\/(\w+)/g)) {
    assert.ok(Object.hasOwn(document.components.schemas, name), name);
  }
});
