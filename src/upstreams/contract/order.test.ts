/** What every carrier holds of the order of one connection's events, and of what is in them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BINARY, TEXT } from "../../core/opcode.ts";
import type { Answer } from "./carrier.test.helper.ts";
import { carriers } from "./carriers.test.helper.ts";
import { needs, Stage } from "./stage.test.helper.ts";

const STRANGE = ' Zoë "€" 100%,\\;=~ 😀/.*> ';

for (const carrier of carriers) {
  describe(`events over ${carrier.name}`, { skip: carrier.missing }, () => {
    test("come in their order: connected, messages, disconnected with its reason", async () => {
      const stage = await Stage.set(carrier);
      stage.enter(1);
      stage.say(1, "one");
      stage.say(1, Buffer.from([0xff, 0x00, 0xc3, 0x28]));
      stage.say(1, "three");
      stage.leave(1, "idle-timeout", 1001);
      await stage.until(() => stage.seen(1).length === 5);
      const seen = stage.seen(1).map(({ kind, number, bytes, opcode, end }) => {
        return [kind, number, bytes.toString("latin1"), opcode, end];
      });
      assert.deepEqual(seen, [
        ["connected", 0, "", undefined, undefined],
        ["message", 1, "one", TEXT, undefined],
        ["message", 2, "\xff\x00\xc3\x28", BINARY, undefined],
        ["message", 3, "three", TEXT, undefined],
        ["disconnected", 0, "", undefined, { reason: "idle-timeout", code: 1001 }],
      ]);
      assert.equal(new Set(stage.seen(1).map(({ id }) => id)).size, 5, "each has its own id");
      assert.ok(stage.seen(1).every(({ id }) => id !== ""));
    });

    test("say of whom they are, whatever characters the names have", async () => {
      const stage = await Stage.set(carrier);
      const facts = { userId: STRANGE, subprotocol: "json.v1", connectionState: `${STRANGE}!` };
      stage.enter(1, facts);
      stage.enter(2);
      for (const place of [1, 2]) {
        stage.say(place, "a");
        await stage.until(() => stage.sink.of(place).acknowledged === 1);
        stage.leave(place);
      }
      await stage.until(() => [1, 2].every((place) => stage.seen(place).length === 3));
      for (const { user, subprotocol, state } of stage.seen(1)) {
        assert.deepEqual([user, subprotocol, state], [STRANGE, "json.v1", `${STRANGE}!`]);
      }
      for (const { user, subprotocol, state } of stage.seen(2)) {
        assert.deepEqual([user, subprotocol, state], [undefined, undefined, undefined]);
      }
    });

    test("have their payload byte by byte, be it empty or as long as it can be", async () => {
      const stage = await Stage.set(carrier, { limits: { serviceTimeoutMs: 30_000 } });
      const long = Buffer.alloc(carrier.payloadBytesMax);
      for (let index = 0; index < long.length; index += 1) long[index] = (index * 31) >> 3;
      stage.enter(1);
      const payloads = [Buffer.alloc(0), long, Buffer.from("behind it")];
      for (const payload of payloads) stage.say(1, payload);
      stage.say(1, "");
      await stage.untilAcknowledged(4);
      await stage.until(() => stage.seen(1).length === 5);
      const messages = stage.seen(1).slice(1);
      for (const [index, payload] of payloads.entries()) {
        assert.ok(messages[index]?.bytes.equals(payload), `${payload.length} bytes`);
        assert.equal(messages[index]?.opcode, BINARY);
      }
      assert.deepEqual([messages[3]?.bytes.length, messages[3]?.opcode], [0, TEXT]);
    });

    test("are there for a client that vanished before it was open: disconnected", async () => {
      const stage = await Stage.set(carrier);
      const facts = { userId: "Zoë", subprotocol: "v1", connectionState: "s" };
      for (const place of [1, 2]) {
        stage.upstream.abandoned(
          { connectionId: stage.idOf(place), ...facts },
          "client-gone",
          1006,
        );
      }
      await stage.until(() => [1, 2].every((place) => stage.seen(place).length === 1));
      for (const place of [1, 2]) {
        const [event] = stage.seen(place);
        assert.equal(event?.kind, "disconnected");
        assert.deepEqual([event.user, event.subprotocol, event.state], ["Zoë", "v1", "s"]);
        assert.deepEqual(event.end, { reason: "client-gone", code: 1006 });
      }
    });

    test("of many connections are each in their order", async () => {
      const stage = await Stage.set(carrier, { limits: { serviceInflightMax: 8 } });
      const texts = Array.from({ length: 10 }, (_, index) => `${index}`);
      const places = Array.from({ length: 20 }, (_, index) => index + 1);
      for (const place of places) stage.enter(place);
      for (const text of texts) for (const place of places) stage.say(place, text);
      for (const place of places) stage.leave(place);
      await stage.until(() => places.every((place) => stage.seen(place).length === 12));
      for (const place of places) {
        assert.deepEqual(stage.texts(place), texts);
        const kinds = stage.seen(place).map(({ kind }) => kind);
        assert.deepEqual([kinds[0], kinds.at(-1)], ["connected", "disconnected"]);
      }
    });

    test("that a client sends while another one is acknowledged keep their place", async () => {
      const stage = await Stage.set(carrier);
      const more = ["b", "c", "d"];
      stage.sink.whenAcknowledged = (place) => {
        const text = more.shift();
        if (text !== undefined) stage.say(place, text);
      };
      stage.enter(1);
      stage.say(1, "a");
      await stage.untilAcknowledged(4);
      await stage.until(() => stage.seen(1).length === 5);
      assert.deepEqual(stage.texts(1), ["a", "b", "c", "d"]);
    });

    test("wait for connected to be taken", needs(carrier, "verdicts"), async () => {
      const stage = await Stage.set(carrier);
      stage.answering({ connected: ["held", "failed", "held"] });
      stage.enter(1);
      stage.say(1, "a");
      stage.leave(1);
      await stage.until(() => stage.seen(1).at(-1)?.kind === "disconnected");
      const kinds = stage.seen(1).map(({ kind }) => kind);
      assert.deepEqual(kinds.slice(0, 4), Array(4).fill("connected"));
      assert.deepEqual(kinds.slice(4), ["message", "disconnected"]);
      assert.equal(new Set(stage.seen(1).map(({ id }) => id)).size, 3, "the same id every time");
    });

    test(
      "of beginnings and ends are tried again under one id",
      needs(carrier, "verdicts"),
      async () => {
        const stage = await Stage.set(carrier);
        const answers = (): Answer[] => ["held", "failed", "held", "failed"];
        stage.answering({ connected: answers(), disconnected: answers() });
        stage.enter(1);
        stage.leave(1);
        const taken = () => stage.seen(1).length === 10 && stage.counts.inflight === 0;
        await stage.until(taken);
        const seen = stage.seen(1).map(({ id, kind }) => `${kind} ${id}`);
        assert.equal(new Set(seen.slice(0, 5)).size, 1);
        assert.equal(new Set(seen.slice(5)).size, 1);
        assert.match(seen[5] as string, /^disconnected /);
        assert.deepEqual(stage.counts.dropped, { connected: 0, message: 0, disconnected: 0 });
      },
    );

    test("of one connection hold up no other", needs(carrier, "verdicts"), async () => {
      const stage = await Stage.set(carrier);
      let release = () => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      stage.service.answer = ({ bytes }) => {
        return bytes.toString() === "stuck" ? released.then(() => "taken" as const) : "taken";
      };
      for (const place of [1, 2]) stage.enter(place);
      for (const place of [1, 2]) stage.say(place, "first");
      // Behind these nothing is left that could be in one batch with what hangs.
      await stage.untilAcknowledged(2);
      for (const text of ["stuck", "behind"]) stage.say(1, text);
      await stage.until(() => stage.texts(1).length === 2);
      for (const text of ["a", "b"]) stage.say(2, text);
      await stage.until(() => stage.sink.of(2).acknowledged === 3);
      assert.equal(stage.sink.of(1).acknowledged, 1);
      assert.equal(stage.upstream.heldBytes, "stuckbehind".length);
      release();
      await stage.until(() => stage.sink.of(1).acknowledged === 3);
      assert.deepEqual(stage.texts(1), ["first", "stuck", "behind"]);
    });
  });
}
