/** What every carrier holds while its service, or the broker before it, stands still or is gone. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { carriers } from "./carriers.test.helper.ts";
import { needs, Stage } from "./stage.test.helper.ts";

const TEXTS = ["a", "b", "c"];

for (const carrier of carriers) {
  describe(`a message over ${carrier.name}`, { skip: carrier.missing }, () => {
    test(
      "is held until it is acknowledged, with all its bytes",
      needs(carrier, "waits"),
      async () => {
        const stage = await Stage.set(carrier);
        stage.enter(1);
        await stage.until(() => stage.seen(1).length === 1);
        await stage.service.freeze();
        let bytes = 0;
        for (const text of ["one", "", "three"]) {
          stage.say(1, text);
          bytes += text.length;
          assert.equal(stage.upstream.heldBytes, bytes);
        }
        // An empty one takes memory as well.
        assert.equal(stage.upstream.heldMemoryBytes, bytes + 3 * 450);
        assert.equal(stage.sink.acknowledgedTotal, 0);
        stage.service.thaw();
        await stage.untilAcknowledged(3);
        assert.equal(stage.upstream.heldBytes, 0);
        assert.equal(stage.upstream.heldMemoryBytes, 0);
      },
    );

    const atOnce = carrier.lacks.waits !== undefined;
    const skip = !atOnce && "it waits for an acknowledgement";
    test("is acknowledged by who reads nothing, though behind message()", { skip }, async () => {
      const stage = await Stage.set(carrier);
      await stage.service.freeze();
      stage.enter(1);
      stage.say(1, "one");
      assert.equal(stage.sink.acknowledgedTotal, 0);
      assert.equal(stage.upstream.heldBytes, 3);
      await stage.untilAcknowledged(1);
      assert.equal(stage.upstream.heldBytes, 0);
      stage.service.thaw();
    });

    test("longer than the carrier takes closes its client", needs(carrier, "bounds"), async () => {
      const stage = await Stage.set(carrier);
      for (const place of [1, 2]) stage.enter(place);
      stage.say(1, "small");
      stage.say(1, Buffer.alloc(carrier.payloadBytesTooMany));
      stage.say(1, "behind it");
      stage.say(2, "of another");
      await stage.until(() => stage.seen(1).at(-1)?.kind === "disconnected");
      assert.equal(stage.sink.of(1).failed, "message-too-big");
      assert.deepEqual(stage.seen(1).at(-1)?.end, { reason: "message-too-big", code: 1009 });
      assert.deepEqual(stage.texts(1), ["small"]);
      assert.equal(stage.counts.abandoned["message-too-big"], 2);
      await stage.until(() => stage.sink.of(2).acknowledged === 1);
      assert.equal(stage.sink.of(1).acknowledged, 1);
      assert.equal(stage.upstream.heldBytes, 0);
    });
  });

  describe(`an outage over ${carrier.name}`, { skip: carrier.missing }, () => {
    test("is waited out: all is acknowledged once, when the service is back", async () => {
      const stage = await Stage.set(carrier);
      const places = [1, 2, 3];
      for (const place of places) stage.enter(place);
      await stage.until(() => places.every((place) => stage.seen(place).length === 1));
      await stage.goAway();
      for (const text of TEXTS) for (const place of places) stage.say(place, text);
      assert.equal(stage.counts.heldConnections, 3);
      assert.equal(stage.upstream.heldBytes, 9);
      await stage.service.comeBack();
      await stage.untilAcknowledged(9);
      assert.equal(stage.isUp, true);
      assert.equal(stage.counts.heldConnections, 0);
      assert.equal(stage.upstream.heldBytes, 0);
      for (const place of places) assert.equal(stage.sink.of(place).failed, undefined);
    });

    test("loses nothing and turns no order round", needs(carrier, "keeps"), async () => {
      const stage = await Stage.set(carrier);
      const places = [1, 2, 3];
      for (const place of places) stage.enter(place);
      for (const text of TEXTS) for (const place of places) stage.say(place, text);
      // Some of it is under way: its answers are lost, and it comes again.
      await stage.until(() => stage.sink.acknowledgedTotal > 0);
      await stage.service.goAway();
      for (const place of places) stage.say(place, "d");
      stage.enter(4);
      await stage.service.comeBack();
      await stage.untilAcknowledged(12);
      for (const place of places) stage.leave(place);
      const isOver = (place: number) => stage.seen(place).at(-1)?.kind === "disconnected";
      await stage.until(() => places.every(isOver) && stage.seen(4).length > 0);
      for (const place of places) {
        assert.deepEqual(stage.texts(place), [...TEXTS, "d"]);
        const byNumber = new Map(
          stage.seen(place).map(({ id, kind, number }) => [id, { kind, number }]),
        );
        assert.equal(byNumber.size, 6, "no event came under two ids");
      }
    });

    test("past the hold time closes each client: service-unavailable", async () => {
      const stage = await Stage.set(carrier, { limits: { holdTimeoutMs: 300 } });
      const places = [1, 2];
      for (const place of places) stage.enter(place);
      await stage.until(() => places.every((place) => stage.seen(place).length === 1));
      await stage.goAway();
      stage.say(1, "a");
      for (const text of TEXTS) stage.say(2, text);
      await stage.until(() => places.every((place) => stage.sink.of(place).failed !== undefined));
      for (const place of places) {
        assert.equal(stage.sink.of(place).failed, "service-unavailable");
        assert.equal(stage.sink.of(place).acknowledged, 0);
      }
      assert.equal(stage.counts.abandoned["service-unavailable"], 4);
      assert.equal(stage.upstream.heldBytes, 0);
    });

    test("does not cost what a client sent before it left", needs(carrier, "keeps"), async () => {
      const stage = await Stage.set(carrier);
      stage.enter(1);
      await stage.until(() => stage.seen(1).length === 1);
      await stage.goAway();
      for (const text of TEXTS) stage.say(1, text);
      stage.leave(1, "client-gone", 1006);
      await stage.service.comeBack();
      await stage.until(() => stage.seen(1).at(-1)?.kind === "disconnected");
      assert.deepEqual(stage.texts(1), TEXTS);
      assert.deepEqual(stage.seen(1).at(-1)?.end, { reason: "client-gone", code: 1006 });
      assert.deepEqual(stage.sink.of(1).heard, [], "the sink does not know the place any more");
    });

    test("past the hold time costs who left what it had sent, counted", async () => {
      const stage = await Stage.set(carrier, { limits: { holdTimeoutMs: 200 } });
      stage.enter(1);
      await stage.until(() => stage.seen(1).length === 1);
      await stage.goAway();
      for (const text of TEXTS) stage.say(1, text);
      stage.leave(1, "client-gone", 1006);
      await stage.until(() => stage.counts.dropped.disconnected === 1);
      assert.deepEqual(stage.counts.dropped, { connected: 0, message: 3, disconnected: 1 });
      assert.equal(stage.counts.abandoned["service-unavailable"], 3);
      assert.equal(stage.upstream.heldBytes, 0);
    });
  });
}
