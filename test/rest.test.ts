/**
 * Every call of the REST API that sends, closes or asks, against a gateway of two workers: what
 * it answers, and what real clients see of it. Groups are rest-groups.test.ts'.
 */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { RawClient } from "./support/raw-client.ts";
import { type Member, RestStage } from "./support/rest-stage.ts";

let stage: RestStage;

/** Hubs that are one test's alone, for what concerns a whole hub. */
const HUBS = ["chat", "hall", "closing", "amazon", "slow"];

before(async () => {
  stage = await RestStage.set(
    HUBS,
    "{ writeQueueSoftBytes: 65536 }",
    ", slowConsumer: drop-newest",
  );
});

function api(method: string, path: string, body?: string | Uint8Array, type?: string) {
  const headers: Record<string, string> = type === undefined ? {} : { "content-type": type };
  return stage.gateway.api(method, path, body as string | undefined, headers);
}

/** Sends, and returns what the answer counts. */
async function push(path: string, body: string, headers: Record<string, string> = {}) {
  const answer = await stage.gateway.api("POST", path, body, headers);
  assert.equal(answer.status, 202);
  assert.equal(await answer.text(), "");
  assert.equal(answer.headers.get("headgate-partial"), null);
  const { matched, dropped } = counts(answer);
  return { matched, dropped };
}

function counts(answer: Response): { matched: number; dropped: number } {
  const count = (name: string) => Number(answer.headers.get(name) ?? Number.NaN);
  return { matched: count("headgate-matched"), dropped: count("headgate-dropped") };
}

function excluding(...members: Member[]): string {
  return members.map(({ connectionId }) => `excluded=${connectionId}`).join("&");
}

