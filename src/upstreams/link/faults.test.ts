/** What a service can do wrong on a link, which is closed and dialled again: nothing is lost. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { until } from "../../../test/support/until.ts";
import * as frames from "../../link/frame.ts";
import { Instance, type ServiceLink, startBench } from "./fixtures.test.helper.ts";

const { ACKNOWLEDGE, ANSWER_TEXT, REJECT, REJECT_HELD, SEND_TEXT, STATE, WELCOME } = frames;

function payload(bytes: Uint8Array) {
  return { bytes, start: 0, end: bytes.length };
}

/** What is done on the first link once two events of channel 1 are there. */
const wrongs: [string, string, (link: ServiceLink, instance: Instance) => void][] = [
  [
    "acknowledges more than there is",
    "too-many-acknowledged",
    (link) => link.send({ type: ACKNOWLEDGE, channel: 1, events: 3 }),
  ],
  [
    "acknowledges nothing",
    "too-many-acknowledged",
    (link) => link.send({ type: ACKNOWLEDGE, channel: 1, events: 0 }),
  ],
  [
    "acknowledges twice",
    "too-many-acknowledged",
    (link) => {
      const frame = { type: ACKNOWLEDGE, channel: 1, events: 2 } as const;
      link.send(frame, frame);
    },
  ],
  [
    "answers on a channel that was never opened",
    "out-of-place",
    (link) => link.send({ type: ANSWER_TEXT, channel: 9, ...payload(Buffer.from("x")) }),
  ],
  [
    "answers with a text that is not UTF-8",
    "not-utf8",
    (link) => link.send({ type: ANSWER_TEXT, channel: 1, ...payload(Buffer.from([0xff])) }),
  ],
  [
    "sends a text that is not UTF-8",
    "not-utf8",
    (link) => link.send({ type: SEND_TEXT, channel: 1, ...payload(Buffer.from([0xc3])) }),
  ],
  [
    "rejects what is not under way",
    "too-many-acknowledged",
    (link) => {
      const reject = { type: REJECT, channel: 1, kind: REJECT_HELD, cause: "" } as const;
      link.send({ type: ACKNOWLEDGE, channel: 1, events: 2 }, { ...reject, retryAfterMs: 0 });
    },
  ],
  [
    "sets a state where nothing is under way",
    "out-of-place",
    (link) => {
      link.send({ type: ACKNOWLEDGE, channel: 1, events: 2 });
      link.send({ type: STATE, channel: 1, connectionState: "x" });
    },
  ],
  [
    "welcomes twice",
    "out-of-place",
    (link, instance) => link.send({ type: WELCOME, ...instance.welcome }),
  ],
  ["sends frames of its own making", "unknown-type", (link) => link.socket.write("\0\0\0\u0001z")],
  ["sends half a frame", "frame-cut-short", (link) => link.socket.write("\0\0\0\u0001C")],
  ["speaks HTTP", "frame-too-large", (link) => link.socket.write("HTTP/1.1 400 Bad Request\r\n")],
];

describe("a service that", () => {
  for (const [what, fault, act] of wrongs) {
    test(`${what}: ${fault}, and all comes again on the next link`, async () => {
      const instance = await Instance.start();
      instance.respond = (link, { channel, text }) => {
        if (link !== instance.links[0]) link.send({ type: ACKNOWLEDGE, channel, events: 1 });
        else if (text === "b") act(link, instance);
      };
      const bench = startBench([instance.url]);
      bench.open(1);
      bench.say(1, "a", "b");
      await until(() => bench.log.has("error", "broke the rules of the link"));
      const told = bench.log.lines.find(({ level }) => level === "error");
      assert.ok(told !== undefined && "fault" in told.fields);
      assert.equal(told.fields.fault, fault);
      await until(() => instance.links.length === 2);
      await until(() => bench.sink.count("acknowledged") === 2);
      bench.say(1, "c");
      await until(() => bench.sink.count("acknowledged") === 3);
      assert.equal(bench.sink.count("fail"), 0);
      // At least once: what was acknowledged before the fault does not come again.
      const [before, behind] = instance.links as [ServiceLink, ServiceLink];
      assert.ok(before.isClosed);
      const numbers = behind.of(frames.MESSAGE_TEXT).map(({ number }) => number);
      assert.deepEqual(numbers, numbers.length === 3 ? [1, 2, 3] : [3]);
    });
  }

  test("says anything before WELCOME, or is of another version, is not used", async () => {
    const instance = await Instance.start();
    instance.welcome.version = 2;
    const bench = startBench([instance.url]);
    await until(() => bench.log.has("error", "broke the rules of the link"));
    assert.equal(bench.upstream.counts().links, 0);
    instance.intercept = (link, frame) => {
      if (frame.type !== frames.HELLO) return false;
      link.send({ type: frames.PONG, token: 1 });
      return true;
    };
    const { length } = instance.links;
    await until(() => instance.links.length >= length + 2);
    assert.equal(bench.upstream.counts().links, 0);
    instance.intercept = () => false;
    instance.welcome.version = 1;
    await until(() => bench.upstream.counts().links === 1);
  });

  test("keeps breaking the rules is dialled less and less often", async () => {
    const instance = await Instance.start();
    instance.welcome.version = 2;
    const times: number[] = [];
    instance.intercept = (_link, frame) => {
      if (frame.type === frames.HELLO) times.push(performance.now());
      return false;
    };
    startBench([instance.url]);
    await until(() => times.length === 6);
    const gaps = times.slice(1).map((time, index) => time - (times[index] as number));
    // The shorter of two: a machine that stands still for a moment lengthens one.
    assert.ok((gaps[4] as number) > Math.min(...gaps.slice(0, 2)) * 2, gaps.join());
  });
});
