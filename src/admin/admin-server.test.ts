/** What every route asks of the bus and answers, over real HTTP. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "../bus/command.ts";
import { HeadgateError } from "../core/error.ts";
import { type Log, silentLog } from "../core/log.ts";
import { BINARY, TEXT } from "../core/opcode.ts";
import { AdminServer } from "./admin-server.ts";
import { CONNECTION, configurationWith, FakeBus, startAdmin } from "./fixture.test.helper.ts";
import { routes } from "./routes.ts";

const HUB = "/api/hubs/chat";
const all = { kind: "all" } as const;
const connection = { kind: "connection", connectionId: CONNECTION } as const;
const user = { kind: "user", user: "ann" } as const;
const group = { kind: "group", group: "blue" } as const;
const hub = "chat";

const text = { headers: { "content-type": "text/plain" }, body: "hi" };
const hi = new TextEncoder().encode("hi");
const sent = { verb: "send", hub, excluded: [], opcode: TEXT, bytes: hi, pushId: undefined };
const closed = { verb: "close", hub, excluded: [], reason: "" };

/** Every call that asks the bus: the request, the status, the command. */
const calls: [string, RequestInit, number, object][] = [
  [`POST ${HUB}/:send`, text, 202, { ...sent, target: all }],
  [`POST ${HUB}/connections/${CONNECTION}/:send`, text, 202, { ...sent, target: connection }],
  [`POST ${HUB}/users/ann/:send`, text, 202, { ...sent, target: user }],
  [`POST ${HUB}/groups/blue/:send`, text, 202, { ...sent, target: group }],
  [`HEAD ${HUB}/connections/${CONNECTION}`, {}, 200, { verb: "exists", hub, target: connection }],
  [`HEAD ${HUB}/users/ann`, {}, 200, { verb: "exists", hub, target: user }],
  [`HEAD ${HUB}/groups/blue`, {}, 200, { verb: "exists", hub, target: group }],
  [
    `GET ${HUB}/groups/blue/connections`,
    {},
    200,
    { verb: "list", hub, group: "blue", after: undefined, limit: 201 },
  ],
  [`DELETE ${HUB}/connections/${CONNECTION}`, {}, 204, { ...closed, target: connection }],
  [`POST ${HUB}/:closeConnections`, {}, 204, { ...closed, target: all }],
  [`POST ${HUB}/users/ann/:closeConnections`, {}, 204, { ...closed, target: user }],
  [`POST ${HUB}/groups/blue/:closeConnections`, {}, 204, { ...closed, target: group }],
  [
    `PUT ${HUB}/groups/blue/connections/${CONNECTION}`,
    {},
    200,
    { verb: "join", hub, target: connection, group: "blue" },
  ],
  [
    `DELETE ${HUB}/groups/blue/connections/${CONNECTION}`,
    {},
    204,
    { verb: "leave", hub, target: connection, group: "blue" },
  ],
  [
    `PUT ${HUB}/users/ann/groups/blue`,
    { body: "{}" },
    200,
    { verb: "join", hub, target: user, group: "blue" },
  ],
  [
    `DELETE ${HUB}/users/ann/groups/blue`,
    {},
    204,
    { verb: "leave", hub, target: user, group: "blue" },
  ],
  [`DELETE ${HUB}/users/ann/groups`, {}, 204, { verb: "leave-all", hub, target: user }],
  [
    `DELETE ${HUB}/connections/${CONNECTION}/groups`,
    {},
    204,
    { verb: "leave-all", hub, target: connection },
  ],
  [`POST /@connections/${CONNECTION}`, text, 200, { ...sent, hub: undefined, target: connection }],
  [
    `POST /prod/%40connections/${CONNECTION}`,
    text,
    200,
    { ...sent, hub: undefined, target: connection },
  ],
  [
    `DELETE /@connections/${CONNECTION}`,
    {},
    204,
    { ...closed, hub: undefined, target: connection },
  ],
  [
    `DELETE /prod/@connections/${CONNECTION}`,
    {},
    204,
    { ...closed, hub: undefined, target: connection },
  ],
];

for (const [call, init, status, command] of calls) {
  test(`${call} asks the bus and answers ${status}`, async (t) => {
    const { bus, url } = await startAdmin(t);
    const [method = "", path = ""] = call.split(" ");
    bus.answer = { matched: 7, dropped: 2 };
    const response = await fetch(`${url}${path}?api-version=2024-12-01`, { ...init, method });
    await response.arrayBuffer();
    assert.equal(response.status, status);
    assert.deepEqual(bus.commands, [command]);
    const isQuestion = method === "HEAD" || method === "GET";
    const isSend = (command as Command).verb === "send";
    assert.equal(response.headers.get("headgate-matched"), isQuestion ? null : "7");
    assert.equal(response.headers.get("headgate-dropped"), isSend ? "2" : null);
    assert.equal(response.headers.get("headgate-partial"), null);
  });
}

