import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { NatsServer, natsMissing } from "../../../test/support/nats-server.ts";
import { testLimits } from "../fixtures.test.helper.ts";
import { checkStreamAtStart } from "./start-check.ts";

async function startWithStream(subjects: string[]): Promise<NatsServer> {
  const server = await NatsServer.start({ jetStream: true });
  const manager = await jetstreamManager(await server.connect());
  await manager.streams.add({ name: "headgate", subjects });
  return server;
}

function check({ url }: NatsServer, delivery: "at-least-once" | "at-most-once" = "at-least-once") {
  const named = { servers: [url], stream: "headgate", prefix: "headgate" };
  const limits = { ...testLimits, serviceTimeoutMs: 500, serviceConnectTimeoutMs: 500 };
  return checkStreamAtStart("chat", { kind: "nats", delivery, ...named }, limits);
}

describe("a gateway that is to start", { skip: natsMissing }, () => {
  test("is told that its stream does not fit, for which hub, and what to change", async () => {
    const server = await startWithStream(["headgate.event.>"]);
    await assert.rejects(check(server), {
      code: "HG_NATS_STREAM_UNFIT",
      message:
        /^Hub "chat": the stream "headgate" does not fit: .* list headgate\.event.* instead\.$/,
    });
  });

  test("may start over core NATS, whatever streams there are", async () => {
    await check(await startWithStream(["headgate.event.>"]), "at-most-once");
  });

  test("may start where it has to create its stream, and it then has", async () => {
    const server = await NatsServer.start({ jetStream: true });
    await Promise.all([check(server), check(server)]);
    const manager = await jetstreamManager(await server.connect());
    assert.equal((await manager.streams.info("headgate")).config.name, "headgate");
  });

  test("may start where time can tell: no server, none that answers, no JetStream", async () => {
    const server = await startWithStream(["headgate.event.>"]);
    await server.pause();
    await check(server);
    await server.kill();
    await check(server);
    await check(await NatsServer.start());
  });
});
