/**
 * Membership by REST over two workers, the list of a group's members, and what every wrong call
 * is answered with.
 */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { type Member, RestStage } from "./support/rest-stage.ts";

const GROUPS_MAX = 4;

let stage: RestStage;

before(async () => {
  stage = await RestStage.set(["chat", "other"], `{ groupsPerConnectionMax: ${GROUPS_MAX} }`);
});

async function call(method: string, path: string): Promise<{ status: number; matched: number }> {
  const answer = await stage.gateway.api(method, `/api/hubs/chat${path}`);
  return { status: answer.status, matched: Number(answer.headers.get("headgate-matched")) };
}

/** Which of the members a push to the group reaches. */
async function reach(group: string, members: Member[]): Promise<boolean[]> {
  const path = `/api/hubs/chat/groups/${encodeURIComponent(group)}/:send`;
  const answer = await stage.gateway.api("POST", path, "for the group");
  const reached = (await stage.received(members)).map((messages) => messages.length === 1);
  const count = reached.filter((wasReached) => wasReached).length;
  assert.equal(answer.headers.get("headgate-matched"), String(count));
  return reached;
}

describe("membership by REST", () => {
  test("of a connection begins with PUT and ends with DELETE, on either worker", async () => {
    const members = await stage.openOnBoth(3, "chat", "one");
    const group = "eu/blue ü";
    for (const [index, { connectionId }] of members.entries()) {
      const path = `/groups/${encodeURIComponent(group)}/connections/${connectionId}`;
      const only = members.map((_, other) => other === index);
      assert.deepEqual(
        await reach(group, members),
        members.map(() => false),
      );
      assert.deepEqual(await call("PUT", path), { status: 200, matched: 1 });
      assert.deepEqual(await call("PUT", path), { status: 200, matched: 1 });
      assert.deepEqual(await reach(group, members), only);
      assert.deepEqual(await call("DELETE", path), { status: 204, matched: 1 });
      assert.deepEqual(await call("DELETE", path), { status: 204, matched: 1 });
    }
    await stage.leave(members);
  });

  test("of a user is that of all the user's connections, on both workers", async () => {
    const mine = await stage.openOnBoth(4, "chat", "two", { user: "ann" });
    const other = await stage.open("chat", "two", { user: "bob" });
    const all = [...mine, other];
    const mineOnly = all.map((member) => member !== other);
    const nobody = all.map(() => false);
    const matched = mine.length;
    assert.deepEqual(await call("PUT", "/users/ann/groups/red"), { status: 200, matched });
    assert.deepEqual(await call("PUT", "/users/ann/groups/green"), { status: 200, matched });
    assert.deepEqual(await reach("red", all), mineOnly);
    assert.deepEqual(await call("DELETE", "/users/ann/groups/red"), { status: 204, matched });
    assert.deepEqual(await reach("red", all), nobody);
    assert.deepEqual(await reach("green", all), mineOnly);
    assert.deepEqual(await call("DELETE", "/users/ann/groups"), { status: 204, matched });
    assert.deepEqual(await reach("green", all), nobody);
    assert.deepEqual(
      await reach("two", all),
      all.map((member) => member === other),
    );
    await stage.leave(all);
  });

  test("of all groups of a connection ends at once", async () => {
    const members = await stage.openOnBoth(2, "chat", "three", { group: "four" });
    const [{ connectionId }] = members as [Member];
    const left = members.map((_, index) => index > 0);
    const answer = await call("DELETE", `/connections/${connectionId}/groups`);
    assert.deepEqual(answer, { status: 204, matched: 1 });
    assert.deepEqual(await reach("three", members), left);
    assert.deepEqual(await reach("four", members), left);
    assert.equal((await call("HEAD", `/connections/${connectionId}`)).status, 200);
    await stage.leave(members);
  });

  test("ends with the connection", async () => {
    const member = await stage.open("chat", "short-lived");
    await stage.leave([member]);
    assert.equal((await call("HEAD", "/groups/short-lived")).status, 404);
    assert.deepEqual(await reach("short-lived", []), []);
  });

  test("in one group too many is 409 by name, and changes nothing", async () => {
    const member = await stage.open("chat", "g1");
    const join = (group: string) =>
      stage.gateway.api("PUT", `/api/hubs/chat/groups/${group}/connections/${member.connectionId}`);
    for (const group of ["g2", "g3", "g4"]) assert.equal((await join(group)).status, 200);
    const refused = await join("g5");
    assert.equal(refused.status, 409);
    const { code, target } = (await refused.json()) as Record<string, string>;
    assert.deepEqual([code, target], ["GroupsPerConnectionMax", "groupsPerConnectionMax"]);
    assert.deepEqual(await reach("g5", [member]), [false]);
    assert.equal((await join("g4")).status, 200, "it is in that one already");
    await stage.leave([member]);
  });
});

