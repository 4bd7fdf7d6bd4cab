import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { NatsServer, natsMissing } from "../../../test/support/nats-server.ts";
import { until } from "../../../test/support/until.ts";
import { type Bench, NatsService, startBench } from "./fixtures.test.helper.ts";

const STORED = { delivery: "at-least-once" } as const;
const QUICK = { serviceTimeoutMs: 300, serviceConnectTimeoutMs: 500 };

interface Stored {
  subject: string;
  text: string;
  id: string;
}

/** All that the stream holds, in its order. */
async function stored(server: NatsServer, stream = "headgate"): Promise<Stored[]> {
  const connection = await server.connect();
  const manager = await jetstreamManager(connection);
  const { state } = await manager.streams.info(stream);
  const messages: Stored[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq && state.messages > 0; seq += 1) {
    const message = await manager.streams.getMessage(stream, { seq });
    assert.ok(message !== null);
    const id = message.header.get("Nats-Msg-Id");
    assert.equal(message.header.get("ce-id"), id);
    messages.push({ subject: message.subject, text: message.string(), id });
  }
  await connection.close();
  return messages;
}

/** Sends as a client whose window is `window`, until all `count` messages are acknowledged. */
function flood(bench: Bench, place: number, count: number, window = 4): Promise<void> {
  let sent = 0;
  const before = bench.sink.acknowledgedHook;
  const next = () => {
    while (sent < count && sent - bench.sink.count("acknowledged", place) < window) {
      sent += 1;
      bench.say(place, `${place}:${sent}`);
    }
  };
  bench.open(place);
  bench.sink.acknowledgedHook = (acknowledged) => {
    before(acknowledged);
    if (acknowledged === place) next();
  };
  next();
  return until(
    () => bench.sink.count("acknowledged", place) === count,
    `${count} of ${place} acknowledged`,
  );
}

function assertWhole(messages: Stored[], place: number, count: number): void {
  const texts = messages.map(({ text }) => text).filter((text) => text.startsWith(`${place}:`));
  const expected = Array.from({ length: count }, (_, index) => `${place}:${index + 1}`);
  assert.deepEqual(texts, expected, "each once, in order");
}

