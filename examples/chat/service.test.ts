/** Tests of the whole service over HTTP, with a small stand-in for the gateway's REST API. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import type { Member } from "./chat.ts";
import { ChatService } from "./service.ts";

interface Push {
  path: string;
  excluded: string[];
  pushId: string | undefined;
  value: Record<string, unknown>;
}

/** Records what is pushed; `status` is what it answers, `members` who it says is in a group. */
class FakeGateway {
  pushes: Push[] = [];
  members: Member[] = [];
  status = 202;
  #waiting: (() => void)[] = [];
  #server: Server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "/", "http://gateway");
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.method === "GET") {
      const value = this.members.map(({ connectionId, name }) => ({ connectionId, userId: name }));
      response.end(JSON.stringify({ value }));
      return;
    }
    if (this.status === 202) {
      this.pushes.push({
        path: url.pathname.replace("/api/hubs/chat/", ""),
        excluded: url.searchParams.getAll("excluded"),
        pushId: request.headers["headgate-push-id"] as string | undefined,
        value: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>,
      });
    }
    response.writeHead(this.status).end();
    this.#wake();
  });

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async push(isWanted: (push: Push) => boolean): Promise<Push> {
    for (;;) {
      const push = this.pushes.find(isWanted);
      if (push !== undefined) return push;
      await this.#next();
    }
  }

  #next(): Promise<void> {
    return new Promise((wake) => this.#waiting.push(wake));
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

let gateway: FakeGateway;
let adminUrl: string;
let service: ChatService;
let serviceUrl: string;
let lines: string[];
let events = 0;

async function startService(options: { signingKeys?: string[] } = {}): Promise<void> {
  const { signingKeys = [] } = options;
  const log = (line: string) => void lines.push(line);
  service = new ChatService({
    hub: "chat",
    adminUrl,
    adminKey: undefined,
    gatewayPort: 8000,
    signingKeys,
    returnGraceMs: 20,
    log,
  });
  serviceUrl = `http://127.0.0.1:${await service.listen(0)}`;
}

beforeEach(async () => {
  lines = [];
  gateway = new FakeGateway();
  adminUrl = await gateway.listen();
  await startService();
});

afterEach(async () => {
  gateway.close();
  await service.close();
});

async function send(
  type: string,
  attributes: { connection: string; user?: string; state?: string; id?: string },
  body: object | string,
): Promise<{ status: number; headers: Headers; text: string }> {
  events += 1;
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "ce-id": attributes.id ?? `event-${events}`,
    "ce-type": `headgate.${type}`,
    "ce-hub": "chat",
    "ce-connectionid": attributes.connection,
    "ce-time": "2026-01-01T00:00:00.000Z",
    "ce-messagenumber": String(events),
  };
  if (attributes.user !== undefined) headers["ce-userid"] = encodeURIComponent(attributes.user);
  if (attributes.state !== undefined) headers["ce-connectionstate"] = attributes.state;
  const content = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(`${serviceUrl}/events`, { method: "POST", headers, body: content });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function ask(room: string, name: string) {
  const body = { params: { room }, query: { name: [name] } };
  return send("sys.connect", { connection: "c1" }, body);
}

/** What the gateway sends when a client has come in. */
async function enter(connection: string, user: string): Promise<number> {
  gateway.members.push({ connectionId: connection, name: user });
  const { status } = await send("sys.connected", { connection, user, state: "lobby" }, {});
  // Behind its answer the service asks the gateway who is here, and is to hear of this moment.
  for (let trips = 0; trips < 4; trips += 1)
    await (await fetch(`${serviceUrl}/settings.json`)).text();
  return status;
}

function leave(connection: string, user: string, code: number) {
  gateway.members = gateway.members.filter((member) => member.connectionId !== connection);
  const body = { reason: "", code };
  return send("sys.disconnected", { connection, user, state: "lobby" }, body);
}

function say(connection: string, user: string, body: object | string) {
  return send("user.message", { connection, user, state: "lobby" }, body);
}

function names(push: Push): string[] {
  return (push.value.people as { name: string }[]).map((person) => person.name);
}

test("who is let in gets the tidied name as user, the room as group and as state", async () => {
  const { status, headers, text } = await ask("lobby", "  Mei 梅 ");
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(text), { userId: "Mei 梅", groups: ["lobby"] });
  assert.equal(headers.get("ce-connectionstate"), "lobby");
});