interface Page {
  value: { connectionId: string; userId?: string }[];
  nextLink?: string;
}

/** Follows nextLink to its end. */
async function pages(query: string, group = "many"): Promise<Page[]> {
  const found: Page[] = [];
  let path = `/api/hubs/chat/groups/${group}/connections${query}`;
  for (;;) {
    const answer = await stage.gateway.api("GET", path);
    assert.equal(answer.status, 200);
    const page = (await answer.json()) as Page;
    found.push(page);
    if (page.nextLink === undefined) return found;
    const { host, pathname, search } = new URL(page.nextLink);
    assert.equal(host, `127.0.0.1:${stage.gateway.adminPort}`);
    path = pathname + search;
  }
}

describe("the list of a group's connections", () => {
  const COUNT = 205;
  let members: Member[];

  before(async () => {
    const opening = Array.from({ length: COUNT }, (_, index) =>
      stage.open("chat", "many", index % 2 === 0 ? { user: `user ${index}` } : {}),
    );
    members = await Promise.all(opening);
  });

  function expected(): Page["value"] {
    return members
      .map(({ client, connectionId }) => {
        const userId = new URL(client.socket.url).searchParams.get("user");
        return userId === null ? { connectionId } : { connectionId, userId };
      })
      .sort((a, b) => (a.connectionId < b.connectionId ? -1 : 1));
  }

  for (const [query, sizes] of [
    ["", [200, 5]],
    ["?maxpagesize=90", [90, 90, 25]],
    ["?maxpagesize=41", [41, 41, 41, 41, 41]],
    ["?maxpagesize=50&top=120", [50, 50, 20]],
    ["?top=3", [3]],
    ["?top=205", [200, 5]],
  ] as const) {
    test(`comes in pages of ${sizes.join(", ")} with "${query}"`, async () => {
      const found = await pages(query);
      assert.deepEqual(
        found.map(({ value }) => value.length),
        sizes,
      );
      const total = sizes.reduce((sum: number, size) => sum + size, 0);
      assert.deepEqual(
        found.flatMap(({ value }) => value),
        expected().slice(0, total),
      );
    });
  }

  test("misses nobody who stays, while others leave between two pages", async () => {
    const [first] = await pages("?top=100&maxpagesize=100");
    const leaving = first?.value.slice(0, 40).map(({ connectionId }) => connectionId) ?? [];
    const path = "/api/hubs/chat/groups/many/connections?maxpagesize=100";
    const page = (await (await stage.gateway.api("GET", path)).json()) as Page;
    const gone = members.filter(({ connectionId }) => leaving.includes(connectionId));
    await stage.leave(gone);
    const { pathname, search } = new URL(page.nextLink as string);
    const next = (await (await stage.gateway.api("GET", pathname + search)).json()) as Page;
    assert.deepEqual(next.value, expected().slice(100, 200));
    members = members.filter((member) => !gone.includes(member));
  });

  test("of a group that nobody is in is an empty one", async () => {
    assert.deepEqual(await pages("", "nobody"), [{ value: [] }]);
  });
});

type WrongCall = [string, string, number, string, string | undefined];

