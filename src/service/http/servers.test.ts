/** The ways into node:http and the real frameworks: each takes the gateway's own requests. */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, describe, test } from "node:test";
import express from "express";
import { fastify } from "fastify";
import { Hono } from "hono";
import { createService, type Service } from "../service.ts";
import { asBatch, asRequest, text } from "./requests.test.helper.ts";

const FACTS = { connectionId: "AAAAAAAAAAA.AAAAAAAAAA" };
const KEY = "key";
const running = new Set<Server>();
after(() => {
  for (const server of running) server.close().closeAllConnections();
});

async function listen(server: Server): Promise<string> {
  running.add(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Ask = (path: string, request: RequestInit) => Promise<Response>;

interface Way {
  name: string;
  /** Events at /events, and something of the application's own at /own. */
  open(service: Service): Promise<Ask>;
}

function over(base: string): Ask {
  return (path, request) => fetch(`${base}${path}`, request);
}

const ways: Way[] = [
  {
    name: "a server of node:http, beside its own listener",
    async open(service) {
      const server = createServer((_request, response) => response.end("own"));
      service.listenHttp(server, "/events");
      return over(await listen(server));
    },
  },
  {
    name: "express",
    async open(service) {
      const app = express();
      app.use("/events", service.express());
      app.use(express.json());
      app.get("/own", (_request, response) => void response.send("own"));
      return over(await listen(createServer(app)));
    },
  },
  {
    name: "express, behind express.raw",
    async open(service) {
      const app = express();
      app.use(express.raw({ type: () => true }));
      app.post("/events", service.express());
      app.options("/events", service.express());
      app.get("/own", (_request, response) => void response.send("own"));
      return over(await listen(createServer(app)));
    },
  },
  {
    name: "fastify",
    async open(service) {
      const app = fastify();
      app.get("/own", async () => "own");
      app.register(service.fastify("/events"));
      await app.listen({ host: "127.0.0.1", port: 0 });
      after(() => app.close());
      return over(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`);
    },
  },
  {
    name: "fastify, with a prefix",
    async open(service) {
      const app = fastify();
      app.get("/own", async () => "own");
      app.register(service.fastify(), { prefix: "/events" });
      await app.listen({ host: "127.0.0.1", port: 0 });
      after(() => app.close());
      return over(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`);
    },
  },
  {
    name: "hono",
    async open(service) {
      const app = new Hono();
      app.get("/own", (context) => context.text("own"));
      app.all("/events", service.hono());
      return async (path, request) => app.request(path, request);
    },
  },
];

for (const way of ways) {
  describe(way.name, () => {
    test("takes signed events, batches and questions, and leaves the rest alone", async () => {
      const errors: Error[] = [];
      const onError = (error: Error) => errors.push(error);
      const options = { hub: "chat", keys: KEY, bodyBytesMax: 100_000, onError };
      const service = createService(options);
      service.on("message", (message) => {
        message.setConnectionState("ü");
        message.reply(message.text().slice(0, 5));
      });
      const ask = await way.open(service);
      const sending = { signingKeys: [KEY] };
      const answer = await ask("/events", asRequest(FACTS, text(1, "hé"), sending));
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get("content-type"), "text/plain; charset=utf-8");
      assert.equal(answer.headers.get("ce-connectionstate"), "%C3%BC");
      assert.equal(await answer.text(), "hé");
      const batch = await ask("/events", asBatch(FACTS, [text(2, "a")], sending));
      assert.equal(((await batch.json()) as { data: string }[])[0]?.data, "a");
      const unsigned = await ask("/events", asRequest(FACTS, text(3, "a")));
      assert.equal(unsigned.status, 401);
      const long = asRequest(FACTS, text(4, "a".repeat(60_000)), sending);
      assert.equal((await ask("/events", long)).status, 200);
      const tooLong = asRequest(FACTS, text(5, "a".repeat(100_001)), sending);
      const tooLongStatus = (await ask("/events", tooLong)).status;
      assert.equal(tooLongStatus, 413);
      const headers = { "webhook-request-origin": "gateway.example" };
      const consent = await ask("/events", { method: "OPTIONS", headers });
      assert.equal(consent.headers.get("webhook-allowed-origin"), "gateway.example");
      assert.equal(await (await ask("/own", {})).text(), "own");
      assert.equal(errors.length, 2);
    });
  });
}

test("behind a body parser an event fails, and onError says what to do", async () => {
  const errors: Error[] = [];
  const onError = (error: Error) => errors.push(error);
  const service = createService({ hub: "chat", onError });
  const app = express();
  app.use(express.text({ type: () => true }));
  app.use("/events", service.express());
  const url = await listen(createServer(app));
  const answer = await fetch(`${url}/events`, asRequest(FACTS, text(1, "a")));
  assert.equal(answer.status, 500);
  assert.match(errors[0]?.message ?? "", /before body parsers/);
});

test("a server without a listener of its own answers 404 elsewhere", async () => {
  const server = createServer();
  createService({ hub: "chat" }).listenHttp(server, "/events");
  const url = await listen(server);
  assert.equal((await fetch(`${url}/else`)).status, 404);
  assert.equal((await fetch(`${url}/events?a=1`, { method: "OPTIONS" })).status, 200);
});

test("a path that no request can have is refused", () => {
  const service = createService({ hub: "chat" });
  for (const path of ["events", "", "/events?key=1", "http://127.0.0.1/events", undefined]) {
    const refused = { code: "HG_SERVICE_OPTIONS", message: /such as \/events/ };
    assert.throws(() => service.listenHttp(createServer(), path as string), refused);
  }
});