test("a name or room against the rules is refused with 400 and a sentence", async () => {
  for (const [room, name, sentence] of [
    ["lobby", "", /Choose a name/],
    ["lobby", "x".repeat(33), /too long/],
    ["Not A Room", "Ada", /room's name/],
  ] as const) {
    const { status, text } = await ask(room, name);
    assert.equal(status, 400);
    assert.match(text, sentence);
  }
  assert.equal((await send("sys.connect", { connection: "c" }, "no JSON")).status, 400);
});

test("who has come in is sent the room as it is, and the others are told", async () => {
  await enter("c1", "Ada");
  await say("c1", "Ada", { type: "say", id: "m1", text: "hello" });
  assert.equal(await enter("c2", "Grace"), 204);
  const welcome = await gateway.push((push) => push.path === "connections/c2/:send");
  assert.equal(welcome.value.type, "welcome");
  assert.deepEqual(names(welcome), ["Ada", "Grace"]);
  const [message] = welcome.value.messages as { number: number; text: string }[];
  assert.deepEqual([message?.number, message?.text], [1, "hello"]);
  const news = await gateway.push((push) => push.value.joined === "Grace");
  assert.equal(news.path, "groups/lobby/:send");
  assert.deepEqual(news.excluded, ["c2"]);
  assert.deepEqual(names(news), ["Ada", "Grace"]);
});

test("a second tab of the same person is welcomed and not announced", async () => {
  await enter("c1", "Ada");
  await enter("c2", "Ada");
  await gateway.push((push) => push.path === "connections/c2/:send");
  const announced = gateway.pushes.filter((push) => push.value.joined === "Ada");
  assert.deepEqual(
    announced.map((push) => push.excluded),
    [["c1"]],
  );
});

test("a message is answered to its sender and pushed to the others", async () => {
  await enter("c1", "Ada");
  const { status, text } = await say("c1", "Ada", { type: "say", id: "m1", text: " <b>hi</b> " });
  assert.equal(status, 200);
  const answer = JSON.parse(text) as { type: string; message: Record<string, unknown> };
  assert.equal(answer.type, "accepted");
  assert.deepEqual(
    { ...answer.message, atMs: 0 },
    { number: 1, id: "m1", name: "Ada", text: "<b>hi</b>", atMs: 0 },
  );
  const push = await gateway.push((candidate) => candidate.value.type === "message");
  assert.deepEqual(push.value.message, answer.message);
  assert.deepEqual(push.excluded, ["c1"]);
});

test("a message that could not be pushed is asked for again, and keeps its number", async () => {
  await enter("c1", "Ada");
  gateway.status = 500;
  const message = { type: "say", id: "m1", text: "hello" };
  assert.equal((await say("c1", "Ada", message)).status, 503);
  assert.match(lines.at(-1) ?? "", /The gateway answered 500/);
  gateway.status = 202;
  const again = await say("c1", "Ada", message);
  const once = await say("c1", "Ada", message);
  assert.equal((JSON.parse(again.text) as { message: { number: number } }).message.number, 1);
  assert.equal(once.text, again.text);
  const pushIds = gateway.pushes
    .filter((push) => push.value.type === "message")
    .map((push) => push.pushId);
  assert.equal(pushIds.length, 2);
  assert.equal(pushIds[0], pushIds[1]);
});

test("a gateway that is not there is told to bring the event again", async () => {
  gateway.close();
  assert.equal(await enter("c1", "Ada"), 503);
  assert.match(lines.at(-1) ?? "", /does not answer/);
});

test("a message against the rules is refused by an answer, and the connection stays", async () => {
  await enter("c1", "Ada");
  const { status, text } = await say("c1", "Ada", {
    type: "say",
    id: "m1",
    text: "x".repeat(2001),
  });
  assert.equal(status, 200);
  assert.equal((JSON.parse(text) as { type: string }).type, "refused");
  assert.match(text, /too long/);
});

test("what is no message of this chat is refused with 400", async () => {
  await enter("c1", "Ada");
  for (const body of ["no JSON", "null", {}, { type: "say", text: "a" }, { type: "say", id: "" }]) {
    assert.equal((await say("c1", "Ada", body)).status, 400, JSON.stringify(body));
  }
  const stranger = { connection: "c9", user: "Eve" };
  assert.equal((await send("user.message", stranger, { type: "typing" })).status, 400);
});

test("that somebody types is pushed to the others and kept nowhere", async () => {
  await enter("c1", "Ada");
  assert.equal((await say("c1", "Ada", { type: "typing" })).status, 204);
  const push = await gateway.push((candidate) => candidate.value.type === "typing");
  assert.deepEqual(push.excluded, ["c1"]);
  assert.equal(push.value.name, "Ada");
});

test("who says goodbye has left at once", async () => {
  await enter("c1", "Ada");
  await enter("c2", "Grace");
  await leave("c2", "Grace", 1000);
  const news = gateway.pushes.at(-1);
  assert.equal(news?.value.left, "Grace");
  assert.deepEqual(news && names(news), ["Ada"]);
});

test("who broke off is shown as away, and has left when the time is over", async () => {
  await enter("c1", "Ada");
  await enter("c2", "Grace");
  await leave("c2", "Grace", 1012);
  const away = gateway.pushes.findLast((push) => push.value.left === undefined);
  assert.deepEqual(away?.value.people, [
    { name: "Ada", tabs: 1 },
    { name: "Grace", tabs: 0 },
  ]);
  const gone = await gateway.push((push) => push.value.left === "Grace");
  assert.deepEqual(names(gone), ["Ada"]);
});

test("those that a crashed gateway took along are noticed when somebody comes", async () => {
  await enter("c1", "Ada");
  await enter("c2", "Grace");
  gateway.members = [];
  await enter("c3", "Ada");
  const news = await gateway.push((push) => push.value.left === "Grace");
  assert.deepEqual(names(news), ["Ada"]);
  assert.equal(gateway.pushes.filter((push) => push.value.left === "Ada").length, 0);
});

test("a service that starts anew learns from the gateway who is here", async () => {
  await enter("c1", "Ada");
  await enter("c2", "Grace");
  await service.close();
  gateway.pushes = [];
  await startService();
  assert.equal((await say("c1", "Ada", { type: "say", id: "m1", text: "still" })).status, 200);
  const news = await gateway.push((push) => push.value.type === "people");
  assert.deepEqual(names(news), ["Ada", "Grace"]);
  assert.equal(news.value.joined, undefined);
});

test("events that are not signed, too large, or not posted are refused", async () => {
  assert.equal((await fetch(`${serviceUrl}/events`)).status, 405);
  assert.equal((await say("c1", "Ada", "x".repeat(300_000))).status, 413);
  await service.close();
  await startService({ signingKeys: ["key"] });
  const { status, text } = await say("c1", "Ada", { type: "typing" });
  assert.equal(status, 401);
  assert.match(text, /not signed/);
  assert.match(lines.at(-1) ?? "", /not signed/);
});

test("an event of another hub is refused", async () => {
  const headers = { "ce-type": "headgate.sys.connect", "ce-id": "1", "ce-connectionid": "c1" };
  const event = { method: "POST", headers: { ...headers, "ce-hub": "other" }, body: "{}" };
  assert.equal((await fetch(`${serviceUrl}/events`, event)).status, 400);
});

test("the page can ask why a name would be refused", async () => {
  const ask = async (room: string, name: string) => {
    const response = await fetch(`${serviceUrl}/rooms/${room}/names/${name}`);
    return [response.status, await response.json()];
  };
  assert.deepEqual(await ask("lobby", encodeURIComponent("Mei 梅/2")), [200, { ok: true }]);
  const [status, answer] = await ask("lobby", "x".repeat(33));
  assert.equal(status, 422);
  assert.match((answer as { reason: string }).reason, /too long/);
  assert.equal((await ask("No", "Ada"))[0], 422);
  assert.equal((await ask("lobby", "%FF"))[0], 422);
});

test("the page is served with its files and loads nothing from elsewhere", async () => {
  const response = await fetch(serviceUrl);
  assert.match(response.headers.get("content-security-policy") ?? "", /default-src 'self'/);
  const page = await response.text();
  const files = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, file]) => file as string);
  assert.ok(files.includes("/chat.js") && files.includes("/chat.css"));
  const imports: string[] = [];
  for (const file of files) {
    assert.match(file, /^\/[a-z-]+\.[a-z]+$/);
    const served = await fetch(serviceUrl + file);
    assert.equal(served.status, 200, file);
    const text = await served.text();
    for (const [, name] of text.matchAll(/from "\.([^"]*)"/g)) imports.push(name as string);
  }
  assert.ok(imports.length >= 3);
  for (const name of imports) assert.equal((await fetch(serviceUrl + name)).status, 200, name);
});

test("the page's settings hold the gateway's port", async () => {
  const settings = await fetch(`${serviceUrl}/settings.json`);
  assert.deepEqual(await settings.json(), { gatewayPort: 8000 });
});

test("other paths and methods are refused", async () => {
  for (const path of ["/package.json", "/..%2fservice.ts", "/constructor", "/rooms/a/names/b/c"]) {
    assert.equal((await fetch(serviceUrl + path)).status, 404, path);
  }
  assert.equal((await fetch(serviceUrl, { method: "DELETE" })).status, 405);
});
