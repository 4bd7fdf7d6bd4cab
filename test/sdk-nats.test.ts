/**
 * A service made with the SDK behind a real gateway of two workers and a real NATS server: over
 * core NATS and JetStream, with the same handlers.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createService, type Service } from "../src/service/service.ts";
import { GatewayProcess } from "./support/gateway-process.ts";
import { NatsServer, natsMissing } from "./support/nats-server.ts";
import { ObservedClient } from "./support/observed-client.ts";
import { until } from "./support/until.ts";

const KEY = "signing-key";

const services = new Set<Service>();
after(() => Promise.all(Array.from(services, (service) => service.close())));

interface Stage {
  server: NatsServer;
  gateway: GatewayProcess;
  errors: Error[];
  /** Connection ids by the names of clients. */
  ids: Map<string, string>;
  left: string[];
}

const deliveries = {
  "at-most-once": {},
  "at-least-once": { jetStream: { durable: "chat", ackWaitMs: 1000 } },
} as const;

for (const [delivery, options] of Object.entries(deliveries)) {
  describe(`a service of the SDK over NATS, ${delivery}`, { skip: natsMissing }, () => {
    let stage: Stage;
    let service: Service;

    before(async () => {
      const server = await NatsServer.start({ jetStream: true });
      const gateway = await GatewayProcess.start(
        `chat: { paths: ['/chat/:room'], signingKeys: [${KEY}], ` +
          `service: { url: '${server.url}', delivery: ${delivery} } }`,
        "workers: 2",
      );
      stage = { server, gateway, errors: [], ids: new Map(), left: [] };
      service = await start("");
      const ready = () => gateway.records.filter(({ msg }) => msg === "connected to NATS").length;
      await gateway.record(() => ready() === 2);
    });

    /** Another instance with the same handlers, whose replies begin with `name`. */
    async function start(name: string): Promise<Service> {
      const { errors, ids, left, server } = stage;
      const onError = (error: Error) => errors.push(error);
      const made = createService({ hub: "chat", keys: [KEY, "next"], onError });
      services.add(made);
      made.on("connect", (request) => {
        const [user] = request.query.name ?? [];
        if (user === undefined) return request.refuse(401, "Say your name.");
        ids.set(user, request.connectionId);
        return { userId: user, groups: [request.params.room ?? ""], connectionState: "kept" };
      });
      made.on("message", async (message) => {
        const said = `${name}${message.userId} ${message.number} ${message.connectionState}: `;
        if (message.isText) message.reply(said + message.text());
        else message.reply(message.bytes);
      });
      made.on("disconnected", ({ reason, userId }) => left.push(`${userId} ${reason}`));
      await made.overNats(await server.connect(), options);
      return made;
    }

    function url(room: string, name?: string): string {
      const query = name === undefined ? "" : `?name=${encodeURIComponent(name)}`;
      return `ws://127.0.0.1:${stage.gateway.port}/chat/${room}${query}`;
    }

    test("lets clients in or not, answers them, and tells when they left", async () => {
      const refused = await ObservedClient.refused(url("blue"));
      assert.deepEqual([refused.status, refused.body], [401, "Say your name."]);
      const ann = await ObservedClient.open(url("blue", "Änn"));
      for (const text of ["a", "b", "c"]) ann.send(text);
      ann.send(Buffer.from([0, 255]));
      const said = ["Änn 1 kept: a", "Änn 2 kept: b", "Änn 3 kept: c"];
      assert.deepEqual(await ann.received(4), [...said, Buffer.from([0, 255])]);
      await ann.close();
      await until(() => stage.left.some((line) => line.startsWith("Änn client-")));
      assert.deepEqual(stage.errors, []);
    });

    test("pushes to a connection, a user, a group and all, and closes them", async () => {
      const names = ["bob", "eve", ".."];
      const clients = await Promise.all(names.map((name) => ObservedClient.open(url("red", name))));
      const [bob, eve, dots] = clients as [ObservedClient, ObservedClient, ObservedClient];
      const { push } = service;
      const bobsId = stage.ids.get("bob") as string;
      await push.toConnection(bobsId, "1");
      await push.toUser("..", "2");
      await push.toGroup("red", "3", { excluded: [bobsId] });
      await push.toAll(Buffer.from([4]));
      await push.join({ user: "eve" }, "a/b?c");
      await push.toGroup("a/b?c", "5", { pushId: "p" });
      await push.toGroup("a/b?c", "5", { pushId: "p" });
      await push.leave({ user: "eve" }, "a/b?c");
      await push.toGroup("a/b?c", "nobody");
      await push.leave({ connection: bobsId }, "red");
      await push.toGroup("red", "6");
      const four = Buffer.from([4]);
      assert.deepEqual(await bob.received(2), ["1", four]);
      assert.deepEqual(await eve.received(4), ["3", four, "5", "6"]);
      assert.deepEqual(await dots.received(4), ["2", "3", four, "6"]);
      await push.closeConnection(bobsId, { reason: "enough" });
      assert.equal((await bob.untilClosed()).reason.startsWith("enough"), true);
      await push.closeUser("eve");
      await push.closeGroup("red");
      await Promise.all([eve.untilClosed(), dots.untilClosed()]);
      const unusable = ({ msg }: { msg: string }) => msg.includes("cannot be used");
      assert.equal(stage.gateway.records.some(unusable), false);
    });

    test("hands over to the next one when it closes", async () => {
      const zoe = await ObservedClient.open(url("blue", "Zoë"));
      zoe.send("a");
      await zoe.received(1);
      if (delivery === "at-most-once") {
        // What nobody subscribes to is lost, so the next one is there before this one goes.
        await start("next: ");
        await service.close();
        zoe.send("b");
        const received = await zoe.received(2);
        assert.deepEqual(received.slice(0, 2), ["Zoë 1 kept: a", "next: Zoë 2 kept: b"]);
      } else {
        await service.close();
        const texts = Array.from({ length: 20 }, (_, index) => String(index));
        for (const text of texts) zoe.send(text);
        await start("next: ");
        const replies = texts.map((text, index) => `next: Zoë ${index + 2} kept: ${text}`);
        assert.deepEqual(await zoe.received(21), ["Zoë 1 kept: a", ...replies]);
      }
      await assert.rejects(service.push.toAll("late"), { code: "HG_SERVICE_CLOSED" });
      await zoe.close();
      assert.deepEqual(stage.errors, []);
      assert.equal(await stage.gateway.stop(), 0);
    });
  });
}
