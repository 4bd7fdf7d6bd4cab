/**
 * The whole gateway with services over NATS: real clients, a real server, which also dies, and
 * services that are plain NATS clients.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { headers, nanos } from "@nats-io/transport-node";
import { GatewayProcess } from "./support/gateway-process.ts";
import { NatsServer, natsMissing } from "./support/nats-server.ts";
import { ObservedClient } from "./support/observed-client.ts";
import { Exposition } from "./support/prometheus.ts";
import { runNode } from "./support/run-node.ts";
import { makeTemporaryFolder } from "./support/temporary-folder.ts";

const WINDOW = 4;
const MAIN = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));

/** Answers what is published on `subject`, until its connection ends. */
async function serve(
  connection: NatsConnection,
  subject: string,
  answer: (message: Msg) => void,
): Promise<void> {
  connection.subscribe(subject, {
    callback: (error, message) => {
      if (error !== null) throw error;
      answer(message);
    },
  });
  await connection.flush();
}

function withAction(action: string) {
  const written = headers();
  written.set("headgate-action", action);
  return { headers: written };
}

/** Asks until the answer is as much as that. */
async function untilAtLeast(count: number, ask: () => Promise<number>): Promise<void> {
  const deadlineMs = Date.now() + 15_000;
  for (let answer = await ask(); answer < count; answer = await ask()) {
    if (Date.now() > deadlineMs) throw new Error(`in vain: ${answer} of ${count}`);
  }
}

/** Of all workers, as they told it last. */
async function metric(gateway: GatewayProcess, series: string): Promise<number> {
  const page = await (await gateway.api("GET", "/metrics")).text();
  return new Exposition(page).value(series);
}

/** How many messages of clients the gateway has read. */
function messagesRead(gateway: GatewayProcess): Promise<number> {
  return metric(gateway, 'headgate_messages_received_total{hub="chat"}');
}

describe("a service over core NATS", { skip: natsMissing }, () => {
  test("lets clients in, answers their messages, pushes, and closes them", async () => {
    const server = await NatsServer.start({ token: "secret" });
    const gateway = await GatewayProcess.start(
      `chat: { paths: [/], service: { url: '${server.url}', token: secret } }`,
    );
    const service = await server.connect({ token: "secret" });
    await serve(service, "headgate.event.chat.connect", (message) => {
      const isWanted = JSON.parse(message.string()).query.name?.[0] === "Zoë";
      if (isWanted) return void message.respond('{"userId":"Zoë","groups":["lobby"]}');
      const refusal = headers();
      refusal.set("headgate-status", "403");
      message.respond("not you", { headers: refusal });
    });
    const typed = headers();
    typed.set("content-type", "text/plain");
    await serve(service, "headgate.event.chat.message.*", (message) => {
      message.respond(`you said ${message.string()}`, { headers: typed });
    });
    await gateway.record(({ msg }) => msg === "connected to NATS");
    const url = `ws://127.0.0.1:${gateway.port}/`;
    const refused = await ObservedClient.refused(`${url}?name=eve`);
    assert.deepEqual([refused.status, refused.body], [403, "not you"]);
    const client = await ObservedClient.open(`${url}?name=Zo%C3%AB`);
    client.send("hello");
    assert.deepEqual(await client.received(1), ["you said hello"]);
    const user = `headgate.push.chat.user.~${Buffer.from("Zoë").toString("base64url")}`;
    service.publish(user, "blue", withAction("join"));
    service.publish("headgate.push.chat.group.blue", "to blue", { headers: typed });
    service.publish(user, "blue", withAction("leave"));
    service.publish("headgate.push.chat.group.blue", "to nobody");
    service.publish("headgate.push.chat.all", Uint8Array.of(1, 2));
    assert.deepEqual((await client.received(3)).slice(1), ["to blue", Buffer.from([1, 2])]);
    const pushed = await gateway.api("POST", "/api/hubs/chat/groups/lobby/:send", "over REST");
    assert.equal(pushed.headers.get("headgate-matched"), "1");
    assert.deepEqual((await client.received(4)).slice(3), ["over REST"]);
    service.publish("headgate.push.chat.all", "wrong", withAction("dance"));
    service.publish("headgate.push.chat.all", "good bye", withAction("close"));
    const { code, reason } = await client.untilClosed();
    assert.equal(code, 1000);
    assert.match(reason, /^good bye/);
    const pushes = 'headgate_upstream_pushes_total{hub="chat",carrier="nats",result=';
    await untilAtLeast(7, () => metric(gateway, `${pushes}"executed"}`));
    assert.equal(await metric(gateway, `${pushes}"unusable"}`), 1);
    const incidents = 'headgate_upstream_incidents_total{hub="chat",carrier="nats",incident=';
    assert.equal(await metric(gateway, `${incidents}"disconnect"}`), 0);
    await server.kill();
    await untilAtLeast(1, () => metric(gateway, `${incidents}"disconnect"}`));
    assert.equal(await gateway.stop(), 0);
  });

  test("is not told of a message that its server cannot take: 1009, and nobody else", async () => {
    const server = await NatsServer.start({ configuration: "max_payload: 4096" });
    const gateway = await GatewayProcess.start(
      `chat: { paths: [/], service: '${server.url}', auth: { connect: false } }`,
    );
    const service = await server.connect();
    await serve(service, "headgate.event.chat.message.*", (message) => message.respond("heard"));
    await gateway.record(({ msg }) => msg === "connected to NATS");
    const url = `ws://127.0.0.1:${gateway.port}/`;
    const [client, other] = [await ObservedClient.open(url), await ObservedClient.open(url)];
    client.send("small");
    await client.received(1);
    client.send("x".repeat(5000));
    const closed = await client.untilClosed();
    assert.deepEqual(closed, { code: 1009, reason: "message too big accepted=1" });
    other.send("small");
    await other.received(1);
    await other.close();
    assert.equal(await gateway.stop(), 0);
  });
});

