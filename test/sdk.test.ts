/** A service made with the SDK behind a real gateway of two workers, over HTTP and over links. */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { createService, type Service, TryLater } from "../src/service/service.ts";
import { GatewayProcess } from "./support/gateway-process.ts";
import { ObservedClient } from "./support/observed-client.ts";
import { until } from "./support/until.ts";

const KEY = "signing-key";

type Carrier = "HTTP" | "HTTP in batches" | "links";

const WORKERS = 2;

interface Stage {
  service: Service;
  server: Server;
  /** Where the service listens, over whatever. */
  port: number;
  gateway: GatewayProcess;
  errors: Error[];
  /** Connection ids by the names of clients. */
  ids: Map<string, string>;
  left: string[];
  /** Of every answer to the gateway. */
  statuses: number[];
  /** Each has the handler of one "slow" end. */
  releases: (() => void)[];
}

/** It has links to the service, where that is the carrier. */
async function startGateway(carrier: Carrier, port: number): Promise<GatewayProcess> {
  const isLink = carrier === "links";
  const url = isLink ? `link://127.0.0.1:${port}` : `http://127.0.0.1:${port}/events`;
  const batch = carrier === "HTTP in batches" ? "on" : "off";
  const hub = `service: '${url}', signingKeys: [${KEY}], batch: ${batch}`;
  const hubs = `chat: { paths: ['/chat/:room'], ${hub} }`;
  const gateway = await GatewayProcess.start(hubs, `workers: ${WORKERS}`);
  const links = () => gateway.records.filter(({ msg }) => msg === "linked to the service");
  if (isLink) await gateway.until(() => links().length === WORKERS, "a link of each worker");
  return gateway;
}

async function set(carrier: Carrier): Promise<Stage> {
  const server = createServer();
  const errors: Error[] = [];
  const options = {
    ...{ hub: "chat", keys: ["next", KEY] },
    onError: (error: Error) => void errors.push(error),
  };
  const overLinks = carrier === "links" ? createService(options) : undefined;
  const listening = await overLinks?.listenLink(0);
  if (overLinks === undefined) {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  }
  const port = listening?.port ?? (server.address() as AddressInfo).port;
  const gateway = await startGateway(carrier, port);
  const push = { url: `http://127.0.0.1:${gateway.adminPort}` };
  const service = overLinks ?? createService({ ...options, push });
  const ids = new Map<string, string>();
  const left: string[] = [];
  const releases: (() => void)[] = [];
  let failures = 1;
  service.on("connect", (request) => {
    const [name] = request.query.name ?? [];
    if (name === undefined) return request.refuse(401, "Say your name.");
    ids.set(name, request.connectionId);
    return { userId: name, groups: [request.params.room ?? ""], connectionState: "0" };
  });
  service.on("message", async (message) => {
    if (message.text() === "once more" && failures > 0) {
      failures -= 1;
      throw new TryLater(1);
    }
    if (message.text() === "slow") await new Promise<void>((resolve) => releases.push(resolve));
    const count = Number(message.connectionState) + 1;
    message.setConnectionState(String(count));
    const said = `${message.userId} ${message.number} ${count}: `;
    if (message.isText) message.reply(said + message.text());
    else message.reply(message.bytes);
  });
  service.on("disconnected", ({ reason, userId }) => left.push(`${userId} ${reason}`));
  if (overLinks === undefined) service.listenHttp(server, "/events");
  const statuses: number[] = [];
  server.on("request", (_request, response) => {
    response.on("finish", () => statuses.push(response.statusCode));
  });
  return { service, server, port, gateway, errors, ids, left, statuses, releases };
}