describe("a wrong call", () => {
  const nobody = "AAAAAAAAAAA.AQAAAAA";
  const hub = "/api/hubs/chat";
  const json = { "content-type": "application/json" };
  const wrong: WrongCall[] = [
    ["GET", "/nothing", 404, "PathNotFound", "path"],
    ["PATCH", `${hub}/:send`, 405, "MethodNotAllowed", "method"],
    ["POST", "/api/hubs/nowhere/:send", 404, "HubNotFound", "hub"],
    ["POST", `${hub}/users/${"u".repeat(256)}/:send`, 400, "InvalidName", "user"],
    ["POST", `${hub}/groups/%E0%A4%A/:send`, 400, "InvalidPath", "path"],
    ["PUT", `${hub}/groups/g/connections/${nobody}`, 404, "ConnectionNotFound", "connectionId"],
    ["PUT", `${hub}/users/nobody/groups/g`, 404, "UserNotFound", "user"],
    ["DELETE", `${hub}/connections/x?reason=${"r".repeat(124)}`, 400, "InvalidReason", "reason"],
    ["GET", `${hub}/groups/g/connections?maxpagesize=201`, 400, "InvalidParameter", "maxpagesize"],
    ["GET", `${hub}/groups/g/connections?top=0`, 400, "InvalidParameter", "top"],
    [
      ...(["GET", `${hub}/groups/g/connections?continuationToken=x`, 400] as const),
      ...(["InvalidParameter", "continuationToken"] as const),
    ],
  ];
  const later: WrongCall[] = [
    ["POST", `${hub}/:send?filter=x`, 501, "NotImplemented", "filter"],
    ["POST", `${hub}/users/a/:send?filter=x`, 501, "NotImplemented", "filter"],
    ["POST", `${hub}/groups/a/:send?filter=x`, 501, "NotImplemented", "filter"],
    ...["", "/users/a", "/groups/a", `/connections/${nobody}`].map((scope): WrongCall => {
      const path = `${hub}${scope}/:send?messageTtlSeconds=1`;
      return ["POST", path, 501, "NotImplemented", "messageTtlSeconds"];
    }),
    ...["addToGroups", "removeFromGroups", "generateToken", "refresh"].map((verb): WrongCall => {
      return ["POST", `${hub}/:${verb}`, 501, "NotImplemented", undefined];
    }),
    ...["PUT", "DELETE"].map((method): WrongCall => {
      const path = `${hub}/permissions/sendToGroup/connections/${nobody}`;
      return [method, path, 501, "NotImplemented", undefined];
    }),
  ];
  for (const [method, path, status, code, target] of [...wrong, ...later]) {
    const shown = path.length > 80 ? `${path.slice(0, 80)}…` : path;
    test(`${method} ${shown} is ${status} ${code}`, async () => {
      const body = method === "POST" ? "{}" : undefined;
      const answer = await stage.gateway.api(method, path, body, body === undefined ? {} : json);
      assert.equal(answer.status, status);
      const error = (await answer.json()) as Record<string, string>;
      assert.equal(error.code, code);
      assert.equal(error.target, target);
      assert.match(String(error.message), /^\S.* .*\.$/s, "a sentence");
    });
  }

  test("about a permission, which has no body to say so, is 501 as well", async () => {
    const path = `${hub}/permissions/sendToGroup/connections/${nobody}`;
    assert.equal((await stage.gateway.api("HEAD", path)).status, 501);
  });

  const bodies: [string, string, Uint8Array | string, number, string][] = [
    ["a type that is no message's", "text/html", "x", 415, "UnsupportedMediaType"],
    ["another charset", "text/plain; charset=latin1", "x", 415, "UnsupportedMediaType"],
    ["text that is not UTF-8", "text/plain", Uint8Array.of(0xff), 400, "InvalidUtf8"],
    ["too much", "text/plain", "x".repeat(1_048_577), 413, "PayloadTooLarge"],
  ];
  for (const [what, type, body, status, code] of bodies) {
    test(`a push with ${what} is ${status} ${code}`, async () => {
      const headers = { "content-type": type };
      const answer = await stage.gateway.api("POST", `${hub}/:send`, body as string, headers);
      assert.equal(answer.status, status);
      assert.equal(((await answer.json()) as { code: string }).code, code);
    });
  }
});