test("octet-stream is binary; text/plain and JSON are text, whatever is in them", async (t) => {
  const { bus, url } = await startAdmin(t);
  const kinds: [string, number][] = [
    ["application/octet-stream", BINARY],
    ["Application/Octet-Stream", BINARY],
    ["text/plain", TEXT],
    ['text/plain; charset="UTF-8"', TEXT],
    ["application/json;charset=utf-8", TEXT],
  ];
  for (const [type, opcode] of kinds) {
    const headers = { "content-type": type };
    const body = "not { JSON";
    const response = await fetch(`${url}${HUB}/:send`, { method: "POST", headers, body });
    assert.equal(response.status, 202);
    const command = bus.commands.at(-1) as Command & { verb: "send" };
    assert.equal(command.opcode, opcode, type);
    assert.equal(Buffer.from(command.bytes).toString(), body);
  }
  const headers = { "content-type": "application/octet-stream" };
  const body = new Uint8Array([0, 255, 128]);
  await fetch(`${url}${HUB}/:send`, { method: "POST", headers, body });
  assert.deepEqual([...(bus.commands.at(-1) as { bytes: Uint8Array }).bytes], [0, 255, 128]);
});

test("excluded repeats, and reason and headgate-push-id go along", async (t) => {
  const { bus, url } = await startAdmin(t);
  const headers = { ...text.headers, "headgate-push-id": "order-1" };
  await fetch(`${url}${HUB}/:send?excluded=a&excluded=b`, { method: "POST", ...text, headers });
  await fetch(`${url}${HUB}/groups/blue/:closeConnections?excluded=c&reason=good+bye%21`, {
    method: "POST",
  });
  await fetch(`${url}${HUB}/connections/${CONNECTION}?reason=out`, { method: "DELETE" });
  assert.deepEqual(bus.commands, [
    { ...sent, target: all, excluded: ["a", "b"], pushId: "order-1" },
    { ...closed, target: group, excluded: ["c"], reason: "good bye!" },
    { ...closed, target: connection, reason: "out" },
  ]);
});

test("names may hold any character where they are percent-encoded", async (t) => {
  const { bus, url } = await startAdmin(t);
  for (const name of ["a/b", "50%", "%2F", ":send", "ü😀", "a+b c", "..", "?#&;"]) {
    const encoded = encodeURIComponent(name).replaceAll(".", "%2E");
    await fetch(`${url}${HUB}/users/x${encoded}/:send`, { method: "POST", ...text });
    const command = bus.commands.at(-1) as { target: object };
    assert.deepEqual(command.target, { kind: "user", user: `x${name}` });
  }
});

test("headgate-partial says when a worker did not answer", async (t) => {
  const { bus, url } = await startAdmin(t);
  bus.partial = true;
  const send = await fetch(`${url}${HUB}/:send`, { method: "POST", ...text });
  assert.equal(send.headers.get("headgate-partial"), "true");
  const list = await fetch(`${url}${HUB}/groups/blue/connections`);
  assert.equal(list.headers.get("headgate-partial"), "true");
  bus.answer = { matched: 0 };
  const questions: [string, string, RequestInit][] = [
    ["HEAD", `${HUB}/users/ann`, {}],
    ["PUT", `${HUB}/users/ann/groups/blue`, {}],
    ["GET", `/@connections/${CONNECTION}`, {}],
    ["POST", `/@connections/${CONNECTION}`, text],
    ["DELETE", `/@connections/${CONNECTION}`, {}],
  ];
  for (const [method, path, init] of questions) {
    const response = await fetch(`${url}${path}`, { method, ...init });
    assert.equal(response.status, 503, `${method} ${path} cannot know that nothing is there`);
    assert.equal(response.headers.get("retry-after"), "1");
  }
});

test("sending to nobody, closing nobody and leaving nothing succeed with matched 0", async (t) => {
  const { bus, url } = await startAdmin(t);
  bus.answer = { matched: 0 };
  const quiet: [string, string, number, RequestInit][] = [
    ["POST", `${HUB}/users/ann/:send`, 202, text],
    ["DELETE", `${HUB}/connections/${CONNECTION}`, 204, {}],
    ["DELETE", `${HUB}/groups/blue/connections/${CONNECTION}`, 204, {}],
    ["DELETE", `${HUB}/users/ann/groups`, 204, {}],
  ];
  for (const [method, path, status, init] of quiet) {
    const response = await fetch(`${url}${path}`, { method, ...init });
    assert.equal(response.status, status, path);
    assert.equal(response.headers.get("headgate-matched"), "0");
  }
});