describe("events over JetStream", { skip: natsMissing }, () => {
  test("are stored in their order, under their ids, and then acknowledged", async () => {
    const bench = await startBench({ service: STORED });
    bench.open(3);
    bench.upstream.connected(3);
    bench.say(3, "one");
    bench.say(3, "two");
    await until(() => bench.sink.count("acknowledged", 3) === 2);
    bench.upstream.disconnected(3, "client-closed", 1000);
    await bench.upstream.close(5000);
    const messages = await stored(bench.server);
    assert.deepEqual(
      messages.map(({ text }) => text),
      ["{}", "one", "two", '{"reason":"client-closed","code":1000}'],
    );
    assert.equal(new Set(messages.map(({ id }) => id)).size, 4);
  });

  test("carry headgate-reply-to, while their reply subject is the stream's", async () => {
    const server = await NatsServer.start({ jetStream: true });
    const service = await NatsService.start(server);
    const bench = await startBench({ server, service: STORED });
    service.respond = ({ headers }) => {
      service.connection.publish(headers.get("headgate-reply-to")?.[0] as string, "hello yourself");
    };
    bench.open(3);
    bench.say(3, "hello");
    await until(() => bench.sink.count("execute") === 1);
    assert.notEqual(
      service.of("message")[0]?.message.reply,
      `headgate.push.chat.conn.${bench.idOf(3)}`,
    );
  });

  test("are one at a time for a connection, and in parallel for many", async () => {
    const bench = await startBench({ service: STORED });
    await bench.untilReady();
    await bench.server.pause();
    for (const place of [1, 2, 3]) {
      bench.open(place);
      for (const text of ["a", "b", "c"]) bench.say(place, text);
    }
    assert.equal(bench.upstream.counts().inflight, 3);
    assert.equal(bench.upstream.counts().heldMessages, 9);
    bench.server.resume();
    await until(() => bench.sink.count("acknowledged") === 9);
  });

  test("are all there once, in order, when the server is killed and comes back", async () => {
    const bench = await startBench({ service: STORED, limits: QUICK });
    await bench.untilReady();
    const floods = Promise.all([1, 2, 3].map((place) => flood(bench, place, 150)));
    for (const acknowledged of [60, 200]) {
      await until(() => bench.sink.count("acknowledged") >= acknowledged);
      await bench.server.kill();
      await until(() => bench.upstream.counts().isDown);
      await bench.server.restart();
    }
    await floods;
    assert.equal(bench.sink.count("fail"), 0);
    const messages = await stored(bench.server);
    for (const place of [1, 2, 3]) assertWhole(messages, place, 150);
    const { incidents } = bench.upstream.counts();
    assert.deepEqual([incidents.disconnect, incidents.reconnect], [2, 2]);
  });

  test("are all there once, in order, when the server stands still for a while", async () => {
    const bench = await startBench({ service: STORED, limits: QUICK });
    await bench.untilReady();
    const flooded = flood(bench, 1, 100);
    await until(() => bench.sink.count("acknowledged") >= 20);
    await bench.server.pause();
    // The same event is sent again and again; the stream has it once.
    await until(() => bench.upstream.counts().retries >= 2);
    assert.equal(bench.upstream.counts().heldConnections, 1);
    bench.server.resume();
    await flooded;
    assertWhole(await stored(bench.server), 1, 100);
  });

  test("of beginnings and ends are stored once, under one id, however often tried", async () => {
    const bench = await startBench({ service: STORED, limits: QUICK });
    await bench.untilReady();
    await bench.server.pause();
    for (const place of [1, 2]) {
      bench.open(place);
      bench.upstream.connected(place);
      bench.upstream.disconnected(place, "client-closed", 1000);
    }
    await until(() => bench.upstream.counts().retries >= 4);
    bench.server.resume();
    await bench.upstream.close(10_000);
    const messages = await stored(bench.server);
    const subjects = messages.map(({ subject }) => subject.split(".").at(-1)).sort();
    assert.deepEqual(subjects, ["connected", "connected", "disconnected", "disconnected"]);
    assert.equal(new Set(messages.map(({ id }) => id)).size, 4);
  });

  test("under way are never more than serviceInflightMax, also when NATS is back", async () => {
    const limits = { ...QUICK, serviceInflightMax: 16 };
    const bench = await startBench({ service: STORED, limits });
    await bench.untilReady();
    await bench.server.kill();
    await until(() => bench.upstream.counts().isDown);
    let peak = 0;
    bench.sink.acknowledgedHook = () => {
      peak = Math.max(peak, bench.upstream.counts().inflight);
    };
    const places = Array.from({ length: 60 }, (_, index) => index + 1);
    for (const place of places) {
      bench.open(place);
      bench.say(place, `${place}:1`);
      bench.say(place, `${place}:2`);
    }
    assert.equal(bench.upstream.counts().inflight, 0);
    await bench.server.restart();
    await until(() => bench.sink.count("acknowledged") === 120);
    // An eighth is kept for clients that ask to come in.
    assert.ok(peak > 1 && peak <= 14, `${peak} were under way`);
  });

  test("are held by a stream that is full, and stored when there is room", async () => {
    const server = await NatsServer.start({ jetStream: true });
    const manager = await jetstreamManager(await server.connect());
    await manager.streams.add({
      name: "headgate",
      subjects: [
        "headgate.event.*.connected",
        "headgate.event.*.message.*",
        "headgate.event.*.disconnected",
      ],
      max_msgs: 2,
      discard: "new",
      duplicate_window: 120e9,
    });
    const bench = await startBench({ server, service: STORED });
    await bench.untilReady();
    bench.open(1);
    for (const text of ["one", "two", "three"]) bench.say(1, text);
    await until(() => bench.upstream.counts().heldConnections === 1);
    assert.equal(bench.sink.count("acknowledged", 1), 2);
    assert.ok(bench.log.has("error", "maximum messages exceeded"));
    await manager.streams.purge("headgate");
    await until(() => bench.sink.count("acknowledged", 1) === 3);
    assert.deepEqual(
      (await stored(server)).map(({ text }) => text),
      ["three"],
    );
  });

  test("are stored in a new stream when somebody has deleted theirs", async () => {
    const bench = await startBench({ service: STORED });
    await flood(bench, 1, 3);
    const manager = await jetstreamManager(await bench.server.connect());
    await manager.streams.delete("headgate");
    bench.say(1, "1:4");
    await until(() => bench.sink.count("acknowledged", 1) === 4);
    assert.deepEqual(
      (await stored(bench.server)).map(({ text }) => text),
      ["1:4"],
    );
  });

  test("are held while a service or another stream answers in their stream's place", async () => {
    const bench = await startBench({ service: STORED });
    await flood(bench, 1, 3);
    const manager = await jetstreamManager(await bench.server.connect());
    await manager.streams.delete("headgate");
    const service = await NatsService.start(bench.server);
    service.respond = ({ message }) => message.respond('{"ok":true}');
    bench.say(1, "1:4");
    const told = await bench.log.find(/the stream does not store events/);
    assert.match(String(told[0]?.fields.cause), /what answers is not the stream "headgate"/);
    // It was looked at then, and made anew.
    service.respond = () => {};
    await until(() => bench.sink.count("acknowledged", 1) === 4);
    const texts = (await stored(bench.server)).map(({ text }) => text);
    assert.deepEqual(texts, ["1:4"]);
    await manager.streams.delete("headgate");
    await manager.streams.add({ name: "another", subjects: ["headgate.event.>"] });
    bench.say(1, "1:5");
    await until(() => bench.upstream.counts().isDown);
    await bench.log.find(/NATS is there and cannot be used/);
    assert.equal(bench.sink.count("acknowledged", 1), 4);
  });

  test("of a stream that acknowledges no more are held, and the log says so", async () => {
    const bench = await startBench({ service: STORED, limits: QUICK });
    await flood(bench, 1, 1);
    const manager = await jetstreamManager(await bench.server.connect());
    await manager.streams.update("headgate", { no_ack: true });
    bench.say(1, "1:2");
    await bench.log.find(/NATS is there and cannot be used/);
    assert.ok(bench.log.has("error", "it acknowledges nothing"));
    await manager.streams.update("headgate", { no_ack: false });
    await until(() => bench.sink.count("acknowledged", 1) === 2);
    assertWhole(await stored(bench.server), 1, 2);
  });

  test("over the max_msg_size of their stream are too big as well", async () => {
    const server = await NatsServer.start({ jetStream: true });
    const manager = await jetstreamManager(await server.connect());
    const subjects = ["connected", "message.*", "disconnected"].map(
      (rest) => `headgate.event.*.${rest}`,
    );
    const shape = { name: "headgate", subjects, duplicate_window: 120e9 };
    await manager.streams.add({ ...shape, max_msg_size: 2048 });
    const bench = await startBench({ server, service: STORED });
    bench.open(1);
    bench.say(1, "x".repeat(5000));
    await until(() => bench.sink.count("fail", 1) === 1);
    assert.deepEqual(bench.sink.calls, [{ call: "fail", place: 1, reason: "message-too-big" }]);
    assert.equal(bench.upstream.counts().abandoned["message-too-big"], 1);
  });

  test("need no more rights on the server than docs/nats.md names", async () => {
    const configuration = `authorization { users: [ { user: a, password: b, permissions: {
      publish: ["headgate.event.>", "$JS.API.STREAM.INFO.headgate",
        "$JS.API.STREAM.CREATE.headgate"],
      subscribe: ["headgate.push.>", "_INBOX.>"] } } ] }`;
    const login = { user: "a", password: "b" };
    const bench = await startBench({
      server: { jetStream: true, configuration },
      service: { ...STORED, ...login },
    });
    bench.open(1);
    bench.say(1, "one");
    await until(() => bench.sink.count("acknowledged", 1) === 1);
    assert.equal(bench.upstream.counts().incidents.error, 0);
  });

  test("that are held when the gateway stops are stored within its time", async () => {
    const bench = await startBench({ service: STORED, limits: QUICK });
    await bench.untilReady();
    await bench.server.kill();
    await until(() => bench.upstream.counts().isDown);
    bench.open(1);
    bench.say(1, "late");
    const closed = bench.upstream.close(10_000);
    await bench.server.restart();
    await closed;
    assert.deepEqual(
      (await stored(bench.server)).map(({ text }) => text),
      ["late"],
    );
  });
});
