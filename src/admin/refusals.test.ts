/** Bad calls, each with its named error. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startAdmin } from "./fixture.test.helper.ts";

const SEND = "/api/hubs/chat/:send";
const CLOSE = "/api/hubs/chat/:closeConnections";
const LIST = "/api/hubs/chat/groups/blue/connections";
const plain = { "content-type": "text/plain" };

interface BadCall {
  what: string;
  call: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  status: number;
  code: string;
  target?: string;
}

const badCalls: BadCall[] = [
  {
    what: "an unknown hub",
    call: "POST /api/hubs/nope/:send",
    status: 404,
    code: "HubNotFound",
    target: "hub",
  },
  {
    what: "a hub named like a property",
    call: "POST /api/hubs/constructor/:send",
    status: 404,
    code: "HubNotFound",
    target: "hub",
  },
  {
    what: "an unknown path",
    call: "GET /api/hubs",
    status: 404,
    code: "PathNotFound",
    target: "path",
  },
  {
    what: "a path in other case",
    call: "GET /Status",
    status: 404,
    code: "PathNotFound",
    target: "path",
  },
  {
    what: "an unknown verb behind a colon",
    call: "POST /api/hubs/chat/:shout",
    status: 404,
    code: "PathNotFound",
    target: "path",
  },
  {
    what: "a path with broken encoding",
    call: "POST /api/hubs/chat/users/%ff/:send",
    status: 400,
    code: "InvalidPath",
    target: "path",
  },
  {
    what: "an empty name",
    call: "POST /api/hubs/chat/users//:send",
    status: 400,
    code: "InvalidName",
    target: "user",
  },
  {
    what: "a name of too many bytes",
    call: `POST /api/hubs/chat/groups/${"%C3%BC".repeat(11)}/:send`,
    status: 400,
    code: "InvalidName",
    target: "group",
  },
  {
    what: "a missing content type",
    call: `POST ${SEND}`,
    body: new Uint8Array([1]),
    status: 415,
    code: "UnsupportedMediaType",
    target: "Content-Type",
  },
  {
    what: "an unknown content type",
    call: `POST ${SEND}`,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "x",
    status: 415,
    code: "UnsupportedMediaType",
    target: "Content-Type",
  },
  {
    what: "a content type named like a property",
    call: `POST ${SEND}`,
    headers: { "content-type": "constructor" },
    body: "x",
    status: 415,
    code: "UnsupportedMediaType",
    target: "Content-Type",
  },
  {
    what: "text in another charset",
    call: `POST ${SEND}`,
    headers: { "content-type": "text/plain; charset=iso-8859-1" },
    body: "x",
    status: 415,
    code: "UnsupportedMediaType",
    target: "Content-Type",
  },
  {
    what: "a compressed body",
    call: `POST ${SEND}`,
    headers: { ...plain, "content-encoding": "gzip" },
    body: "x",
    status: 415,
    code: "UnsupportedMediaType",
    target: "Content-Encoding",
  },
  {
    what: "text that is not UTF-8",
    call: `POST ${SEND}`,
    headers: plain,
    body: new Uint8Array([0xff]),
    status: 400,
    code: "InvalidUtf8",
    target: "body",
  },
  {
    what: "JSON that is not UTF-8",
    call: `POST ${SEND}`,
    headers: { "content-type": "application/json" },
    body: new Uint8Array([0xc0, 0x80]),
    status: 400,
    code: "InvalidUtf8",
    target: "body",
  },
  {
    what: "a push that is too large",
    call: `POST ${SEND}`,
    headers: plain,
    body: "x".repeat(1001),
    status: 413,
    code: "PayloadTooLarge",
    target: "pushBytesMax",
  },
  {
    what: "another body that is too large",
    call: `POST ${CLOSE}`,
    headers: plain,
    body: "x".repeat(501),
    status: 413,
    code: "PayloadTooLarge",
    target: "adminBodyBytesMax",
  },
  {
    what: "too many excluded",
    call: `POST ${SEND}?excluded=a&excluded=b&excluded=c&excluded=d`,
    headers: plain,
    body: "x",
    status: 413,
    code: "TooManyExcluded",
    target: "excluded",
  },
  {
    what: "a push id that is too long",
    call: `POST ${SEND}`,
    headers: { ...plain, "headgate-push-id": "x".repeat(21) },
    body: "x",
    status: 400,
    code: "InvalidName",
    target: "headgate-push-id",
  },
  {
    what: "an empty push id",
    call: `POST ${SEND}`,
    headers: { ...plain, "headgate-push-id": "" },
    body: "x",
    status: 400,
    code: "InvalidName",
    target: "headgate-push-id",
  },
  {
    what: "a reason that no close frame holds",
    call: `POST ${CLOSE}?reason=${"x".repeat(124)}`,
    status: 400,
    code: "InvalidReason",
    target: "reason",
  },
  {
    what: "a reason given twice",
    call: `POST ${CLOSE}?reason=a&reason=b`,
    status: 400,
    code: "InvalidParameter",
    target: "reason",
  },
  {
    what: "a page of nothing",
    call: `GET ${LIST}?maxpagesize=0`,
    status: 400,
    code: "InvalidParameter",
    target: "maxpagesize",
  },
  {
    what: "a page over 200",
    call: `GET ${LIST}?maxpagesize=201`,
    status: 400,
    code: "InvalidParameter",
    target: "maxpagesize",
  },
  {
    what: "a top that is no number",
    call: `GET ${LIST}?top=1e2`,
    status: 400,
    code: "InvalidParameter",
    target: "top",
  },
  {
    what: "a continuation token of our own making",
    call: `GET ${LIST}?continuationToken=abc`,
    status: 400,
    code: "InvalidParameter",
    target: "continuationToken",
  },
];

for (const { what, call, headers, body, status, code, target } of badCalls) {
  test(`${what} is refused with ${status} ${code}`, async (t) => {
    const { bus, url } = await startAdmin(t);
    const [method = "", path = ""] = call.split(" ");
    const init = { method, ...(headers ? { headers } : {}), ...(body ? { body } : {}) };
    const response = await fetch(url + path, init);
    assert.equal(response.status, status);
    assert.equal(response.headers.get("content-type"), "application/json; charset=utf-8");
    assert.equal(response.headers.get("x-ms-error-code"), code);
    const error = (await response.json()) as Record<string, string>;
    assert.equal(error.code, code);
    assert.equal(error.target, target);
    assert.match(error.message ?? "", /^[A-Z0-9a-z].* .*\.$/s, "the message is a sentence");
    assert.deepEqual(bus.commands, []);
  });
}

test("the largest bodies and the longest names that are allowed pass", async (t) => {
  const { bus, url } = await startAdmin(t);
  const name = "%C3%BC".repeat(10);
  const path = `/api/hubs/chat/groups/${name}/:send?excluded=a&excluded=b&excluded=c`;
  const init = { method: "POST", headers: plain, body: "x".repeat(1000) };
  assert.equal((await fetch(url + path, init)).status, 202);
  const reason = "x".repeat(123);
  const close = await fetch(`${url}${CLOSE}?reason=${reason}`, { method: "POST" });
  assert.equal(close.status, 204);
  assert.equal(bus.commands.length, 2);
});

test("the limits of the library below never cut in before the gateway's own", async (t) => {
  const { bus, url } = await startAdmin(t, { limits: { nameBytesMax: 255, adminBatchMax: 1000 } });
  const excluded = Array.from({ length: 1000 }, (_, index) => `AAAAAAAAAAA.${10_000 + index}AAAAA`);
  const query = excluded.map((id) => `excluded=${id}`).join("&");
  const path = `/api/hubs/chat/groups/${"%C3%BC".repeat(127)}x/:closeConnections?${query}`;
  const response = await fetch(url + path, { method: "POST" });
  assert.equal(response.status, 204);
  assert.deepEqual((bus.commands[0] as { excluded: string[] }).excluded, excluded);
});

test("a known path with another method is 405 with Allow", async (t) => {
  const { url } = await startAdmin(t);
  const expected: [string, string, string][] = [
    ["GET", SEND, "POST"],
    ["GET", "/api/hubs/chat/connections/x", "DELETE, HEAD"],
    ["POST", "/status", "GET, HEAD"],
    ["PATCH", "/@connections/x", "DELETE, GET, HEAD, POST"],
    ["OPTIONS", "/api/hubs/chat/groups/g/connections/x", "DELETE, PUT"],
  ];
  for (const [method, path, allow] of expected) {
    const response = await fetch(url + path, { method });
    assert.equal(response.status, 405, `${method} ${path}`);
    assert.equal(response.headers.get("allow"), allow);
    await response.arrayBuffer();
  }
});

test("questions about what is not there are 404, and HEAD says it without a body", async (t) => {
  const { bus, url } = await startAdmin(t);
  bus.answer = { matched: 0 };
  for (const path of ["connections/x", "users/x", "groups/x"]) {
    const response = await fetch(`${url}/api/hubs/chat/${path}`, { method: "HEAD" });
    assert.equal(response.status, 404);
    assert.equal(await response.text(), "");
  }
  const joins: [string, string][] = [
    ["groups/g/connections/x", "ConnectionNotFound"],
    ["users/u/groups/g", "UserNotFound"],
  ];
  for (const [path, code] of joins) {
    const response = await fetch(`${url}/api/hubs/chat/${path}`, { method: "PUT" });
    assert.equal(response.status, 404);
    assert.equal(((await response.json()) as { code: string }).code, code);
  }
});

test("a join past the limit is 409 and names the setting", async (t) => {
  const { bus, url } = await startAdmin(t);
  bus.answer = { matched: 3, refused: { code: "GroupsPerConnectionMax", count: 2 } };
  const response = await fetch(`${url}/api/hubs/chat/users/u/groups/g`, { method: "PUT" });
  assert.equal(response.status, 409);
  const error = (await response.json()) as Record<string, string>;
  assert.equal(error.code, "GroupsPerConnectionMax");
  assert.equal(error.target, "groupsPerConnectionMax");
  assert.match(error.message ?? "", /^2 of 3 connections .*\(128\)/);
});

test("Amazon's paths answer every error in Amazon's shape", async (t) => {
  const { url } = await startAdmin(t, { keys: ["secret"] });
  const authorization = "Bearer secret";
  const big = { method: "POST", headers: { authorization }, body: "x".repeat(1001) };
  const expected: [RequestInit, number, string][] = [
    [{}, 401, "UnauthorizedException"],
    [{ method: "PUT", headers: { authorization } }, 405, "MethodNotAllowedException"],
    [big, 413, "PayloadTooLargeException"],
  ];
  for (const [init, status, type] of expected) {
    const response = await fetch(`${url}/prod/@connections/x`, init);
    assert.equal(response.status, status);
    assert.equal(response.headers.get("x-amzn-errortype"), type);
    const body = (await response.json()) as object;
    assert.deepEqual(Object.keys(body).slice(0, 2), ["code", "message"]);
  }
});