describe("a push by REST", () => {
  test("to everybody reaches the whole hub on both workers, and nobody else", async () => {
    const inside = await stage.openOnBoth(6, "hall", "any");
    const outside = await stage.open("chat", "any");
    const answer = await push("/api/hubs/hall/:send", "to all");
    assert.deepEqual(answer, { matched: inside.length, dropped: 0 });
    for (const messages of await stage.received(inside)) assert.deepEqual(messages, ["to all"]);
    assert.deepEqual(await stage.received([outside]), [[]]);
    const [first, second] = inside as [Member, Member];
    const query = excluding(first, second, outside);
    const rest = await push(`/api/hubs/hall/:send?${query}`, "to most");
    assert.deepEqual(rest, { matched: inside.length - 2, dropped: 0 });
    const [none, neither, ...others] = await stage.received(inside);
    assert.deepEqual([none, neither], [[], []]);
    for (const messages of others) assert.deepEqual(messages, ["to most"]);
    await stage.leave([...inside, outside]);
  });

  test("to a user reaches all of the user's connections, less the excluded", async () => {
    const mine = await stage.openOnBoth(4, "chat", "room", { user: "ann ü/1" });
    const other = await stage.open("chat", "room", { user: "ann" });
    const path = `/api/hubs/chat/users/${encodeURIComponent("ann ü/1")}/:send`;
    assert.deepEqual(await push(path, "1"), { matched: mine.length, dropped: 0 });
    const [left] = mine as [Member];
    const rest = await push(`${path}?${excluding(left)}`, "2");
    assert.deepEqual(rest, { matched: mine.length - 1, dropped: 0 });
    const [once, ...twice] = await stage.received(mine);
    assert.deepEqual(once, ["1"]);
    for (const messages of twice) assert.deepEqual(messages, ["1", "2"]);
    assert.deepEqual(await stage.received([other]), [[]]);
    await stage.leave([...mine, other]);
  });

  test("to a group reaches its connections on both workers, less the excluded", async () => {
    const inside = await stage.openOnBoth(4, "chat", "lobby");
    const outside = await stage.open("chat", "yard");
    assert.deepEqual(await push("/api/hubs/chat/groups/lobby/:send", "1"), {
      matched: inside.length,
      dropped: 0,
    });
    const [left] = inside as [Member];
    await push(`/api/hubs/chat/groups/lobby/:send?${excluding(left, outside)}`, "2");
    const [once, ...twice] = await stage.received(inside);
    assert.deepEqual(once, ["1"]);
    for (const messages of twice) assert.deepEqual(messages, ["1", "2"]);
    assert.deepEqual(await stage.received([outside]), [[]]);
    await stage.leave([...inside, outside]);
  });

  test("to a connection reaches it on either worker, and only in its hub", async () => {
    const members = await stage.openOnBoth(3, "chat", "room");
    for (const { connectionId } of members) {
      const path = (hub: string) => `/api/hubs/${hub}/connections/${connectionId}/:send`;
      assert.deepEqual(await push(path("chat"), connectionId), { matched: 1, dropped: 0 });
      assert.deepEqual(await push(path("hall"), "wrong hub"), { matched: 0, dropped: 0 });
    }
    const received = await stage.received(members);
    assert.deepEqual(
      received,
      members.map(({ connectionId }) => [connectionId]),
    );
    await stage.leave(members);
    const gone = await push(`/api/hubs/chat/connections/${members[0]?.connectionId}/:send`, "x");
    assert.deepEqual(gone, { matched: 0, dropped: 0 });
  });

  test("is a text or a binary frame by its Content-Type, bytes untouched", async () => {
    const member = await stage.open("chat", "frames");
    const path = `/api/hubs/chat/connections/${member.connectionId}/:send`;
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    assert.equal((await api("POST", path, '{"a": 1}', "application/json")).status, 202);
    assert.equal((await api("POST", path, bytes, "application/octet-stream")).status, 202);
    assert.equal((await api("POST", path, "ü", "text/plain; charset=utf-8")).status, 202);
    assert.equal((await api("POST", path, "", "text/plain")).status, 202);
    assert.deepEqual(await stage.received([member]), [['{"a": 1}', Buffer.from(bytes), "ü", ""]]);
    await stage.leave([member]);
  });

  test("repeated with its headgate-push-id reaches only those it had not", async () => {
    const early = await stage.openOnBoth(3, "chat", "twice");
    const path = "/api/hubs/chat/groups/twice/:send";
    const order = { "headgate-push-id": "order-1001" };
    const count = early.length;
    assert.deepEqual(await push(path, "once", order), { matched: count, dropped: 0 });
    const late = await stage.open("chat", "twice");
    assert.deepEqual(await push(path, "once", order), { matched: count + 1, dropped: 0 });
    await push(path, "another", { "headgate-push-id": "order-1002" });
    await push(path, "without");
    await push(path, "without");
    const received = await stage.received([...early, late]);
    for (const messages of received) {
      assert.deepEqual(messages, ["once", "another", "without", "without"]);
    }
    await stage.leave([...early, late]);
  });

  test("to who does not read is dropped as the hub says, and counted exactly", async () => {
    const healthy = await stage.open("slow", "readers");
    const stalled = await RawClient.open(stage.gateway.port, "/slow/readers?ticket=raw");
    stalled.socket.pause();
    const payload = "x".repeat(512 * 1024);
    const sent: boolean[] = [];
    const drops = () => sent.filter((arrived) => !arrived).length;
    for (let number = 0; drops() < 3; number += 1) {
      assert.ok(number < 100, "the kernel takes it all");
      const answer = await push("/api/hubs/slow/groups/readers/:send", `${number}:${payload}`);
      assert.equal(answer.matched, 2);
      sent.push(answer.dropped === 0);
    }
    stalled.socket.resume();
    const arrived = sent.flatMap((wasSent, number) => (wasSent ? [number] : []));
    await stalled.until(() => stalled.frames.length >= arrived.length, "what was not dropped");
    await healthy.client.received(sent.length);
    await push("/api/hubs/slow/groups/readers/:send", "last:");
    await stalled.until(() => stalled.frames.length > arrived.length, "the last");
    const numbers = stalled.frames.map(({ payload: bytes }) => String(bytes).split(":")[0]);
    assert.deepEqual(numbers, [...arrived.map(String), "last"]);
    assert.equal(healthy.client.closed, undefined);
    stalled.destroy();
    await stage.leave([healthy]);
  });
});