describe("a service over JetStream", { skip: natsMissing }, () => {
  test("gets all that was accepted, though NATS dies, and a client waits for it", async () => {
    const server = await NatsServer.start({ jetStream: true });
    const gateway = await GatewayProcess.start(
      `chat:
  paths: [/]
  service: { url: '${server.url}', delivery: at-least-once }
  auth: { connect: false }
  limits: { unacknowledgedMessagesMax: ${WINDOW}, serviceTimeoutMs: 1000 }`,
    );
    await gateway.record(({ msg }) => msg === "connected to NATS");
    const url = `ws://127.0.0.1:${gateway.port}/`;
    const client = await ObservedClient.open(url);
    await server.kill();
    await gateway.record(({ msg }) => msg.startsWith("the connection to NATS was lost"));
    const texts = Array.from({ length: 100 }, (_, index) => `message ${index + 1}`);
    for (const text of texts) client.send(text);
    await untilAtLeast(WINDOW, () => messagesRead(gateway));
    // Somebody else comes and goes meanwhile: whatever could be read of the first was read.
    await (await ObservedClient.open(url)).close();
    assert.equal(await messagesRead(gateway), WINDOW, "past its window it is not read");
    await server.restart();
    const connection = await server.connect();
    const manager = await jetstreamManager(connection);
    const messagesOf = async () => (await manager.streams.info("headgate")).state.messages;
    // With two that came, and one that went.
    await untilAtLeast(texts.length + 3, messagesOf);
    await manager.consumers.add("headgate", {
      durable_name: "service",
      ack_policy: AckPolicy.Explicit,
      filter_subject: "headgate.event.chat.message.*",
    });
    const consumer = await jetstream(connection).consumers.get("headgate", "service");
    const received: string[] = [];
    const batch = await consumer.fetch({ max_messages: texts.length, expires: 10_000 });
    for await (const message of batch) {
      received.push(message.string());
      message.ack();
    }
    assert.deepEqual(received, texts);
    await client.close();
    assert.equal(client.closed?.code, 1000);
    assert.equal(await gateway.stop(), 0);
  });

  test("gets what an instance had not acknowledged when it died, under the same ids", async () => {
    const server = await NatsServer.start({ jetStream: true });
    const gateway = await GatewayProcess.start(
      `chat: { paths: [/], service: { url: '${server.url}', delivery: at-least-once },
        auth: { connect: false } }`,
    );
    await gateway.record(({ msg }) => msg === "connected to NATS");
    const client = await ObservedClient.open(`ws://127.0.0.1:${gateway.port}/`);
    for (const text of ["one", "two", "three"]) client.send(text);
    const connection = await server.connect();
    const manager = await jetstreamManager(connection);
    await manager.consumers.add("headgate", {
      durable_name: "service",
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(500),
      filter_subject: "headgate.event.chat.message.*",
    });
    const take = async (from: NatsConnection, count: number) => {
      const taken: [string, string | undefined, string | undefined][] = [];
      const consumer = await jetstream(from).consumers.get("headgate", "service");
      for await (const message of await consumer.consume()) {
        const attribute = (name: string) => message.headers?.get(name);
        taken.push([message.string(), attribute("ce-id"), attribute("ce-messagenumber")]);
        if (taken.length === count) return taken;
      }
      return taken;
    };
    const mortal = await server.connect();
    const first = await take(mortal, 2);
    await mortal.close();
    // What died with the other comes again in its time, and what is new may come before it.
    const second = await take(connection, 3);
    assert.deepEqual(second.map(([text]) => text).sort(), ["one", "three", "two"]);
    const again = first.map(([text]) => second.find(([other]) => other === text));
    assert.deepEqual(again, first);
    assert.deepEqual(
      first.map(([, , number]) => number),
      ["1", "2"],
    );
    await client.close();
    assert.equal(await gateway.stop(), 0);
  });
});