async function readPage(url: string): Promise<{ value: object[]; nextLink?: string }> {
  return (await (await fetch(url)).json()) as { value: object[]; nextLink?: string };
}

test("a group's connections are listed page by page along nextLink", async (t) => {
  const { bus, url } = await startAdmin(t);
  const connections = [
    { connectionId: CONNECTION, userId: "ann" },
    { connectionId: `${CONNECTION.slice(0, -1)}B`, userId: undefined },
  ];
  bus.answer = { connections };
  const whole = await readPage(`${url}${HUB}/groups/blue/connections`);
  assert.deepEqual(whole, JSON.parse(JSON.stringify({ value: connections })));

  const query = "maxpagesize=1&top=3&api-version=2024-12-01";
  const page = await readPage(`${url}${HUB}/groups/b%2Fe/connections?${query}`);
  assert.deepEqual(page.value, [connections[0]]);
  const { nextLink = "" } = page;
  assert.ok(nextLink.startsWith(`${url}${HUB}/groups/b%2Fe/connections?`), nextLink);
  const next = new URL(nextLink).searchParams;
  assert.equal(next.get("maxpagesize"), "1");
  assert.equal(next.get("top"), "2");
  assert.equal(next.get("api-version"), "2024-12-01");
  await fetch(nextLink);
  const command = { verb: "list", hub, group: "b/e", after: CONNECTION, limit: 2 };
  assert.deepEqual(bus.commands.at(-1), command);

  const last = await readPage(`${url}${HUB}/groups/blue/connections?top=1`);
  assert.equal(last.value.length, 1);
  assert.equal(last.nextLink, undefined, "top ends the pages though the group has more");
});

test("an Amazon call sends valid UTF-8 as text, whatever its type", async (t) => {
  const { bus, url } = await startAdmin(t);
  const post = (body: string | Uint8Array) =>
    fetch(`${url}/@connections/${CONNECTION}`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body,
    });
  await post("grüße");
  await post(new Uint8Array([0xff, 0xfe]));
  const opcodes = bus.commands.map((command) => (command as { opcode: number }).opcode);
  assert.deepEqual(opcodes, [TEXT, BINARY]);
});

test("an Amazon call describes a connection in Amazon's shape", async (t) => {
  const { bus, url } = await startAdmin(t);
  const connectedAtMs = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
  const description = { connectedAtMs, lastActiveAtMs: connectedAtMs + 1, userId: undefined };
  bus.answer = { matched: 1, description: { ...description, address: "192.0.2.1" } };
  for (const prefix of ["", "/prod"]) {
    const response = await fetch(`${url}${prefix}/@connections/${CONNECTION}`);
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), {
      connectedAt: "2026-01-02T03:04:05.006Z",
      identity: { sourceIp: "192.0.2.1", userAgent: "" },
      lastActiveAt: "2026-01-02T03:04:05.007Z",
    });
  }
  assert.deepEqual(bus.commands.at(-1), { verb: "describe", connectionId: CONNECTION });
});

test("an Amazon call to a connection that is gone answers 410 as Amazon does", async (t) => {
  const { bus, url } = await startAdmin(t);
  bus.answer = { matched: 0 };
  for (const method of ["POST", "GET", "DELETE"]) {
    const response = await fetch(`${url}/@connections/${CONNECTION}`, { method });
    assert.equal(response.status, 410);
    assert.equal(response.headers.get("x-amzn-errortype"), "GoneException");
    const body = (await response.json()) as { code: string; message: string };
    assert.equal(body.code, "GoneException");
    assert.match(body.message, /^[A-Z].*\.$/);
  }
});

test("health, readiness and status say how it is", async (t) => {
  let ready = true;
  const status = async () => ({ workers: [{ index: 0 }] });
  const { url } = await startAdmin(t, { ready: () => ready, status });
  for (const path of ["/api/health", "/healthz", "/readyz"]) {
    for (const method of ["GET", "HEAD"]) {
      const response = await fetch(`${url}${path}`, { method });
      assert.equal(response.status, 200, `${method} ${path}`);
      assert.equal(await response.text(), "");
    }
  }
  ready = false;
  assert.equal((await fetch(`${url}/readyz`)).status, 503);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  const response = await fetch(`${url}/status`);
  assert.equal(response.headers.get("content-type"), "application/json; charset=utf-8");
  assert.deepEqual(await response.json(), { workers: [{ index: 0 }] });
});

