import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { judgeConnect } from "../cloudevents/connect.ts";
import type { ConnectAnswer, ConnectRequest } from "../upstream.ts";
import type { Bench } from "./fixtures.test.helper.ts";
import { startBench } from "./fixtures.test.helper.ts";

const request: ConnectRequest = {
  connectionId: "nonce.place",
  path: "/chat/blue",
  params: { room: "blue" },
  query: { token: ["a", "b"] },
  headers: { cookie: ["x=1"], traceparent: ["00-ab-cd-01"], tracestate: ["v=1", "w=2"] },
  subprotocols: ["json", "xml"],
  address: "192.0.2.1",
};

let bench: Bench;
beforeEach(async () => {
  bench = await startBench({ signingKeys: ["key-one", "key-two"] });
});

function answering(status: number, headers: Record<string, string>, body: string | Buffer) {
  bench.service.respond = (_request, response) => {
    response.writeHead(status, headers).end(body);
  };
}

function json(value: unknown): void {
  answering(200, { "content-type": "application/json" }, JSON.stringify(value));
}

function ask(timeoutMs = 5000): Promise<ConnectAnswer> {
  return bench.upstream.connect(request, timeoutMs);
}

function statusOf(answer: ConnectAnswer): number {
  return answer.accepted ? 101 : answer.status;
}

const anonymous = {
  accepted: true,
  userId: undefined,
  groups: [],
  subprotocol: undefined,
  connectionState: undefined,
};

test("a connect event carries the handshake as the contract has it", async () => {
  answering(204, {}, "");
  assert.deepEqual(await ask(), anonymous);
  const [received] = bench.service.requests;
  assert.ok(received);
  assert.equal(received.method, "POST");
  assert.equal(received.url, "/events?code=secret");
  assert.deepEqual(JSON.parse(received.text), {
    claims: {},
    query: { token: ["a", "b"] },
    headers: request.headers,
    subprotocols: ["json", "xml"],
    clientCertificates: [],
    path: "/chat/blue",
    params: { room: "blue" },
    address: "192.0.2.1",
  });
  const { headers } = received;
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["ce-type"], "headgate.sys.connect");
  assert.equal(headers["ce-eventname"], "connect");
  assert.equal(headers["ce-connectionid"], "nonce.place");
  assert.equal(headers["ce-source"], "/hubs/chat/client/nonce.place");
  assert.equal(headers["webhook-request-origin"], "gateway.example");
  assert.equal(headers["ce-userid"], undefined);
  assert.equal(headers["ce-messagenumber"], undefined);
  assert.equal(headers.traceparent, "00-ab-cd-01");
  assert.equal(headers.tracestate, "v=1,w=2");
  assert.match(String(headers["ce-signature"]), /^sha256=[0-9a-f]{64},sha256=[0-9a-f]{64}$/);
});

test("200 with an empty body lets the client in without a name", async () => {
  answering(200, { "content-type": "application/json" }, "");
  assert.deepEqual(await ask(), anonymous);
});

test("an answer in JSON names the user, its groups and the subprotocol", async () => {
  answering(
    200,
    { "ce-connectionstate": "a%20b" },
    JSON.stringify({ userId: "anna", groups: ["a", "b", "a"], roles: ["r"], subprotocol: "xml" }),
  );
  assert.deepEqual(await ask(), {
    accepted: true,
    userId: "anna",
    groups: ["a", "b"],
    subprotocol: "xml",
    connectionState: "a b",
  });
});

test("empty strings, empty arrays and nulls are as good as absent", async () => {
  json({ userId: "", groups: [], roles: [], subprotocol: "" });
  assert.deepEqual(await ask(), anonymous);
  json({ userId: null, groups: null, roles: null, subprotocol: null });
  assert.deepEqual(await ask(), anonymous);
});

for (const status of [400, 401, 403, 408, 429, 499]) {
  test(`${status} is the client's answer, with its type and body`, async () => {
    answering(status, { "content-type": "application/problem+json" }, '{"title":"no"}');
    assert.deepEqual(await ask(), {
      accepted: false,
      status,
      contentType: "application/problem+json",
      body: Buffer.from('{"title":"no"}'),
    });
    assert.equal(bench.service.requests.length, 1);
  });
}

for (const status of [302, 500, 501, 502, 503, 504]) {
  test(`${status} gives the client 503, is asked once, and its body stays here`, async () => {
    answering(status, { location: "/elsewhere" }, "stack trace of the service");
    const answer = await ask();
    assert.equal(statusOf(answer), 503);
    assert.ok(!answer.accepted && !Buffer.from(answer.body).includes("stack trace"));
    assert.equal(bench.service.requests.length, 1);
  });
}

test("a service that hangs or breaks off gives 503, within the client's time", async () => {
  bench.service.respond = () => {};
  assert.equal(statusOf(await ask(20)), 503);
  bench.service.respond = (_request, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("{");
    response.destroy();
  };
  assert.equal(statusOf(await ask()), 503);
});

const rules = {
  subprotocols: ["json", "xml"],
  nameBytesMax: 32,
  groupsPerConnectionMax: 4,
  connectionStateBytesMax: 64,
};

function judge(body: string | Buffer, headers = {}, tooBig = false): string | undefined {
  const bytes = Buffer.from(body);
  const outcome = { kind: "answer", status: 200, headers, body: bytes, tooBig } as const;
  const { answer, fault } = judgeConnect(outcome, rules);
  assert.equal(statusOf(answer), fault === undefined ? 101 : 503);
  return fault;
}

