import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { jetstreamManager, type StreamConfig } from "@nats-io/jetstream";
import { NatsServer, natsMissing } from "../../../test/support/nats-server.ts";
import { until } from "../../../test/support/until.ts";
import { HeadgateError } from "../../core/error.ts";
import { startBench } from "./fixtures.test.helper.ts";
import { findFault, prepareStream, type StreamFacts, type StreamPlan } from "./stream.ts";
import { Subjects } from "./subjects.ts";

const subjects = new Subjects("headgate", "chat");
const plan: StreamPlan = {
  stream: "headgate",
  prefix: "headgate",
  stored: subjects.events,
  connect: subjects.connect,
  longestRetryMs: 40_000,
  sharedRetryMs: 40_000,
  timeoutMs: 5000,
};
const SUBJECTS = ["connected", "message.*", "disconnected"].map(
  (rest) => `headgate.event.*.${rest}`,
);
const fit: StreamFacts = { subjects: SUBJECTS, no_ack: false, duplicate_window: 120e9 };

test("a stream fits that stores a hub's events and remembers ids for long enough", () => {
  assert.equal(findFault(fit, plan), undefined);
  const own = ["headgate.event.chat.connected", "headgate.event.chat.message.>"];
  const narrow = [...own, "headgate.event.chat.disconnected"];
  assert.equal(findFault({ ...fit, subjects: narrow }, plan), undefined);
});

describe("a stream does not fit", () => {
  const cases: [string, Partial<StreamFacts>, RegExp][] = [
    ["without a subject", { subjects: SUBJECTS.slice(0, 2) }, /does not store .*disconnected/],
    [
      "without all partitions",
      {
        subjects: [
          ...SUBJECTS.filter((each) => !each.includes("message")),
          "headgate.event.*.message.0",
        ],
      },
      /does not store headgate\.event\.chat\.message\.1;/,
    ],
    ["that takes connect events", { subjects: ["headgate.event.>"] }, /takes connect events too/],
    ["that acknowledges nothing", { no_ack: true }, /no_ack/],
    ["that forgets ids too early", { duplicate_window: 40_000e6 }, /40000 ms.*make the window/],
  ];
  for (const [what, facts, fault] of cases) {
    test(what, () => assert.match(findFault({ ...fit, ...facts }, plan) ?? "", fault));
  }
});

describe("on a real server", { skip: natsMissing }, () => {
  async function failureOf(server: NatsServer): Promise<HeadgateError> {
    const connection = await server.connect();
    const error: unknown = await prepareStream(connection, plan).catch((caught) => caught);
    assert.ok(error instanceof HeadgateError, String(error));
    return error;
  }

  test("a missing stream is created, bounded, and found again", async () => {
    const server = await NatsServer.start({ jetStream: true });
    const connection = await server.connect();
    await Promise.all([prepareStream(connection, plan), prepareStream(connection, plan)]);
    await prepareStream(connection, plan);
    const { config } = await (await jetstreamManager(connection)).streams.info("headgate");
    assert.deepEqual(config.subjects, SUBJECTS);
    assert.equal(config.discard, "new");
    assert.equal(config.max_bytes, 1024 ** 3);
    assert.equal(config.max_age, 24 * 3600 * 1e9);
    assert.equal(config.duplicate_window, 120e9);
  });

  test("one that does not fit is told of, and left as it is", async () => {
    const server = await NatsServer.start({ jetStream: true });
    const manager = await jetstreamManager(await server.connect());
    const wrong: Partial<StreamConfig> & { name: string } = {
      name: "headgate",
      subjects: ["headgate.event.>"],
    };
    await manager.streams.add(wrong);
    const error = await failureOf(server);
    assert.equal(error.code, "HG_NATS_STREAM_UNFIT");
    assert.match(error.message, /^the stream "headgate" does not fit: .* instead$/);
    assert.deepEqual((await manager.streams.info("headgate")).config.subjects, wrong.subjects);
  });

  test("subjects that another stream has are told of", async () => {
    const server = await NatsServer.start({ jetStream: true });
    const manager = await jetstreamManager(await server.connect());
    await manager.streams.add({ name: "other", subjects: ["headgate.>"] });
    const error = await failureOf(server);
    assert.equal(error.code, "HG_NATS_STREAM_REFUSED");
    assert.match(error.message, /overlap/);
  });

  test("a server without JetStream is told of", async () => {
    const error = await failureOf(await NatsServer.start());
    assert.equal(error.code, "HG_NATS_JETSTREAM_OFF");
    assert.match(error.message, /enable it, or set delivery: at-most-once$/);
  });

  test("the carrier holds events until a stream fits, and says in the log why", async () => {
    const server = await NatsServer.start({ jetStream: true });
    const manager = await jetstreamManager(await server.connect());
    await manager.streams.add({ name: "headgate", subjects: ["headgate.event.>"] });
    const bench = await startBench({ server, service: { delivery: "at-least-once" } });
    const [line] = await bench.log.find(/NATS is there and cannot be used/);
    assert.equal(line?.level, "error");
    assert.equal(line?.fields.code, "HG_NATS_STREAM_UNFIT");
    assert.equal(bench.upstream.counts().isDown, true);
    await manager.streams.delete("headgate");
    await bench.untilReady();
  });

  test("an answer that stays out is not waited for longer than for a connection", async () => {
    // What a cluster does while it has no leader: it is there, and says nothing.
    const server = await NatsServer.start();
    const connection = await server.connect();
    let asked = 0;
    connection.subscribe("$JS.API.STREAM.INFO.headgate", {
      callback: () => {
        asked += 1;
      },
    });
    await connection.flush();
    const limits = { serviceTimeoutMs: 60_000, serviceConnectTimeoutMs: 300 };
    const bench = await startBench({ server, service: { delivery: "at-least-once" }, limits });
    await until(() => asked >= 3);
    const [line] = await bench.log.find(/NATS is there and cannot be used/);
    assert.equal(line?.fields.code, "HG_NATS_STREAM_UNKNOWN");
  });
});
