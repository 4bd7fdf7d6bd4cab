/** Events out of a stream: what comes again, in which order, and what becomes of the rest. */
import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { AckPolicy, jetstreamManager } from "@nats-io/jetstream";
import { NatsServer, natsMissing } from "../../../test/support/nats-server.ts";
import { unreadableHeaders } from "../../../test/support/unreadable-headers.ts";
import { partitionOf } from "../../upstreams/nats/subjects.ts";
import { Refuse, TryLater } from "../fault.ts";
import { CONNECTED, DISCONNECTED, text } from "../http/requests.test.helper.ts";
import { NatsGateway } from "./nats-carriers.test.helper.ts";
import { codesOf, type NatsStage, setNats, setStream } from "./nats-stage.test.helper.ts";

const ID = "AAAAAAAAAAA.AAAAAAAAAA";
const OTHER = "AAAAAAAAAAA.BBBBBBBBBB";
const facts = { connectionId: ID };

/** Of a server that runs again: JetStream is there a moment after it. */
async function storeAtLast(gateway: NatsGateway, number: number): Promise<void> {
  for (;;) {
    try {
      await gateway.store(facts, text(number, String(number)), {}, 500);
      return;
    } catch (error) {
      if (!/timeout|no responders|503|jetstream/i.test(String(error))) throw error;
    }
  }
}