test("HEAD answers what GET does, without a body", async (t) => {
  const { url } = await startAdmin(t);
  const response = await fetch(`${url}/openapi.json`, { method: "HEAD" });
  assert.equal(response.status, 200);
  assert.ok(Number(response.headers.get("content-length")) > 1000);
  assert.equal(await response.text(), "");
});

test("the metrics are text in Prometheus' format, as the supervisor has them now", async (t) => {
  let scrapes = 0;
  const metrics = () => {
    scrapes += 1;
    return `ü_total ${scrapes}\n`;
  };
  const { url } = await startAdmin(t, { metrics });
  for (const count of [1, 2]) {
    const response = await fetch(`${url}/metrics`);
    assert.equal(response.status, 200);
    const type = response.headers.get("content-type");
    assert.equal(type, "text/plain; version=0.0.4; charset=utf-8");
    assert.equal(response.headers.get("content-length"), "11");
    assert.equal(await response.text(), `ü_total ${count}\n`);
  }
  const head = await fetch(`${url}/metrics`, { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(head.headers.get("content-length"), "11");
});

test("what is to come later is answered with 501 by name", async (t) => {
  const { bus, url } = await startAdmin(t);
  const later = routes.filter((route) => route.tag === "later");
  assert.ok(later.length >= 9);
  for (const { method, path } of later) {
    const response = await fetch(url + path.replace(/\{\w+\}/g, "x"), { method });
    assert.equal(response.status, 501, `${method} ${path}`);
    if (method === "HEAD") continue;
    const error = (await response.json()) as { code: string; message: string };
    assert.equal(error.code, "NotImplemented");
    assert.match(error.message, /\w+ is not implemented yet\.|\w+ are not implemented yet\./);
  }
  for (const parameter of ["filter=userId%20eq%20null", "messageTtlSeconds=5"]) {
    const send = await fetch(`${url}${HUB}/:send?${parameter}`, { method: "POST", ...text });
    assert.equal(send.status, 501);
    const { target } = (await send.json()) as { target: string };
    assert.equal(target, parameter.split("=")[0]);
  }
  assert.deepEqual(bus.commands, []);
});

test("a bus that is full is answered with 503 and Retry-After", async (t) => {
  const { bus, url } = await startAdmin(t);
  bus.failure = new HeadgateError("HG_BUS_FULL", "Try again.");
  const response = await fetch(`${url}${HUB}/:send`, { method: "POST", ...text });
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("retry-after"), "1");
  assert.deepEqual(await response.json(), { code: "HG_BUS_FULL", message: "Try again." });
});

test("a bug is answered with 500 and logged, and the server goes on", async (t) => {
  const logged: object[] = [];
  const log: Log = { ...silentLog, error: (fields) => logged.push(fields) };
  const { bus, url } = await startAdmin(t, { log });
  const bug = new TypeError("a secret detail");
  bus.failure = bug;
  const response = await fetch(`${url}${HUB}/:send`, { method: "POST", ...text });
  assert.equal(response.status, 500);
  assert.doesNotMatch(await response.text(), /secret/);
  assert.deepEqual(logged, [{ operationId: "sendToAll", err: bug }]);
  bus.failure = undefined;
  assert.equal((await fetch(`${url}${HUB}/:send`, { method: "POST", ...text })).status, 202);
});

test("an address in use is an error that names the setting", async (t) => {
  const { port } = await startAdmin(t);
  const options = {
    bus: new FakeBus(),
    log: silentLog,
    ready: () => true,
    status: async () => ({}),
    metrics: () => "",
  };
  const second = new AdminServer({ configuration: configurationWith({}, port), ...options });
  await assert.rejects(second.listen(), {
    code: "HG_ADMIN_ADDRESS_IN_USE",
    message: /admin\.address/,
  });
  await second.close();
});

test("close answers what is in flight, ends idle connections, takes no new ones", async (t) => {
  const { bus, server, url } = await startAdmin(t);
  await (await fetch(`${url}/healthz`)).arrayBuffer();
  let open = () => {};
  bus.gate = new Promise((resolve) => {
    open = resolve;
  });
  const inFlight = fetch(`${url}${HUB}/:send`, { method: "POST", ...text });
  while (bus.commands.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const closing = server.close();
  await assert.rejects(fetch(`${url}/healthz`));
  open();
  const response = await inFlight;
  assert.equal(response.status, 202);
  assert.equal(response.headers.get("connection"), "close");
  await closing;
});
