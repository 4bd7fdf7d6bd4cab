/** What every carrier makes of a service's answers, where it carries any. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BINARY, TEXT } from "../../core/opcode.ts";
import type { Answer } from "./carrier.test.helper.ts";
import { carriers } from "./carriers.test.helper.ts";
import { needs, Stage } from "./stage.test.helper.ts";

const ACKNOWLEDGEMENT = "acknowledgement";

for (const carrier of carriers) {
  const answered = needs(carrier, "verdicts");
  describe(`an answer over ${carrier.name}`, { skip: carrier.missing || answered.skip }, () => {
    test("that takes a message acknowledges it, and sends the client nothing", async () => {
      const stage = await Stage.set(carrier);
      stage.enter(1);
      for (const text of ["a", "b"]) stage.say(1, text);
      await stage.untilAcknowledged(2);
      assert.ok(stage.sink.of(1).heard.every((each) => each === ACKNOWLEDGEMENT));
      assert.deepEqual(stage.sink.of(1).states, []);
    });

    test("with a reply sends it in front of the acknowledgement, as text or binary", async () => {
      const stage = await Stage.set(carrier);
      const binary = Buffer.from([0xff, 0x00, 0xc3, 0x28]);
      const text = Buffer.from("ä 😀");
      stage.answering({
        a: [{ reply: { opcode: TEXT, bytes: text } }],
        b: [{ reply: { opcode: BINARY, bytes: binary } }],
        c: [{ reply: { opcode: BINARY, bytes: text } }],
      });
      stage.enter(1);
      for (const message of ["a", "b", "c"]) stage.say(1, message);
      await stage.untilAcknowledged(3);
      assert.deepEqual(stage.sink.of(1).heard, [
        ...[{ opcode: TEXT, bytes: text }, ACKNOWLEDGEMENT],
        ...[{ opcode: BINARY, bytes: binary }, ACKNOWLEDGEMENT],
        ...[{ opcode: BINARY, bytes: text }, ACKNOWLEDGEMENT],
      ]);
    });

    test("with a long reply sends it byte by byte, and an empty one not at all", async () => {
      const stage = await Stage.set(carrier);
      // Less than serviceResponseBytesMax, also where binary becomes a third longer.
      const bytes = Buffer.alloc(700_000, "0123456789");
      stage.answering({
        long: [{ reply: { opcode: BINARY, bytes } }],
        empty: [{ reply: { opcode: TEXT, bytes: Buffer.alloc(0) } }],
      });
      stage.enter(1);
      for (const message of ["long", "empty"]) stage.say(1, message);
      await stage.untilAcknowledged(2);
      const heard = stage.sink.of(1).heard;
      assert.equal(heard.length, 3);
      assert.ok(typeof heard[0] === "object" && heard[0].bytes.equals(bytes));
    });

    test("that sets the connection state is on the later events, until it is removed", async () => {
      const stage = await Stage.set(carrier);
      stage.answering({ a: [{ state: "one ü%" }], c: [{ state: "" }] });
      stage.enter(1, { connectionState: "old" });
      for (const text of ["a", "b", "c", "d"]) {
        stage.say(1, text);
        await stage.until(() => stage.sink.of(1).held.length === 0);
      }
      stage.leave(1);
      await stage.until(() => stage.seen(1).length === 6);
      assert.deepEqual(
        stage.seen(1).map(({ state }) => state),
        ["old", "old", "one ü%", "one ü%", undefined, undefined],
      );
      assert.deepEqual(stage.sink.of(1).states, ["one ü%", undefined]);
    });

    test("of held has it sent again with its id and number, until it is taken", async () => {
      const stage = await Stage.set(carrier);
      const answers: Answer[] = ["held", "held", "held", "held"];
      stage.answering({ b: answers });
      stage.enter(1);
      for (const text of ["a", "b", "c"]) stage.say(1, text);
      await stage.untilAcknowledged(3);
      const messages = stage.seen(1).filter(({ kind }) => kind === "message");
      const again = messages.filter(({ number }) => number === 2);
      assert.equal(again.length, 5);
      assert.equal(new Set(again.map(({ id }) => id)).size, 1);
      assert.ok(again.every(({ bytes }) => bytes.toString() === "b"));
      assert.deepEqual(
        [...new Set(messages.map(({ number }) => number))],
        [1, 2, 3],
        "nothing overtakes it",
      );
      assert.equal(new Set(messages.map(({ id }) => id)).size, 3);
      assert.ok(stage.counts.retries >= 4);
      assert.equal(stage.sink.of(1).failed, undefined);
    });

    test("that is lost with its instance has another one get it all again", async () => {
      const stage = await Stage.set(carrier);
      stage.service.answer = ({ kind }) => (kind === "message" ? new Promise(() => {}) : "taken");
      stage.enter(1);
      for (const text of ["a", "b"]) stage.say(1, text);
      await stage.until(() => stage.texts(1).length > 0);
      await stage.service.goAway();
      const [before] = stage.seen(1).filter(({ kind }) => kind === "message");
      stage.service.answer = () => "taken";
      await stage.service.comeBack();
      await stage.untilAcknowledged(2);
      const again = stage.seen(1).filter(({ number }) => number === 1);
      assert.ok(again.length > 1);
      for (const each of again) assert.deepEqual(each, before);
      assert.deepEqual(stage.texts(1), ["a", "b"]);
    });

    test("of failed counts three times, and twice is no failure", async () => {
      const stage = await Stage.set(carrier);
      stage.answering({ a: ["failed", "failed"], b: ["failed", "failed", "failed"] });
      stage.enter(1);
      for (const text of ["a", "b", "c"]) stage.say(1, text);
      await stage.until(() => stage.seen(1).at(-1)?.kind === "disconnected");
      assert.equal(stage.sink.of(1).acknowledged, 1);
      assert.equal(stage.sink.of(1).failed, "service-error");
      const numbers = stage.seen(1).map(({ number }) => number);
      assert.deepEqual(numbers, [0, 1, 1, 1, 2, 2, 2, 0]);
      assert.deepEqual(stage.seen(1).at(-1)?.end, { reason: "service-error", code: 1011 });
      assert.equal(stage.counts.abandoned["service-error"], 2);
      assert.equal(stage.upstream.heldBytes, 0);
    });

    test("of refused closes the client at once, and its later messages are dropped", async () => {
      const stage = await Stage.set(carrier);
      stage.answering({ b: ["refused"] });
      stage.enter(1);
      for (const text of ["a", "b", "c"]) stage.say(1, text);
      await stage.until(() => stage.seen(1).at(-1)?.kind === "disconnected");
      assert.equal(stage.sink.of(1).acknowledged, 1);
      assert.equal(stage.sink.of(1).failed, "service-refused");
      assert.deepEqual(
        stage.seen(1).map(({ number }) => number),
        [0, 1, 2, 0],
      );
      assert.deepEqual(stage.seen(1).at(-1)?.end, { reason: "service-refused", code: 1008 });
      assert.equal(stage.counts.abandoned["service-refused"], 2);
      assert.equal(stage.counts.dropped.message, 2);
      assert.equal(stage.upstream.heldBytes, 0);
    });

    test("of refused to connected or disconnected harms nobody, and is counted", async () => {
      const stage = await Stage.set(carrier);
      stage.answering({ connected: ["refused"], disconnected: ["refused"] });
      stage.enter(1);
      stage.say(1, "a");
      await stage.untilAcknowledged(1);
      stage.leave(1);
      await stage.until(() => stage.counts.dropped.disconnected === 1);
      assert.deepEqual(stage.counts.dropped, { connected: 1, message: 0, disconnected: 1 });
      assert.equal(stage.sink.of(1).failed, undefined);
    });

    test("for a client that has left meanwhile goes nowhere, but its state stays", async () => {
      const stage = await Stage.set(carrier);
      const reply = { opcode: TEXT, bytes: Buffer.from("for nobody") } as const;
      stage.answering({ a: [{ reply, state: "s" }] });
      stage.enter(1);
      await stage.until(() => stage.seen(1).length === 1);
      await stage.service.freeze();
      stage.say(1, "a");
      stage.leave(1);
      stage.service.thaw();
      await stage.until(() => stage.seen(1).length === 3);
      assert.deepEqual(stage.sink.of(1).heard, []);
      assert.deepEqual(
        stage.seen(1).map(({ state }) => state),
        [undefined, undefined, "s"],
      );
    });
  });
}