const faults: [string, unknown, string][] = [
  ["a userId that is a number", { userId: 5 }, "userId is a number, and must be a string"],
  [
    "a userId that is too long",
    { userId: "\u00fc".repeat(17) },
    "userId has 34 bytes, and nameBytesMax is 32",
  ],
  [
    "groups that are a string",
    { groups: "a" },
    "groups is a string, and must be an array of strings",
  ],
  ["a group that is null", { groups: ["a", null] }, "groups[1] is null, and must be a string"],
  ["a group without a name", { groups: [""] }, "groups[0] is empty"],
  ["too many groups", { groups: [..."abcde"] }, "groups holds 5, and groupsPerConnectionMax is 4"],
  [
    "roles that are an object",
    { roles: {} },
    "roles is an object, and must be an array of strings",
  ],
  [
    "a subprotocol that was not offered",
    { subprotocol: "csv" },
    'subprotocol is "csv", and the client offered json, xml',
  ],
  ["an array", [], "its answer is an array, and must be a JSON object"],
  ["a string", "yes", "its answer is a string, and must be a JSON object"],
  ["null", null, "its answer is null, and must be a JSON object"],
  [
    "several faults",
    { userId: [], groups: [1] },
    "userId is an array, and must be a string; groups[0] is a number, and must be a string",
  ],
];

for (const [name, value, fault] of faults) {
  test(`an answer of ${name} gives 503 and says where it is wrong`, () => {
    assert.equal(judge(JSON.stringify(value)), fault);
  });
}

test("of very many faults the first are told, and how many others there are", () => {
  const fault = judge(JSON.stringify({ groups: new Array(100_000).fill(1) })) ?? "";
  assert.match(fault, /^groups\[0\] is a number.*; groups\[7\].*; and 99992 more$/);
});

test("of fields that mean nothing the first are told, each as far as it may be a name", () => {
  const fields = Array.from({ length: 9 }, (_, index) => [`${index}`.repeat(1000), 1]);
  const headers = {};
  const body = Buffer.from(JSON.stringify(Object.fromEntries(fields)));
  const outcome = { kind: "answer", status: 200, headers, body, tooBig: false } as const;
  const { unknownKeys } = judgeConnect(outcome, rules);
  assert.deepEqual(
    unknownKeys,
    [..."01234567"].map((digit) => digit.repeat(64)),
  );
});

test("names and groups at their limits are taken", () => {
  const value = { userId: "x".repeat(32), groups: [..."abcd"], subprotocol: "json" };
  assert.equal(judge(JSON.stringify(value), { "ce-connectionstate": "x".repeat(64) }), undefined);
});

test("an answer that is not JSON, not UTF-8, too big, or with too big a state gives 503", () => {
  assert.match(judge("ok") ?? "", /^its answer is not JSON: /);
  assert.equal(judge(Buffer.from([0x7b, 0xff])), "its answer is not UTF-8");
  assert.equal(judge("", {}, true), "its answer is bigger than serviceResponseBytesMax");
  const state = { "ce-connectionstate": "x".repeat(65) };
  const fault = "ce-connectionstate has 65 bytes, and connectionStateBytesMax is 64";
  assert.equal(judge("", state), fault);
});

test("an answer that cannot be used is an error in the log that says whose", async () => {
  json({ userId: 5 });
  assert.equal(statusOf(await ask()), 503);
  const line = bench.log.lines.find(({ level }) => level === "error");
  assert.deepEqual(line?.fields, {
    hub: "chat",
    service: `http://127.0.0.1:${bench.service.port}/events`,
    connectionId: "nonce.place",
    cause: "userId is a number, and must be a string",
    count: 1,
  });
});

test("a refusal with too big a body keeps its status and loses the body", async () => {
  answering(403, { "content-type": "text/html" }, "x".repeat(1_048_577));
  assert.deepEqual(await ask(), {
    accepted: false,
    status: 403,
    contentType: undefined,
    body: Buffer.alloc(0),
  });
});

test("of two content types of a refusal the first counts", async () => {
  bench.service.respond = (_request, response) => {
    response.writeHead(403, ["Content-Type", "text/plain", "Content-Type", "text/html"]).end("no");
  };
  const body = Buffer.from("no");
  assert.deepEqual(await ask(), { accepted: false, status: 403, contentType: "text/plain", body });
});

test("a field that means nothing is named in a warning and harms nobody", async () => {
  json({ userID: "anna" });
  assert.deepEqual(await ask(), anonymous);
  assert.ok(bench.log.has("warn", "userID"));
});

test("the log never holds the query of the service's URL", async () => {
  for (const value of [{ userId: 5 }, { userID: "anna" }]) {
    json(value);
    await ask();
  }
  answering(500, {}, "");
  await ask();
  assert.ok(bench.log.lines.length >= 3);
  assert.ok(!JSON.stringify(bench.log.lines).includes("secret"));
});

test("half a surrogate pair in a name is what UTF-8 makes of it, and pushes find it", async () => {
  json({ userId: "ann\ud83d", groups: ["\ud83d", "\ud83e"] });
  assert.deepEqual(await ask(), { ...anonymous, userId: "ann\ufffd", groups: ["\ufffd"] });
});