describe("a service over JetStream", { skip: natsMissing }, () => {
  test("gets what failed again, before what is behind it, and others meanwhile", async () => {
    const failures = [new TryLater(1), new Error("out of luck"), new TryLater(), new Error("no")];
    const { errors, gateway, saw, seen } = await setStream({
      prepare({ saw, service }) {
        service.on("message", (message) => {
          const failure = message.connectionId === ID ? failures.shift() : undefined;
          saw(`${message.text()}${failure === undefined ? "" : " failed"}`);
          if (failure !== undefined) throw failure;
        });
      },
    });
    saw("begin");
    const stored: number[] = [];
    for (const told of [text(1, "a1"), text(2, "a2")])
      stored.push(await gateway.store(facts, told));
    stored.push(await gateway.store({ connectionId: OTHER }, text(1, "b1")));
    await gateway.until(() => stored.every((each) => gateway.isSettled(each)), "all");
    const ofOne = seen.filter((each) => each.startsWith("a"));
    assert.deepEqual(ofOne, [...Array(4).fill("a1 failed"), "a1", "a2"]);
    assert.ok(seen.indexOf("b1") < seen.lastIndexOf("a1 failed"), "the other did not wait");
    assert.deepEqual(codesOf(errors), Array(2).fill("HG_HANDLER_FAILED"));
  });

  test("gives up what failed three times, and says so", async () => {
    const { errors, gateway, seen } = await setStream({
      prepare({ saw, service }) {
        service.on("message", async (message) => {
          saw(message.text());
          if (message.number === 1) throw new Error("out of luck");
        });
      },
    });
    const first = await gateway.store(facts, text(1, "1"));
    const second = await gateway.store(facts, text(2, "2"));
    await gateway.until(() => gateway.isSettled(second), "the second");
    assert.deepEqual(seen, ["1", "1", "1", "2"]);
    assert.match(gateway.acknowledged.get(first)?.at(-1) ?? "", /^\+TERM/);
    assert.deepEqual(codesOf(errors), [...Array(3).fill("HG_HANDLER_FAILED"), "HG_EVENT_LOST"]);
  });

  test("never sees again what it refused, and its client is closed", async () => {
    const { gateway, service } = await setStream();
    service.on("message", () => {
      throw new Refuse("not this");
    });
    const sequence = await gateway.store(facts, text(1, "a"));
    await gateway.until(() => gateway.isSettled(sequence), "the end");
    assert.deepEqual(gateway.acknowledged.get(sequence), ["+TERM not this"]);
    const [pushed] = gateway.pushed;
    assert.equal(pushed?.message.headers?.get("headgate-action"), "close");
  });

  test("refuses what has a header whose name none may have, and goes on", async () => {
    const { errors, gateway, saw, service } = await setStream();
    service.on("message", () => saw("a message"));
    const { connection, subjects } = gateway;
    connection.publish(subjects.message("A.1"), "x", { headers: unreadableHeaders() });
    const sequence = await gateway.store(facts, text(1, "a"));
    await gateway.until(() => gateway.isSettled(sequence), "the next one");
    assert.deepEqual(codesOf(errors), ["HG_EVENT_REFUSED"]);
    assert.match(gateway.acknowledged.get(sequence - 1)?.at(-1) ?? "", /^\+TERM/);
  });

  test("that follows one that died gets what it had in order, then newer ones", async () => {
    const first = await setStream({
      nats: { jetStream: { durable: "service", ackWaitMs: 1000 } },
      prepare({ saw, service }) {
        service.on("message", (message) => {
          saw(message.text());
          return message.text() === "2" ? new Promise(() => {}) : undefined;
        });
      },
    });
    const { gateway } = first;
    const say = (number: number) => gateway.store(facts, text(number, String(number)));
    for (const number of [1, 2, 3, 4]) await say(number);
    await gateway.until(() => first.seen.length === 2, "the second to be under way");
    await first.connection.close();
    await say(5);
    const second = await setStream({
      gateway,
      prepare({ saw, service }) {
        service.on("message", async (message) => saw(message.text()));
      },
    });
    await say(6);
    await gateway.until(() => second.seen.length === 5, "all that was left");
    assert.deepEqual(second.seen, ["2", "3", "4", "5", "6"]);
  });

  test("that closes hands back in order what it did not begin", async () => {
    let release = () => {};
    const first = await setStream({
      nats: { jetStream: { durable: "service", ackWaitMs: 1000 } },
      prepare({ saw, service }) {
        service.on("message", (message) => {
          saw(message.text());
          return new Promise<void>((resolve) => {
            release = resolve;
          });
        });
      },
    });
    const { gateway } = first;
    for (const number of [1, 2, 3]) await gateway.store(facts, text(number, String(number)));
    await gateway.until(() => first.seen.length === 1, "the first");
    const closed = first.service.close();
    release();
    await closed;
    const second = await setStream({
      gateway,
      prepare: ({ saw, service }) => void service.on("message", (each) => saw(each.text())),
    });
    await gateway.until(() => second.seen.length === 2, "the others");
    assert.deepEqual([first.seen, second.seen], [["1"], ["2", "3"]]);
  });

  test("sees a connection's beginning, its messages and its end in their order", async () => {
    const gateway = await NatsGateway.start(await NatsServer.start({ jetStream: true }));
    await gateway.addStream();
    const told = [CONNECTED, text(1, "a"), text(2, "b"), DISCONNECTED];
    for (const each of told) await gateway.store(facts, each);
    const { seen } = await setStream({
      gateway,
      server: gateway.server,
      prepare({ saw, service }) {
        service.on("connected", async () => saw("in"));
        service.on("message", (message) => saw(message.text()));
        service.on("disconnected", () => saw("out"));
      },
    });
    await gateway.until(() => seen.length === 4, "all, though they were there before it");
    assert.deepEqual(seen, ["in", "a", "b", "out"]);
  });

  test("gets those of its partitions, and has a durable of its own", async () => {
    const prepare = ({ saw, service }: NatsStage) =>
      void service.on("message", ({ connectionId }) => saw(connectionId));
    const low = { partitions: [0, 1, 2, 3, 4, 5, 6, 7], jetStream: { durable: "low" } };
    const high = { partitions: [8, 9, 10, 11, 12, 13, 14, 15], jetStream: { durable: "high" } };
    const first = await setStream({ nats: low, prepare });
    const { gateway } = first;
    const second = await setStream({ gateway, nats: high, prepare });
    const ids = Array.from({ length: 40 }, (_, index) => `AAAAAAAAAAA.${index}`);
    for (const connectionId of ids) await gateway.store({ connectionId }, text(1, "a"));
    await gateway.until(() => first.seen.length + second.seen.length === 40, "all");
    const isLow = (id: string) => partitionOf(id) < 8;
    assert.deepEqual(first.seen, ids.filter(isLow));
    assert.deepEqual(
      second.seen,
      ids.filter((id) => !isLow(id)),
    );
  });

  test("shares a durable where it says so, and each event is handled once", async () => {
    const nats = { jetStream: { durable: "service", isShared: true } };
    const prepare = ({ saw, service }: NatsStage) =>
      void service.on("message", async (message) => saw(message.text()));
    const first = await setStream({ nats, prepare });
    const { gateway } = first;
    const second = await setStream({ gateway, nats, prepare });
    const texts = Array.from({ length: 40 }, (_, index) => String(index + 1));
    for (const each of texts) await gateway.store(facts, text(Number(each), each));
    const seen = () => [...first.seen, ...second.seen];
    await gateway.until(() => seen().length === 40, "all");
    assert.deepEqual(new Set(seen()), new Set(texts));
    assert.deepEqual([...first.errors, ...second.errors], []);
  });

  test("says that somebody else has its durable, and does not wait for ever", async () => {
    const nats = { jetStream: { durable: "service", ackWaitMs: 1000 } };
    const first = await setStream({
      nats,
      prepare({ saw, service }) {
        service.on("message", (message) => {
          saw(message.text());
          return new Promise(() => {});
        });
      },
    });
    const { gateway } = first;
    await gateway.store(facts, text(1, "1"));
    await gateway.until(() => first.seen.length === 1, "the first");
    const second = await setStream({ gateway, nats });
    await gateway.until(() => second.errors.length > 0, "an error");
    assert.deepEqual(codesOf(second.errors), ["HG_NATS_ORDER_LOST"]);
  });

  test("loses nothing and no order when the server dies and comes back", async () => {
    const server = await NatsServer.start({ jetStream: true });
    const gateway = await NatsGateway.start(server);
    await gateway.addStream("file");
    const numbers = new Set<number>();
    const { seen } = await setStream({
      gateway,
      server,
      nats: { jetStream: { durable: "service", ackWaitMs: 1000 } },
      prepare({ saw, service }) {
        service.on("message", async (message) => {
          // What comes again has the same number.
          if (!numbers.has(message.number)) saw(message.text());
          numbers.add(message.number);
        });
      },
    });
    for (let number = 1; number <= 30; number += 1) {
      if (number % 10 === 0) {
        await server.kill();
        await server.restart();
      }
      await storeAtLast(gateway, number);
    }
    await gateway.until(() => seen.length === 30, "all thirty");
    assert.deepEqual(
      seen,
      Array.from({ length: 30 }, (_, index) => String(index + 1)),
    );
  });

  test("holds a signature to the time at which the stream got the event", async () => {
    const service = { keys: "key" };
    const { gateway } = await setStream({ service });
    const good = await gateway.store(facts, text(1, "good"), { signingKeys: ["key"] });
    const sentAtMs = Date.now() - 310_000;
    const old = await gateway.store(facts, text(2, "old"), { signingKeys: ["key"], sentAtMs });
    const later = mock.method(Date, "now", () => sentAtMs + 3_600_000);
    const jetStream = { durable: "later" };
    const prepare = ({ saw, service }: NatsStage) =>
      void service.on("message", (message) => saw(message.text()));
    const { errors, seen } = await setStream({ gateway, service, nats: { jetStream }, prepare });
    await gateway.until(() => seen.length + errors.length === 2, "both");
    later.mock.restore();
    assert.deepEqual([seen, codesOf(errors)], [["good"], ["HG_EVENT_REFUSED"]]);
    assert.ok(gateway.isSettled(good) && gateway.isSettled(old));
  });

  test("says at once that its consumer is gone, also where the whole stream is", async () => {
    for (const what of ["consumer", "stream"]) {
      const { errors, gateway, saw, seen, service } = await setStream();
      service.on("message", () => saw("a message"));
      await gateway.store(facts, text(1, "a"));
      await gateway.until(() => seen.length === 1, "an event");
      const manager = await jetstreamManager(gateway.connection);
      if (what === "stream") await manager.streams.delete(gateway.prefix);
      else await manager.consumers.delete(gateway.prefix, "service");
      await gateway.until(() => errors.length > 0, `that the ${what} is gone`);
      assert.deepEqual(codesOf(errors), ["HG_NATS_CONSUMER_GONE"]);
    }
  });

  test("waits for the stream, which the gateway makes", async () => {
    const gateway = await NatsGateway.start(await NatsServer.start({ jetStream: true }));
    const jetStream = { stream: gateway.prefix, durable: "service" };
    let errors: Error[] = [];
    const prepare = (stage: NatsStage) => {
      errors = stage.errors;
    };
    const nats = { jetStream };
    const waiting = setNats({ gateway, server: gateway.server, nats, prepare });
    await gateway.until(() => errors.length > 0, "it misses the stream");
    await gateway.addStream();
    const { saw, seen, service } = await waiting;
    service.on("message", (message) => saw(message.text()));
    await gateway.store(facts, text(1, "a"));
    await gateway.until(() => seen.length > 0, "the event");
    assert.deepEqual(codesOf(errors), ["HG_NATS_STREAM_MISSING"]);
  });

  test("refuses a consumer that would break its promises, by what is wrong with it", async () => {
    const { connection, gateway } = await setStream();
    const manager = await jetstreamManager(gateway.connection);
    const stream = gateway.prefix;
    const common = { ack_policy: AckPolicy.Explicit };
    const filter = `${stream}.event.*.message.*`;
    for (const [durable, config, word] of [
      ["some", { ...common, filter_subject: filter }, /leaves out .*\.connected/],
      ["none", { ack_policy: AckPolicy.None }, /"none" and must be "explicit"/],
      ["pushing", { ...common, deliver_subject: "there" }, /it pushes/],
      ["hasty", { ...common, ack_wait: 1_000_000 }, /less than a second/],
    ] as const) {
      await manager.consumers.add(stream, { durable_name: durable, ...config });
      const nats = { jetStream: { stream, durable } };
      const refused = { code: "HG_NATS_CONSUMER_UNFIT", message: word };
      await assert.rejects(setNats({ gateway, nats }), refused);
    }
    assert.equal(connection.isClosed(), false);
  });
});