for (const carrier of ["HTTP", "HTTP in batches", "links"] as const) {
  describe(`a service of the SDK over ${carrier}`, () => {
    let stage: Stage;
    before(async () => {
      stage = await set(carrier);
    });
    after(() => {
      stage.server.close().closeAllConnections();
    });

    function url(room: string, name?: string): string {
      const query = name === undefined ? "" : `?name=${encodeURIComponent(name)}`;
      return `ws://127.0.0.1:${stage.gateway.port}/chat/${room}${query}`;
    }

    test("lets clients in or not, answers them, and tells when they left", async () => {
      const refused = await ObservedClient.refused(url("blue"));
      assert.deepEqual([refused.status, refused.body], [401, "Say your name."]);
      const ann = await ObservedClient.open(url("blue", "Änn"));
      for (const text of ["a", "b", "once more", "c"]) ann.send(text);
      ann.send(Buffer.from([0, 255]));
      const said = ["Änn 1 1: a", "Änn 2 2: b", "Änn 3 3: once more", "Änn 4 4: c"];
      assert.deepEqual(await ann.received(5), [...said, Buffer.from([0, 255])]);
      await ann.close();
      await until(() => stage.left.some((line) => line.startsWith("Änn client-")));
      assert.deepEqual(stage.errors, []);
    });

    test("pushes to a connection, a user, a group and all, and closes them", async () => {
      const { ids, service } = stage;
      const names = ["bob", "eve", ".."];
      const clients = await Promise.all(names.map((name) => ObservedClient.open(url("red", name))));
      const [bob, eve, dots] = clients as [ObservedClient, ObservedClient, ObservedClient];
      const { push } = service;
      const one = { matched: 1, dropped: 0, partial: false };
      const bobsId = ids.get("bob") as string;
      const excluded = [bobsId];
      assert.deepEqual(await push.toConnection(bobsId, "1"), one);
      assert.deepEqual(await push.toUser("..", "2"), one);
      assert.deepEqual(await push.toGroup("red", "3", { excluded }), { ...one, matched: 2 });
      assert.deepEqual(await push.toAll(Buffer.from([4])), { ...one, matched: 3 });
      assert.deepEqual(await push.join({ user: "eve" }, "a/b?c"), one);
      assert.deepEqual(await push.toGroup("a/b?c", "5", { pushId: "p" }), one);
      assert.deepEqual(await push.toGroup("a/b?c", "5", { pushId: "p" }), one);
      assert.equal(await push.exists({ group: "a/b?c" }), true);
      assert.deepEqual(await push.leave({ user: "eve" }, "a/b?c"), one);
      assert.equal(await push.exists({ group: "a/b?c" }), false);
      assert.deepEqual(await push.leaveAll({ connection: bobsId }), one);
      assert.deepEqual(await push.toGroup("red", "6"), { ...one, matched: 2 });
      const none = { matched: 0, dropped: 0, partial: false };
      assert.deepEqual(await push.join({ user: "nobody" }, "g"), none);
      assert.deepEqual(await push.toUser("nobody", "7"), none);
      const four = Buffer.from([4]);
      assert.deepEqual(await bob.received(2), ["1", four]);
      assert.deepEqual(await eve.received(4), ["3", four, "5", "6"]);
      assert.deepEqual(await dots.received(4), ["2", "3", four, "6"]);
      await push.closeConnection(bobsId, { reason: "enough" });
      assert.equal((await bob.untilClosed()).reason.startsWith("enough"), true);
      await push.closeUser("eve");
      await push.closeGroup("red");
      await Promise.all([eve.untilClosed(), dots.untilClosed()]);
    });

    test("has a client closed behind its last acknowledgement, which is counted", async () => {
      const { releases, service } = stage;
      const eli = await ObservedClient.open(url("green", "eli"));
      for (const text of ["a", "slow", "b"]) eli.send(text);
      await until(() => releases.length === 1);
      await service.push.closeUser("eli", { reason: "over" });
      assert.equal(eli.closed, undefined);
      releases[0]?.();
      assert.equal((await eli.untilClosed()).reason, "over accepted=3");
      assert.deepEqual(eli.messages, ["eli 1 1: a", "eli 2 2: slow", "eli 3 3: b"]);
    });

    test("is held when it closes, and another one takes over what it did not take", async () => {
      const { port, server, service, statuses } = stage;
      statuses.length = 0;
      const zoe = await ObservedClient.open(url("blue", "Zoë"));
      zoe.send("a");
      await zoe.received(1);
      await service.close();
      zoe.send("b");
      const next = createService({ hub: "chat", keys: KEY });
      next.on("message", (message) => message.reply(`next: ${message.text()}`));
      if (carrier === "links") await next.listenLink(port);
      else {
        await until(() => statuses.includes(503));
        server.removeAllListeners("request");
        next.listenHttp(server, "/events");
      }
      assert.deepEqual(await zoe.received(2), ["Zoë 1 1: a", "next: b"]);
      await assert.rejects(service.push.toAll("late"), { code: "HG_SERVICE_CLOSED" });
      await zoe.close();
      await next.close();
    });
  });
}
