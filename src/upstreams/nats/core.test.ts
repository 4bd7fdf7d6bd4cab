import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { NatsServer, natsMissing } from "../../../test/support/nats-server.ts";
import { unreadableHeaders } from "../../../test/support/unreadable-headers.ts";
import { until } from "../../../test/support/until.ts";
import { BINARY, TEXT } from "../../core/opcode.ts";
import { connectRequest } from "../fixtures.test.helper.ts";
import { type Bench, NatsService, startBench } from "./fixtures.test.helper.ts";
import { partitionOf } from "./subjects.ts";

async function startBoth(): Promise<{ bench: Bench; service: NatsService }> {
  const server = await NatsServer.start();
  const service = await NatsService.start(server);
  const bench = await startBench({ server });
  await bench.untilReady();
  return { bench, service };
}

describe("events over core NATS", { skip: natsMissing }, () => {
  test("come on their subjects, in the order of the connection, and are acknowledged", async () => {
    const { bench, service } = await startBoth();
    bench.open(7);
    bench.upstream.connected(7);
    bench.say(7, "one");
    bench.say(7, "two");
    bench.upstream.disconnected(7, "client-closed", 1000);
    await until(() => service.of("disconnected").length === 1);
    const id = bench.idOf(7);
    const messages = `headgate.event.chat.message.${partitionOf(id)}`;
    assert.deepEqual(
      service.events.map(({ subject, text }) => [subject, text]),
      [
        ["headgate.event.chat.connected", "{}"],
        [messages, "one"],
        [messages, "two"],
        ["headgate.event.chat.disconnected", '{"reason":"client-closed","code":1000}'],
      ],
    );
    const [connected, one, two, disconnected] = service.events;
    for (const event of service.events) assert.equal(event.connectionId, id);
    assert.equal(one?.headers.get("content-type")?.[0], "text/plain; charset=utf-8");
    assert.equal(two?.headers.get("ce-messagenumber")?.[0], "2");
    const replyTo = `headgate.push.chat.conn.${id}`;
    for (const event of [connected, one]) {
      assert.equal(event?.headers.get("headgate-reply-to")?.[0], replyTo);
    }
    assert.equal(disconnected?.headers.has("headgate-reply-to"), false);
    assert.equal(one?.message.reply, replyTo);
    assert.equal(new Set(service.events.map((event) => event.id)).size, 4);
    assert.equal(bench.upstream.counts().heldMessages, 0);
  });

  test("that no service subscribes to are lost, and the log says so", async () => {
    const bench = await startBench();
    await bench.untilReady();
    bench.open(1);
    bench.say(1, "into the void");
    await until(() => bench.upstream.counts().incidents.unheard === 1);
    assert.ok(bench.log.has("warn", "no service has subscribed"));
    assert.equal(bench.sink.count("execute"), 0);
    assert.equal(bench.sink.count("acknowledged", 1), 1);
  });
});

describe("without a server that reads, events over core NATS", { skip: natsMissing }, () => {
  test("are acknowledged up to a bound, and then held until it reads again", async () => {
    const { bench, service } = await startBoth();
    await bench.server.pause();
    bench.open(1);
    const text = "x".repeat(64 * 1024);
    for (let index = 0; index < 40; index += 1) bench.say(1, text);
    // 16 of them are a mebibyte with their headers.
    await until(() => bench.sink.count("acknowledged", 1) === 16);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(bench.sink.count("acknowledged", 1), 16);
    assert.equal(bench.upstream.counts().heldMessages, 24);
    bench.server.resume();
    await until(() => bench.sink.count("acknowledged", 1) === 40);
    await until(() => service.of("message").length === 40);
  });

  test("are held while there is none, and go out in order when it is back", async () => {
    const { bench, service } = await startBoth();
    await bench.server.kill();
    await until(() => bench.upstream.counts().isDown);
    bench.open(1);
    for (const text of ["one", "two", "three"]) bench.say(1, text);
    assert.equal(bench.upstream.counts().heldConnections, 1);
    // The service is back before the gateway is let go on: at most once waits for nobody.
    await bench.server.restart();
    await bench.untilReady();
    await until(() => bench.sink.count("acknowledged", 1) === 3);
    await until(
      () => service.texts().length + bench.upstream.counts().incidents.unheard === 3,
      "each was heard, or told to be unheard",
    );
    const heard = service.texts();
    assert.deepEqual(heard, ["one", "two", "three"].slice(3 - heard.length));
  });

  test("that it has not read are in its hands before a gateway that stops is gone", async () => {
    const { bench, service } = await startBoth();
    await bench.server.pause();
    bench.open(1);
    bench.say(1, "one");
    await until(() => bench.sink.count("acknowledged", 1) === 1);
    let isClosed = false;
    const closed = bench.upstream.close(10_000).then(() => {
      isClosed = true;
    });
    await assert.rejects(bench.server.connect({ timeout: 200, reconnect: false }));
    assert.equal(isClosed, false);
    bench.server.resume();
    await closed;
    await until(() => service.texts().length === 1);
  });

  test("that were on their way are told of when the connection is lost", async () => {
    const { bench } = await startBoth();
    await bench.server.pause();
    bench.open(1);
    bench.say(1, "one");
    await until(() => bench.sink.count("acknowledged", 1) === 1);
    await bench.server.kill();
    await bench.log.find(/it is not known whether NATS took them/);
  });
});

