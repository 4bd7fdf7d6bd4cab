/**
 * What both ways of delivering over NATS do while it cannot be reached: one suite for the two. A
 * proxy is the way of the gateway alone, so that the service is there all the time.
 */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { FaultProxy } from "../../../test/faults/fault-proxy.ts";
import { NatsServer, natsMissing } from "../../../test/support/nats-server.ts";
import { until } from "../../../test/support/until.ts";
import type { Bench, BenchOptions } from "./fixtures.test.helper.ts";
import { NatsService, startBench } from "./fixtures.test.helper.ts";

let proxy: FaultProxy | undefined;
afterEach(async () => {
  await proxy?.stop();
  proxy = undefined;
});

interface Stage {
  bench: Bench;
  service: NatsService;
  comeBack(): Promise<void>;
}

for (const delivery of ["at-most-once", "at-least-once"] as const) {
  /** NATS has been there, and is away. */
  async function startAway(options: BenchOptions = {}): Promise<Stage> {
    const server = await NatsServer.start({ jetStream: true });
    const service = await NatsService.start(server);
    const way = await FaultProxy.start(server.port, Math.random);
    proxy = way;
    const servers = [`nats://127.0.0.1:${way.port}`];
    const bench = await startBench({ server, ...options, service: { delivery, servers } });
    await bench.untilReady();
    await way.cut();
    await until(() => bench.upstream.counts().isDown);
    return { bench, service, comeBack: () => way.mend() };
  }

  describe(`while NATS is away, events ${delivery}`, { skip: natsMissing }, () => {
    test("of a client that left go out in order, and its disconnected behind", async () => {
      const { bench, service, comeBack } = await startAway();
      bench.open(1);
      bench.upstream.connected(1);
      for (const text of ["one", "two", "three"]) bench.say(1, text);
      bench.upstream.disconnected(1, "client-closed", 1000);
      assert.equal(bench.upstream.counts().heldMessages, 3);
      await comeBack();
      await until(() => service.of("disconnected").length === 1);
      assert.deepEqual(
        service.events.map(({ text }) => text),
        ["{}", "one", "two", "three", '{"reason":"client-closed","code":1000}'],
      );
      assert.equal(new Set(service.events.map(({ id }) => id)).size, 5);
    });

    test("of a client that left are dropped after the hold time, and counted", async () => {
      const { bench } = await startAway({ limits: { holdTimeoutMs: 200 } });
      bench.open(1);
      for (const text of ["one", "two", "three"]) bench.say(1, text);
      bench.upstream.disconnected(1, "client-closed", 1000);
      await until(() => bench.upstream.counts().dropped.disconnected === 1);
      const { dropped, abandoned } = bench.upstream.counts();
      assert.deepEqual(dropped, { connected: 0, message: 3, disconnected: 1 });
      assert.equal(abandoned["service-unavailable"], 3);
      assert.ok(bench.log.has("warn", "the service was not there for the hold time"));
    });

    test("of beginnings and ends wait up to lifecycleQueueMax; more are counted", async () => {
      const { bench, service, comeBack } = await startAway({ more: { lifecycleQueueMax: 2 } });
      for (const place of [1, 2, 3]) {
        bench.open(place);
        bench.upstream.connected(place);
      }
      assert.equal(bench.upstream.counts().dropped.connected, 1);
      assert.ok(bench.log.has("warn", "lifecycleQueueMax of their kind are waiting"));
      await comeBack();
      await until(() => service.of("connected").length === 2);
      const ids = service.of("connected").map(({ connectionId }) => connectionId);
      assert.deepEqual(ids, [bench.idOf(1), bench.idOf(2)]);
    });

    test("tell later of a client that vanished after it was let in", async () => {
      const { bench, service, comeBack } = await startAway();
      const none = { userId: "ann", subprotocol: undefined, connectionState: undefined };
      bench.upstream.abandoned({ connectionId: "a.b", ...none }, "client-gone", 1006);
      await comeBack();
      await until(() => service.of("disconnected").length === 1);
      assert.equal(service.events[0]?.connectionId, "a.b");
    });

    test("that wait when the gateway stops go out within its time", async () => {
      const { bench, service, comeBack } = await startAway();
      bench.open(1);
      bench.say(1, "late");
      const closed = bench.upstream.close(10_000);
      await comeBack();
      await closed;
      await until(() => service.texts().length === 1);
      assert.equal(bench.sink.count("acknowledged", 1), 1);
      assert.equal(bench.upstream.counts().dropped.message, 0);
    });
  });
}
