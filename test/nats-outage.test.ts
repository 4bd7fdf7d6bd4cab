/**
 * The whole gateway while NATS is away, whatever way events are delivered: what its clients
 * notice, and what they are told.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { natsMissing } from "./support/nats-server.ts";
import { NatsStage } from "./support/nats-stage.ts";
import { until } from "./support/until.ts";

const WINDOW = 4;

function textsOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `message ${index + 1}`);
}

for (const delivery of ["at-most-once", "at-least-once"]) {
  describe(`a client while NATS is away, ${delivery}`, { skip: natsMissing }, () => {
    test("stays, is read no further than its window, and all it sent arrives", async () => {
      const stage = await NatsStage.start(delivery, `unacknowledgedMessagesMax: ${WINDOW}`);
      const client = await stage.open();
      await until(() => stage.of("connected").length === 1);
      await stage.cut();
      const texts = textsOf(50);
      for (const text of texts) client.send(text);
      await stage.untilRead(WINDOW);
      // Pushes go on: whatever could be read of it was read.
      await stage.gateway.api("POST", "/api/hubs/chat/groups/everybody/:send", "still here");
      await client.received(1);
      assert.equal(await stage.messagesRead(), WINDOW);
      await stage.mend();
      await until(() => stage.texts().length >= texts.length, "all of them");
      assert.deepEqual(stage.texts(), texts);
      assert.equal(client.closed, undefined);
      assert.equal(await stage.gateway.stop(), 0);
    });

    test("for the whole hold time is closed with 1013 and the count of what went out", async () => {
      const stage = await NatsStage.start(delivery, "holdTimeoutMs: 1000, serviceTimeoutMs: 1000");
      const client = await stage.open();
      for (const text of textsOf(3)) client.send(text);
      await until(() => stage.texts().length === 3);
      await stage.untilNothingIsUnderWay();
      await stage.cut();
      client.send("too much");
      const { code, reason } = await client.untilClosed();
      assert.equal(code, 1013);
      assert.match(reason, /(^| )accepted=3$/);
      assert.equal(await stage.gateway.stop(), 0);
    });

    test("and the gateway stops is closed when all it sent went out, with the count", async () => {
      const stage = await NatsStage.start(delivery, "holdTimeoutMs: 20000");
      const client = await stage.open();
      await until(() => stage.of("connected").length === 1);
      await stage.cut();
      for (const text of textsOf(3)) client.send(text);
      await stage.untilRead(3);
      const stopped = stage.gateway.stop();
      await stage.gateway.record(({ msg }) => msg.startsWith("stopping"));
      assert.equal(client.closed, undefined);
      await stage.mend();
      const { code, reason } = await client.untilClosed();
      assert.equal(code, 1012);
      assert.match(reason, /(^| )accepted=3$/);
      assert.equal(await stopped, 0);
      await until(() => stage.of("disconnected").length === 1);
      assert.deepEqual(stage.texts(), textsOf(3));
    });
  });
}