describe("closing by REST", () => {
  test("one connection tells the client the reason, and the service", async () => {
    const [member, other] = await stage.openOnBoth(2, "chat", "close-one");
    assert.ok(member !== undefined && other !== undefined);
    const path = `/api/hubs/chat/connections/${member.connectionId}`;
    const answer = await api("DELETE", `${path}?reason=signed%20out`);
    assert.equal(answer.status, 204);
    assert.equal(answer.headers.get("headgate-matched"), "1");
    assert.deepEqual(await member.client.untilClosed(), {
      code: 1000,
      reason: "signed out accepted=0",
    });
    const event = await stage.service.event(
      ({ name, connectionId }) => name === "disconnected" && connectionId === member.connectionId,
    );
    assert.deepEqual(JSON.parse(event.text), { reason: "closed-by-service", code: 1000 });
    const again = await api("DELETE", path);
    assert.equal(again.status, 204);
    assert.equal(again.headers.get("headgate-matched"), "0");
    assert.equal(other.client.closed, undefined);
  });

  test("a user, a group and a hub closes those who match and are not excluded", async () => {
    const all = await stage.openOnBoth(4, "closing", "group", { user: "bob" });
    const [left, ...others] = all as [Member, ...Member[]];
    const stranger = await stage.open("closing", "other", { user: "eve" });
    const close = async (path: string, ...kept: Member[]) => {
      const where = `/api/hubs/closing${path}/:closeConnections`;
      const answer = await api("POST", `${where}?${excluding(...kept)}&reason=over`);
      assert.equal(answer.status, 204);
      return counts(answer).matched;
    };
    assert.equal(await close("/users/bob", left), others.length);
    for (const { client } of others) {
      assert.deepEqual(await client.untilClosed(), { code: 1000, reason: "over accepted=0" });
    }
    const more = await stage.openOnBoth(3, "closing", "group", { user: "cid" });
    assert.equal(await close("/groups/group", left), more.length);
    for (const { client } of more) assert.equal((await client.untilClosed()).code, 1000);
    assert.equal(left.client.closed, undefined);
    assert.equal(await close("", left), 1);
    assert.equal((await stranger.client.untilClosed()).reason, "over accepted=0");
    assert.deepEqual(await stage.received([left]), [[]]);
    assert.equal(await close(""), 1);
    assert.equal((await left.client.untilClosed()).code, 1000);
  });
});

describe("a question by REST", () => {
  test("is 200 while there is a connection and 404 without a body when there is none", async () => {
    const member = await stage.open("chat", "asked", { user: "dot" });
    const paths = [`connections/${member.connectionId}`, "users/dot", "groups/asked"];
    for (const path of paths) {
      const answer = await api("HEAD", `/api/hubs/chat/${path}`);
      assert.equal(answer.status, 200, path);
      assert.equal((await api("HEAD", `/api/hubs/hall/${path}`)).status, 404, "in another hub");
    }
    await stage.leave([member]);
    for (const path of paths) {
      const answer = await api("HEAD", `/api/hubs/chat/${path}`);
      assert.equal(answer.status, 404, path);
      assert.equal(await answer.text(), "");
    }
  });

  test("about the gateway's health needs nothing", async () => {
    for (const [method, path] of [
      ["HEAD", "/api/health"],
      ["GET", "/healthz"],
      ["GET", "/readyz"],
    ] as const) {
      assert.equal((await api(method, path)).status, 200, path);
    }
  });
});

describe("Amazon's @connections", () => {
  for (const prefix of ["/@connections", "/prod/@connections", "/%40connections"]) {
    test(`${prefix}/{id} posts, describes, closes, and says when it is gone`, async () => {
      const member = await stage.open("amazon", "room", { user: "fay" });
      const path = `${prefix}/${member.connectionId}`;
      const binary = Uint8Array.of(0xff, 0xfe);
      for (const body of ["text ü", binary]) {
        assert.equal((await api("POST", path, body, "application/octet-stream")).status, 200);
      }
      assert.deepEqual(await stage.received([member]), [["text ü", Buffer.from(binary)]]);
      const answer = await api("GET", path);
      assert.equal(answer.status, 200);
      const described = (await answer.json()) as Record<string, unknown>;
      assert.deepEqual(Object.keys(described), ["connectedAt", "identity", "lastActiveAt"]);
      assert.deepEqual(described.identity, { sourceIp: "127.0.0.1", userAgent: "" });
      for (const time of [described.connectedAt, described.lastActiveAt]) {
        assert.ok(Math.abs(Date.parse(String(time)) - Date.now()) < 60_000, String(time));
      }
      assert.equal((await api("DELETE", path)).status, 204);
      assert.equal((await member.client.untilClosed()).code, 1000);
      for (const method of ["POST", "GET", "DELETE"]) {
        const gone = await api(method, path, method === "POST" ? "x" : undefined);
        assert.equal(gone.status, 410, method);
        assert.equal(gone.headers.get("x-amzn-errortype"), "GoneException");
        assert.deepEqual(Object.keys((await gone.json()) as object), ["code", "message", "target"]);
      }
    });
  }
});