describe("a connect event over NATS", { skip: natsMissing }, () => {
  test("is a request whose answer lets the client in as over HTTP", async () => {
    const { bench, service } = await startBoth();
    service.respond = ({ message }) => {
      message.respond(JSON.stringify({ userId: "ann", groups: ["lobby"], subprotocol: "v1" }));
    };
    const request = { ...connectRequest, subprotocols: ["v1"], headers: { traceparent: ["00-a"] } };
    const answer = await bench.upstream.connect(request, 5000);
    assert.deepEqual(answer, {
      accepted: true,
      userId: "ann",
      groups: ["lobby"],
      subprotocol: "v1",
      connectionState: undefined,
    });
    const [connect] = service.events;
    assert.equal(connect?.subject, "headgate.event.chat.connect");
    assert.equal(connect?.headers.get("traceparent")?.[0], "00-a");
    assert.deepEqual(JSON.parse(connect?.text ?? "").subprotocols, ["v1"]);
    assert.notEqual(bench.upstream.counts().durations.connect?.sum, 0);
  });

  test("without a service is answered with 503 at once", async () => {
    const bench = await startBench();
    await bench.untilReady();
    const answer = await bench.upstream.connect(connectRequest, 60_000);
    assert.deepEqual([answer.accepted, "status" in answer && answer.status], [false, 503]);
    assert.ok(bench.log.has("warn", "no service answers on headgate.event.chat.connect"));
  });

  test("that is not answered in time is 503", async () => {
    const { bench, service } = await startBoth();
    service.respond = () => {};
    const answer = await bench.upstream.connect(connectRequest, 50);
    assert.equal("status" in answer && answer.status, 503);
    assert.ok(bench.log.has("warn", "no service answered in time"));
  });
});

describe("events over core NATS when the gateway stops", { skip: natsMissing }, () => {
  test("are told of when the server has not read them in time", async () => {
    const { bench } = await startBoth();
    await bench.server.pause();
    bench.open(1);
    for (const text of ["one", "two"]) bench.say(1, text);
    await until(() => bench.sink.count("acknowledged", 1) === 2);
    await bench.upstream.close(100);
    const told = await bench.log.find(/it is not known whether NATS took them/);
    assert.equal(told[0]?.fields.count, 2);
    bench.server.resume();
  });
});

