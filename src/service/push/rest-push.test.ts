/** Pushes over REST against a server that keeps what it is asked, and answers as it is told. */
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { test } from "node:test";
import { serve } from "../carriers.test.helper.ts";
import { createService } from "../service.ts";
import { RestPush } from "./rest-push.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface Asked {
  line: string;
  headers: IncomingMessage["headers"];
  body: Buffer;
  port: number | undefined;
}

async function set(answer: Answer, prefix = "/") {
  const asked: Asked[] = [];
  const url = await serve(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { headers, method, socket, url: path } = request;
    const body = Buffer.concat(chunks);
    asked.push({ line: `${method} ${path}`, headers, body, port: socket.remotePort });
    answer(request, response);
  });
  const base = new URL(prefix, url).href;
  const { push } = createService({ hub: "chat", push: { url: base, key: "secret" } });
  return { push, asked, base };
}

const counts: Answer = (_request, response) => {
  response.writeHead(202, { "headgate-matched": "3", "headgate-dropped": "1" }).end();
};

test("each call is the request that docs/rest-api.md has for it, with the key", async () => {
  const { asked, push } = await set(counts);
  await push.toConnection("A.x", "1");
  await push.toUser("Zoë/..", "2", { kind: "binary" });
  await push.toGroup("..", Buffer.from([255]), { excluded: ["a b", "c"], pushId: "p" });
  await push.toAll("4");
  await push.closeConnection("A.x", { reason: "so & so" });
  await push.closeUser("ann");
  await push.closeGroup("g", { excluded: ["a"], reason: "r" });
  await push.closeAll();
  await push.join({ connection: "A.x" }, "a/b");
  await push.join({ user: "ann" }, "g");
  await push.leave({ connection: "A.x" }, "g");
  await push.leave({ user: "ann" }, "g");
  await push.leaveAll({ connection: "A.x" });
  await push.leaveAll({ user: "ann" });
  await push.exists({ group: "g" });
  const hub = "/api/hubs/chat";
  assert.deepEqual(
    asked.map(({ line }) => line),
    [
      ...[`POST ${hub}/connections/A.x/:send`, `POST ${hub}/users/Zo%C3%AB%2F../:send`],
      ...[`POST ${hub}/groups/../:send?excluded=a+b&excluded=c`, `POST ${hub}/:send`],
      `DELETE ${hub}/connections/A.x?reason=so+%26+so`,
      `POST ${hub}/users/ann/:closeConnections`,
      `POST ${hub}/groups/g/:closeConnections?excluded=a&reason=r`,
      `POST ${hub}/:closeConnections`,
      ...[`PUT ${hub}/groups/a%2Fb/connections/A.x`, `PUT ${hub}/users/ann/groups/g`],
      ...[`DELETE ${hub}/groups/g/connections/A.x`, `DELETE ${hub}/users/ann/groups/g`],
      ...[`DELETE ${hub}/connections/A.x/groups`, `DELETE ${hub}/users/ann/groups`],
      `HEAD ${hub}/groups/g`,
    ],
  );
  const [text, binary, group] = asked as [Asked, Asked, Asked];
  assert.equal(text.headers["content-type"], "text/plain");
  assert.equal(binary.headers["content-type"], "application/octet-stream");
  assert.equal(group.headers["headgate-push-id"], "p");
  assert.deepEqual([...group.body], [255]);
  assert.ok(asked.every(({ headers }) => headers.authorization === "Bearer secret"));
  assert.equal(new Set(asked.map(({ port }) => port)).size, 1, "one connection was kept");
});

test("an answer's counts are the result, and nobody there is a count of 0", async () => {
  let status = 202;
  const { push } = await set((_request, response) => {
    const counted = {
      "headgate-matched": "3",
      "headgate-dropped": "1",
      "headgate-partial": "true",
    };
    const fault = { "x-ms-error-code": "UserNotFound" };
    response.writeHead(status, status === 404 ? fault : counted).end();
  });
  assert.deepEqual(await push.toAll("a"), { matched: 3, dropped: 1, partial: true });
  status = 404;
  const nobody = { matched: 0, dropped: 0, partial: false };
  assert.deepEqual(await push.join({ user: "ann" }, "g"), nobody);
  assert.equal(await push.exists({ user: "ann" }), false);
});

test("a refusal has the gateway's own words", async () => {
  let status = 409;
  const { push } = await set((_request, response) => {
    const code = status === 404 ? "HubNotFound" : "GroupsPerConnectionMax";
    response.writeHead(status, { "x-ms-error-code": code }).end(`{"code":"${code}"}`);
  });
  const message = /409 GroupsPerConnectionMax to a join\. \{"code"/;
  await assert.rejects(push.join({ user: "ann" }, "g"), { code: "HG_PUSH_REFUSED", message });
  status = 404;
  await assert.rejects(push.toAll("a"), { code: "HG_PUSH_REFUSED", message: /HubNotFound/ });
  status = 503;
  await assert.rejects(push.toAll("a"), { code: "HG_PUSH_UNANSWERED" });
});

test("a gateway that is not there, breaks off, or says nothing is no answer", async () => {
  const unanswered = { code: "HG_PUSH_UNANSWERED", message: /no answer from http/ };
  const closed = createService({ hub: "chat", push: { url: "http://127.0.0.1:1" } });
  await assert.rejects(closed.push.toAll("a"), unanswered);
  const { base, push } = await set((request) => void request.socket.destroy());
  await assert.rejects(push.toAll("a"), unanswered);
  const silent = await set(() => {});
  const limits = { hub: "chat", callTimeoutMs: 30, callsMax: 1 };
  const carrier = new RestPush({ url: silent.base, ...limits });
  const empty = { argument: "", pushId: "", excluded: [], payload: undefined };
  const call = { verb: "exists", target: "user", name: "ann", ...empty } as const;
  const first = carrier.call(call);
  await assert.rejects(carrier.call(call), { code: "HG_PUSH_BUSY" });
  await assert.rejects(first, unanswered);
  carrier.close();
  assert.ok(base.startsWith("http://127.0.0.1:"));
});

test("an address with a path keeps it", async () => {
  const { asked, push } = await set(counts, "/gateway/");
  await push.toAll("a");
  assert.equal(asked[0]?.line, "POST /gateway/api/hubs/chat/:send");
});

test("what cannot be pushed says why, and nothing is asked", async () => {
  const { asked, push } = await set(counts);
  const invalid = { code: "HG_PUSH_INVALID" };
  for (const pushId of ["a\nb", "\u{1f600}"])
    await assert.rejects(push.toAll("a", { pushId }), invalid);
  const nobody = undefined as unknown as string;
  await assert.rejects(push.toUser(nobody, "a"), invalid);
  await assert.rejects(push.join({ usr: "ann" } as never, "lobby"), invalid);
  await assert.rejects(push.leave({ user: "ann" }, nobody), invalid);
  await assert.rejects(push.toAll("a", { excluded: [nobody] }), invalid);
  assert.equal(asked.length, 0);
});
