/** Events over core NATS: whose they are, what is lost, and that it is told. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NatsServer, natsMissing } from "../../../test/support/nats-server.ts";
import { unreadableHeaders } from "../../../test/support/unreadable-headers.ts";
import { partitionOf } from "../../upstreams/nats/subjects.ts";
import { Refuse } from "../fault.ts";
import { CONNECTED, DISCONNECTED, text } from "../http/requests.test.helper.ts";
import { createService } from "../service.ts";
import type { NatsOptions } from "./nats-options.ts";
import { codesOf, type NatsStage, setNats } from "./nats-stage.test.helper.ts";

const KEY = "a key";
const ids = Array.from({ length: 40 }, (_, index) => `AAAAAAAAAAA.${index}`);
const ID = ids[0] as string;

function watch({ saw, service }: NatsStage): void {
  service.on("connected", ({ connectionId }) => saw(`${connectionId} in`));
  service.on("message", ({ connectionId }) => saw(connectionId));
  service.on("disconnected", ({ connectionId }) => saw(`${connectionId} out`));
}

describe("a service over core NATS", { skip: natsMissing }, () => {
  test("takes what its keys have signed of late, and tells of everything else", async () => {
    const service = { keys: [KEY, "another"] };
    const { errors, gateway, seen } = await setNats({ service, prepare: watch });
    const facts = { connectionId: ID };
    gateway.publish(facts, text(1, "unsigned"));
    gateway.publish(facts, text(2, "other"), { signingKeys: ["other"] });
    gateway.publish(facts, text(3, "old"), { signingKeys: [KEY], sentAtMs: Date.now() - 310_000 });
    gateway.publish(facts, text(4, "hub"), { signingKeys: [KEY], hub: "lobby" });
    gateway.publish(facts, text(5, "good"), { signingKeys: [KEY] });
    await gateway.until(() => seen.length === 1, "the good one");
    assert.deepEqual(codesOf(errors), Array(4).fill("HG_EVENT_REFUSED"));
    assert.deepEqual(await gateway.ask(facts, "{}"), { status: 401, body: "", state: "" });
    const { status } = await gateway.ask(facts, "{}", { signingKeys: [KEY] });
    assert.equal(status, 204);
  });

  test("gets all events of the connections in its partitions, and no others", async () => {
    const first = await setNats({ nats: { partitions: [0, 1, 2, 3, 4, 5, 6] }, prepare: watch });
    const { gateway } = first;
    const nats = { partitions: [7, 8, 9, 10, 11, 12, 13, 14, 15] };
    const second = await setNats({ gateway, nats, prepare: watch });
    for (const connectionId of ids) {
      for (const told of [CONNECTED, text(1, "a"), DISCONNECTED]) {
        gateway.publish({ connectionId }, told);
      }
    }
    const count = () => first.seen.length + second.seen.length;
    await gateway.until(() => count() === 3 * ids.length, "all of them");
    const isFirsts = (id: string) => partitionOf(id) <= 6;
    const expected = (those: string[]) => those.flatMap((id) => [`${id} in`, id, `${id} out`]);
    assert.deepEqual(first.seen, expected(ids.filter(isFirsts)));
    assert.deepEqual(second.seen, expected(ids.filter((id) => !isFirsts(id))));
  });

  test("shares events with the others of its queue, each once", async () => {
    const nats = { queue: "chatters" };
    const first = await setNats({ nats, prepare: watch });
    const { gateway } = first;
    const second = await setNats({ gateway, nats, prepare: watch });
    for (const connectionId of ids) gateway.publish({ connectionId }, text(1, "a"));
    const seen = () => [...first.seen, ...second.seen];
    await gateway.until(() => seen().length === ids.length, "all of them");
    assert.deepEqual(new Set(seen()), new Set(ids));
  });

  test("asks one of several instances who may come in", async () => {
    let asked = 0;
    const prepare = ({ service }: NatsStage) => {
      service.on("connect", () => {
        asked += 1;
        return undefined;
      });
    };
    const { gateway } = await setNats({ prepare });
    await setNats({ gateway, prepare });
    for (const connectionId of ids) await gateway.ask({ connectionId }, "{}");
    assert.equal(asked, ids.length);
  });

  test("drops what comes when too much is under way, and tells it once", async () => {
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { errors, gateway, saw, seen, service } = await setNats({ nats: { eventsMax: 2 } });
    service.on("message", async (message) => {
      await released;
      saw(message.text());
    });
    for (const told of ["1", "2", "3", "4"]) {
      gateway.publish({ connectionId: ID }, text(Number(told), told));
    }
    await gateway.until(() => errors.length > 0, "an error");
    // It comes behind them all.
    await gateway.ask({ connectionId: ID }, "{}");
    release();
    await gateway.until(() => seen.length === 2, "those that were taken");
    gateway.publish({ connectionId: ID }, text(5, "5"));
    await gateway.until(() => seen.length === 3, "the next one");
    assert.deepEqual(seen, ["1", "2", "5"]);
    assert.deepEqual(codesOf(errors), ["HG_EVENTS_DROPPED"]);
  });

  test("closes the client whose message its handler refuses", async () => {
    const { gateway, service } = await setNats();
    service.on("message", () => {
      throw new Refuse();
    });
    gateway.publish({ connectionId: ID }, text(1, "a"));
    await gateway.until(() => gateway.pushed.length === 1, "a push");
    const [pushed] = gateway.pushed;
    assert.equal(pushed?.subject, `${gateway.prefix}.push.chat.conn.${ID}`);
    assert.equal(pushed?.message.headers?.get("headgate-action"), "close");
  });

  test("tells of a reply that the server does not take, and goes on", async () => {
    const { errors, gateway, saw, seen, service } = await setNats();
    service.on("message", (message) => {
      if (message.number === 1) message.reply(new Uint8Array(2 << 20));
      saw(message.text());
    });
    gateway.publish({ connectionId: ID }, text(1, "a"));
    gateway.publish({ connectionId: ID }, text(2, "b"));
    await gateway.until(() => seen.length === 2, "both");
    assert.deepEqual(codesOf(errors), ["HG_NATS_UNSENT"]);
  });

  test("refuses what has a header whose name none may have, and goes on", async () => {
    const { errors, gateway, seen } = await setNats({ prepare: watch });
    const { connection, subjects } = gateway;
    const headers = unreadableHeaders();
    const answer = await connection.request(subjects.connect, "{}", { headers, timeout: 10_000 });
    assert.equal(answer.headers?.get("headgate-status"), "401");
    connection.publish(subjects.message(ID), "x", { headers });
    gateway.publish({ connectionId: ID }, text(1, "a"));
    await gateway.until(() => seen.length === 1, "the next one");
    assert.deepEqual(codesOf(errors), Array(2).fill("HG_EVENT_REFUSED"));
  });

  test("says when its connection was closed, and closes without it", async () => {
    const { connection, errors, gateway, service } = await setNats();
    await connection.close();
    await gateway.until(() => errors.length > 0, "an error");
    assert.deepEqual(codesOf(errors), ["HG_NATS_CLOSED"]);
    await service.close();
  });

  test("says what it may not subscribe to, and what is to be done then", async () => {
    const configuration = `authorization: { users: [ { user: a, password: b,
      permissions: { publish: ">", subscribe: { deny: "*.event.chat.connect" } } },
      { user: c, password: d } ] }`;
    const server = await NatsServer.start({ configuration });
    const errors: Error[] = [];
    const service = createService({ hub: "chat", onError: (error) => errors.push(error) });
    await service.overNats(await server.connect({ user: "a", pass: "b" }));
    assert.deepEqual(codesOf(errors), ["HG_NATS_REFUSED"]);
    assert.match(String(errors[0]), /allow it to its user, and start the service anew/);
    await service.close();
  });

  test("says which option makes no sense, and takes one connection", async () => {
    const { connection, service } = await setNats();
    await assert.rejects(service.overNats(connection), { code: "HG_SERVICE_OPTIONS" });
    for (const [options, word] of [
      [{ partitions: [16] }, /16 is no partition/],
      [{ partitions: [] }, /gets nothing/],
      [{ partitions: [1], queue: "a" }, /choose one/],
      [{ partitions: [1], jetStream: { durable: "a", isShared: true } }, /choose one/],
      [{ queue: "a", jetStream: { durable: "a" } }, /isShared/],
      [{ jetStream: { durable: "a.b" } }, /durable/],
      [{ jetStream: { durable: "a", ackWaitMs: 10 } }, /ackWaitMs/],
      [{ jetStream: { durable: "a", stream: "a b" } }, /stream/],
      [{ jetStream: { durable: "a", shared: true } }, /no option jetStream\.shared/],
      [{ jetstream: { durable: "a" } }, /no option jetstream; there are .*jetStream/],
      [{ prefix: "a b" }, /prefix is "a b"/],
      [{ eventsMax: 0 }, /eventsMax/],
    ] as const) {
      const other = createService({ hub: "chat" });
      const message = { code: "HG_SERVICE_OPTIONS", message: word };
      await assert.rejects(other.overNats(connection, options as NatsOptions), message);
    }
    await service.close();
    await assert.rejects(service.overNats(connection), { code: "HG_SERVICE_CLOSED" });
  });

  test("takes a connection after one that was none, or was refused", async () => {
    const { connection, gateway, saw, seen } = await setNats();
    const { prefix } = gateway;
    const service = createService({ hub: "chat" });
    service.on("message", (message) => saw(message.text()));
    const promise = gateway.server.connect();
    const nothings: unknown[] = [undefined, promise, {}];
    for (const nothing of nothings) {
      const refused = { code: "HG_SERVICE_OPTIONS", message: /await it/ };
      await assert.rejects(service.overNats(nothing as typeof connection, { prefix }), refused);
    }
    const closed = await promise;
    await closed.close();
    const closedOne = { code: "HG_SERVICE_OPTIONS", message: /is closed/ };
    await assert.rejects(service.overNats(closed, { prefix }), closedOne);
    await assert.rejects(service.push.toAll("a"), { code: "HG_PUSH_UNCONFIGURED" });
    const bare = await (await NatsServer.start()).connect();
    const jetStream = { durable: "service" };
    const off = { code: "HG_NATS_JETSTREAM_OFF", message: /enable it/ };
    await assert.rejects(service.overNats(bare, { jetStream }), off);
    await service.overNats(connection, { prefix });
    gateway.publish({ connectionId: ID }, text(1, "a"));
    await gateway.until(() => seen.length > 0, "the event");
    await service.close();
  });
});