test("a stream is created for all hubs that share it, whatever each holds for", {
  skip: natsMissing,
}, async () => {
  const server = await NatsServer.start({ jetStream: true });
  const service = `service: { url: '${server.url}', delivery: at-least-once }`;
  const gateway = await GatewayProcess.start(
    `short: { paths: [/short], ${service} }
long: { paths: [/long], ${service}, limits: { holdTimeoutMs: 600000 } }`,
    "workers: 2",
  );
  const isConnected = ({ msg }: { msg: string }) => msg === "connected to NATS";
  await gateway.until(() => gateway.records.filter(isConnected).length === 4, "all connected");
  const { streams } = await jetstreamManager(await server.connect());
  const { config } = await streams.info("headgate");
  assert.equal(config.duplicate_window, nanos(1_220_000));
  assert.equal(await gateway.stop(), 0);
});

describe("a stream that does not fit", { skip: natsMissing }, () => {
  const subjects = ["headgate.event.>"];

  async function spoil(server: NatsServer): Promise<void> {
    const connection = await server.connect();
    const { streams } = await jetstreamManager(connection);
    // A gateway may have created one.
    for await (const { config } of streams.list()) await streams.delete(config.name);
    await streams.add({ name: "headgate", subjects });
    await connection.close();
  }

  function hubOf(server: NatsServer): string {
    return `chat: { paths: [/], service: { url: '${server.url}', delivery: at-least-once } }`;
  }

  test("keeps the gateway from starting, which says what to change", async () => {
    const server = await NatsServer.start({ jetStream: true });
    await spoil(server);
    const listen = "listen: [{ address: '127.0.0.1:0' }]\nadmin: { address: '127.0.0.1:0' }\n";
    const lines = `${listen}workers: 2\nhubs:\n  ${hubOf(server)}\n`;
    const file = join(makeTemporaryFolder({ "headgate.yaml": lines }), "headgate.yaml");
    const { code, stderr } = await runNode([MAIN, "start", "--config", file]);
    assert.match(
      stderr,
      /^HG_NATS_STREAM_UNFIT: Hub "chat": the stream "headgate" does not fit: /m,
    );
    assert.equal(code, 1);
  });

  test("keeps no worker from taking a dead one's place, nor a start without NATS", async () => {
    const server = await NatsServer.start({ jetStream: true });
    const gateway = await GatewayProcess.start(hubOf(server), "workers: 1");
    // Before, it would make the stream anew between the two steps of spoiling it.
    await gateway.record(({ msg }) => msg === "connected to NATS");
    await spoil(server);
    const [worker] = (await gateway.status()).workers;
    process.kill(worker?.pid as number, "SIGKILL");
    await gateway.statusUntil(({ workers: [each] }) => {
      return each?.restarts === 1 && each.state === "ready";
    });
    await gateway.record(({ code }) => code === "HG_NATS_STREAM_UNFIT");
    assert.equal(await gateway.stop(), 0);
    await server.kill();
    const other = await GatewayProcess.start(hubOf(server), "workers: 1");
    await server.restart();
    await other.record(({ code }) => code === "HG_NATS_STREAM_UNFIT");
    assert.equal(await other.stop(), 0);
  });
});
