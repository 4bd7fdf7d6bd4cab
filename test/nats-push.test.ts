/**
 * What is published for clients on NATS, through the whole gateway with two workers: each has
 * its own subscriptions, and nothing else divides the pushes among them.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { natsMissing } from "./support/nats-server.ts";
import { type NatsEvent, NatsStage } from "./support/nats-stage.ts";
import type { ObservedClient } from "./support/observed-client.ts";
import { until } from "./support/until.ts";

const COUNT = 200;

describe("a push over NATS", { skip: natsMissing }, () => {
  let stage: NatsStage;
  const clients: ObservedClient[] = [];
  const everybody = "headgate.push.chat.group.everybody";

  before(async () => {
    stage = await NatsStage.start("at-most-once", "", 2);
    // The kernel spreads them; some are on each sooner or later.
    for (;;) {
      clients.push(await stage.open());
      const { workers } = await stage.gateway.status();
      if (clients.length >= 4 && workers.every(({ connections }) => connections > 0)) break;
    }
    await until(() => stage.of("connected").length === clients.length);
  });
  after(() => stage?.gateway.stop());

  test("to a group reaches both workers' connections in one order, less the excluded", async () => {
    const before = clients.map(({ messages }) => messages.length);
    const texts = Array.from({ length: COUNT }, (_, index) => `push ${index}`);
    const { connectionId } = stage.of("connected")[0] as NatsEvent;
    for (const text of texts) stage.push(everybody, text, { "headgate-excluded": connectionId });
    stage.push(everybody, "the last");
    for (const client of clients) {
      await client.until(() => client.messages.at(-1) === "the last", "the last");
    }
    const got = clients.map(({ messages }, index) => messages.slice(before[index]));
    const excluded = got.filter(({ length }) => length === 1);
    assert.equal(excluded.length, 1);
    for (const messages of got.filter(({ length }) => length > 1)) {
      assert.deepEqual(messages, [...texts, "the last"]);
    }
  });

  test("to one client comes in the order in which it was published", async () => {
    const texts = Array.from({ length: COUNT }, (_, index) => `answer ${index}`);
    const { replyTo } = stage.of("connected")[0] as NatsEvent;
    for (const text of texts) stage.push(replyTo, text);
    const answers = () =>
      clients.flatMap(({ messages }) => messages.filter((text) => /^answer/.test(String(text))));
    await until(() => answers().length === COUNT);
    assert.deepEqual(answers(), texts);
  });

  test("repeated with its headgate-push-id reaches nobody twice", async () => {
    const before = clients.map(({ messages }) => messages.length);
    for (let count = 0; count < 3; count += 1) {
      stage.push(everybody, "once", { "headgate-push-id": "a" });
    }
    stage.push(everybody, "behind");
    for (const client of clients) {
      await client.until(() => client.messages.at(-1) === "behind", "what came behind");
    }
    for (const [index, { messages }] of clients.entries()) {
      assert.deepEqual(messages.slice(before[index]), ["once", "behind"]);
    }
  });
});
