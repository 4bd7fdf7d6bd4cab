/** What every carrier holds when the gateway stops, and what it counts all the time. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { UpstreamCounts } from "../../metrics/worker-counts.ts";
import { carriers } from "./carriers.test.helper.ts";
import { needs, Stage } from "./stage.test.helper.ts";

function timed({ durations }: UpstreamCounts): Record<string, number> {
  const totals = Object.entries(durations).map(([event, { buckets }]) => [
    event,
    buckets.reduce((sum, count) => sum + count, 0),
  ]);
  return Object.fromEntries(totals);
}

for (const carrier of carriers) {
  describe(`closing over ${carrier.name}`, { skip: carrier.missing }, () => {
    test("delivers what is held first, and lets nobody in meanwhile", async () => {
      const stage = await Stage.set(carrier);
      stage.enter(1);
      await stage.until(() => stage.seen(1).length === 1);
      await stage.service.freeze();
      for (const text of ["a", "b"]) stage.say(1, text);
      stage.leave(1, "gateway-stopping", 1012);
      const closed = stage.upstream.close(10_000);
      assert.equal((await stage.ask()).accepted, false);
      stage.service.thaw();
      await closed;
      await stage.until(() => stage.seen(1).length === 4);
      assert.deepEqual(stage.texts(1), ["a", "b"]);
      assert.deepEqual(stage.seen(1)[3]?.end, { reason: "gateway-stopping", code: 1012 });
      assert.deepEqual(stage.counts.dropped, { connected: 0, message: 0, disconnected: 0 });
      assert.equal(stage.upstream.heldBytes, 0);
    });

    test("gives up what is held when its time is over, counted", async () => {
      const stage = await Stage.set(carrier);
      stage.enter(1);
      stage.enter(2);
      await stage.until(() => [1, 2].every((place) => stage.seen(place).length === 1));
      await stage.goAway();
      for (const text of ["a", "b"]) stage.say(1, text);
      stage.leave(1, "gateway-stopping", 1012);
      stage.say(2, "c");
      await stage.upstream.close(20);
      assert.deepEqual(stage.counts.dropped, { connected: 0, message: 3, disconnected: 1 });
      assert.equal(stage.counts.abandoned["gateway-stopping"], 3);
      assert.equal(stage.upstream.heldBytes, 0);
      assert.deepEqual(stage.sink.of(2).heard, []);
      assert.equal(stage.sink.of(2).failed, undefined, "the gateway closes its clients itself");
      assert.ok(stage.log.has("warn", "the gateway stopped"));
    });

    test("is at once where nothing is held, and takes nothing any more", async () => {
      const stage = await Stage.set(carrier);
      stage.enter(1);
      stage.say(1, "a");
      await stage.untilAcknowledged(1);
      await stage.until(() => stage.seen(1).length === 2);
      await stage.upstream.close(3_600_000);
      stage.say(1, "too late");
      stage.leave(1);
      assert.deepEqual(stage.counts.dropped, { connected: 0, message: 1, disconnected: 1 });
      assert.equal(stage.upstream.heldBytes, 0);
      assert.equal((await stage.ask()).accepted, false);
    });
  });

  describe(`counts over ${carrier.name}`, { skip: carrier.missing }, () => {
    test("are 0 at rest, and so they are again behind everything", async () => {
      const stage = await Stage.set(carrier);
      const assertRest = () => {
        const { abandoned, carrier: label, dropped, heldConnections, inflight } = stage.counts;
        assert.equal(label, carrier.label);
        assert.deepEqual([heldConnections, inflight, stage.upstream.heldBytes], [0, 0, 0]);
        const reasons = Object.entries(abandoned).filter(([, count]) => count !== 0);
        assert.deepEqual(reasons, []);
        assert.deepEqual(dropped, { connected: 0, message: 0, disconnected: 0 });
        assert.equal(stage.counts.retries, 0);
      };
      assertRest();
      await stage.ask();
      for (const place of [1, 2]) {
        stage.enter(place);
        for (const text of ["a", "b"]) stage.say(place, text);
        stage.leave(place);
      }
      await stage.until(() => [1, 2].every((place) => stage.seen(place).length === 4));
      await stage.until(() => stage.counts.inflight === 0);
      assertRest();
    });

    test("tell how long each event took", needs(carrier, "measures"), async () => {
      const stage = await Stage.set(carrier);
      const before = stage.counts;
      assert.deepEqual(timed(before), { connect: 0, connected: 0, message: 0, disconnected: 0 });
      const startMs = performance.now();
      await stage.ask();
      stage.enter(1);
      for (const text of ["a", "b", "c"]) stage.say(1, text);
      stage.leave(1);
      await stage.until(() => stage.seen(1).length === 5 && stage.counts.inflight === 0);
      const seconds = (performance.now() - startMs) / 1000;
      assert.deepEqual(timed(stage.counts), {
        ...{ connect: 1, connected: 1, message: 3, disconnected: 1 },
      });
      const { sum = 0 } = stage.counts.durations.connect ?? {};
      assert.ok(sum > 0 && sum <= seconds, `${sum} s of ${seconds} s`);
      assert.equal(timed(before).message, 0, "a copy does not change");
    });

    test("have the events that found no room", async () => {
      const stage = await Stage.set(carrier, { rules: { lifecycleQueueMax: 2 } });
      await stage.goAway();
      for (let place = 1; place <= 5; place += 1) {
        stage.enter(place);
        stage.leave(place);
      }
      assert.deepEqual(stage.counts.dropped, { connected: 3, message: 0, disconnected: 3 });
      assert.equal(Math.max(...Object.values(stage.counts.abandoned)), 0, "they are no messages");
      assert.ok(stage.log.has("warn", "lifecycleQueueMax"));
    });
  });
}