describe("pushes over NATS", { skip: natsMissing }, () => {
  const commandsOf = ({ sink }: Bench) =>
    sink.calls.flatMap((call) => (call.call === "execute" ? [call.command] : []));

  test("reach connections, users, groups and all, and act on them", async () => {
    const { bench, service } = await startBoth();
    const connection = `conn.${bench.nonce}.7`;
    service.push(connection, "one");
    service.push("user.ann", "two", { "content-type": "text/plain", "headgate-push-id": "p1" });
    service.push("group.~YSBi", "three", { "headgate-excluded": "a.1,b.2" });
    service.push("all", Uint8Array.of(0, 255));
    service.push(connection, "lobby", { "Headgate-Action": "join" });
    service.push("user.ann", "lobby", { "headgate-action": "leave" });
    service.push(connection, "bye", { "headgate-action": "close" });
    await until(() => bench.sink.count("execute") === 7);
    const seen = commandsOf(bench).map(({ verb, target, opcode, bytes, argument, ...rest }) => [
      verb,
      Object.values(target).join(" "),
      opcode === TEXT ? "text" : "binary",
      Buffer.from(bytes).toString("latin1"),
      argument,
      rest.pushId ?? rest.excluded.join(),
    ]);
    assert.deepEqual(seen, [
      ["send", `connection ${bench.nonce}.7`, "binary", "one", "", ""],
      ["send", "user ann", "text", "two", "", "p1"],
      ["send", "group a b", "binary", "three", "", "a.1,b.2"],
      ["send", "all", "binary", "\0\xff", "", ""],
      ["join", `connection ${bench.nonce}.7`, "binary", "", "lobby", ""],
      ["leave", "user ann", "binary", "", "lobby", ""],
      ["close", `connection ${bench.nonce}.7`, "binary", "", "bye", ""],
    ]);
    assert.equal(BINARY, commandsOf(bench)[0]?.opcode);
  });

  test("come from respond() on a message, and from its headgate-reply-to", async () => {
    const { bench, service } = await startBoth();
    service.respond = ({ message, headers }) => {
      message.respond("by respond");
      const replyTo = headers.get("headgate-reply-to")?.[0] as string;
      service.connection.publish(replyTo, "by headgate-reply-to");
    };
    bench.open(7);
    bench.say(7, "hello");
    await until(() => bench.sink.count("execute") === 2);
    const texts = commandsOf(bench).map(({ bytes }) => Buffer.from(bytes).toString());
    assert.deepEqual(texts, ["by respond", "by headgate-reply-to"]);
    const target = { kind: "connection", connectionId: bench.idOf(7) };
    for (const command of commandsOf(bench)) assert.deepEqual(command.target, target);
  });

  test("are no acknowledgements of a stream that stores this hub's messages", async () => {
    const server = await NatsServer.start({ jetStream: true });
    const { streams } = await jetstreamManager(await server.connect());
    await streams.add({ name: "left", subjects: ["headgate.event.*.message.*"] });
    const bench = await startBench({ server });
    await bench.untilReady();
    bench.open(1);
    bench.say(1, "hello");
    await until(() => bench.upstream.counts().pushes.unusable === 1);
    assert.equal(bench.sink.count("execute"), 0);
    assert.ok(bench.log.has("error", "what a stream says"));
    const service = await NatsService.start(server);
    const acknowledgement = '{"stream":"left","seq":2}';
    service.push("all", acknowledgement);
    service.push(`conn.${bench.idOf(1)}`, acknowledgement, { "content-type": "text/plain" });
    await until(() => bench.sink.count("execute") === 2);
  });

  test("for connections of another worker, or another hub, do not come here", async () => {
    const { bench, service } = await startBoth();
    service.push("conn.AAAAAAAAAAA.1", "not ours");
    service.connection.publish("headgate.push.other.all", "not ours");
    service.push("all", "ours");
    await until(() => bench.sink.count("execute") > 0);
    const texts = commandsOf(bench).map(({ bytes }) => Buffer.from(bytes).toString());
    assert.deepEqual(texts, ["ours"]);
  });

  test("that cannot be used do nothing, and the log says why", async () => {
    const { bench, service } = await startBoth();
    service.push("all", "x", { "headgate-action": "dance" });
    service.push("all", "x".repeat(1025));
    service.push("all", "good");
    await until(() => bench.sink.count("execute") === 1);
    assert.equal(bench.upstream.counts().pushes.unusable, 2);
    assert.ok(bench.log.has("error", "headgate-action is"));
  });

  test("with a header whose name none may have cost nothing but themselves", async () => {
    const { bench, service } = await startBoth();
    const headers = unreadableHeaders();
    service.connection.publish("headgate.push.chat.all", "x", { headers });
    service.push("all", "good");
    await until(() => bench.sink.count("execute") === 1);
    assert.equal(bench.upstream.counts().pushes.unusable, 1);
    assert.ok(bench.log.has("error", "a character that none may have"));
  });

  test("under way are bounded: the next ones are dropped, counted and logged", async () => {
    const { bench, service } = await startBoth();
    let settle = () => {};
    const stuck = new Promise<void>((resolve) => {
      settle = resolve;
    });
    bench.sink.execute = async () => {
      await stuck;
      return { matched: 0, dropped: 0 };
    };
    for (let index = 0; index < 10_010; index += 1) service.push("all", "");
    await service.connection.flush();
    await until(() => bench.upstream.counts().pushes.dropped === 10);
    assert.equal(bench.upstream.counts().pushes.executed, 10_000);
    assert.ok(bench.log.has("error", "pushes over NATS were dropped"));
    settle();
  });
});
