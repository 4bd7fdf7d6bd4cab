import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { until } from "../../../test/support/until.ts";
import { BINARY, TEXT } from "../../core/opcode.ts";
import { COMMAND, type Command, RESULT, RESULT_DONE, RESULT_FAILED } from "../../link/frame.ts";
import { Instance, startBench } from "./fixtures.test.helper.ts";

function command(fields: Partial<Command>, text = ""): Command {
  const bytes = Buffer.from(text);
  return {
    type: COMMAND,
    ...{ request: 1, verb: "send", target: "group", name: "blue", opcode: TEXT },
    ...{ argument: "", pushId: "", excluded: [], bytes, start: 0, end: bytes.length },
    ...fields,
  };
}

async function linked() {
  const instance = await Instance.start();
  const bench = startBench([instance.url]);
  await until(() => bench.upstream.counts().links === 1);
  const { link } = instance;
  const result = async (...commands: Command[]) => {
    const before = link.of(RESULT).length;
    link.send(...commands);
    await instance.until(() => link.of(RESULT).length > before);
    return link.of(RESULT).at(-1);
  };
  return { instance, bench, link, result };
}

describe("a command of a service", () => {
  test("is carried out on this worker's connections, and its result goes back", async () => {
    const { bench, result } = await linked();
    const asked = command({ request: 7, pushId: "x/1", excluded: ["a.b", "c.d"] }, "hello");
    assert.deepEqual(await result(asked), {
      ...{ type: RESULT, request: 7, status: RESULT_DONE, matched: 1, dropped: 0, error: "" },
    });
    const [call] = bench.sink.calls;
    assert.ok(call?.call === "execute");
    const { bytes, ...rest } = call.command;
    assert.equal(Buffer.from(bytes).toString(), "hello");
    assert.deepEqual(rest, {
      ...{ verb: "send", target: { kind: "group", group: "blue" }, opcode: TEXT },
      ...{ excluded: ["a.b", "c.d"], argument: "", pushId: "x/1" },
    });
  });

  test("names connections, users, groups or all", async () => {
    const { bench, link } = await linked();
    const targets = ["connection", "user", "group", "all"] as const;
    for (const target of targets) {
      const name = target === "all" ? "" : "n";
      link.send(command({ request: 0, verb: "close", target, name, argument: "bye" }));
    }
    link.send(command({ request: 0, verb: "join", target: "user", name: "n", argument: "g" }));
    link.send(command({ request: 0, verb: "leave-all", target: "connection", name: "n" }));
    await until(() => bench.sink.count("execute") === 6);
    assert.deepEqual(
      bench.sink.calls.map((call) => (call.call === "execute" ? call.command.target : call)),
      [
        { kind: "connection", connectionId: "n" },
        { kind: "user", user: "n" },
        { kind: "group", group: "n" },
        { kind: "all" },
        { kind: "user", user: "n" },
        { kind: "connection", connectionId: "n" },
      ],
    );
    assert.equal(link.of(RESULT).length, 0, "request 0 wants none");
  });

  test("that fails in the gateway says why", async () => {
    const { bench, result } = await linked();
    bench.sink.execute = () => Promise.reject(new Error("no room"));
    const answer = await result(command({ request: 3 }));
    assert.equal(answer?.status, RESULT_FAILED);
    assert.equal(answer?.error, "no room");
  });

  const wrong: [string, Command, RegExp][] = [
    ["names nobody", command({ name: "" }), /has no name of the group/],
    ["has a group join", command({ verb: "join", argument: "g" }), /and no group$/],
    ["joins no group", command({ verb: "join", target: "user" }), /says join, and no group$/],
    ["has a long name", command({ name: "n".repeat(33) }), /33 bytes, and nameBytesMax is 32/],
    ["has a long push id", command({ pushId: "n".repeat(33) }), /nameBytesMax is 32/],
    [
      "has a long reason",
      command({ verb: "close", argument: "r".repeat(124) }),
      /124 bytes, and a close frame holds 123/,
    ],
    ["is too long", command({}, "x".repeat(1025)), /1025 bytes, and pushBytesMax is 1024/],
    [
      "is no text",
      command({ bytes: Buffer.from([0xff]), start: 0, end: 1 }),
      /called text and is not UTF-8/,
    ],
  ];
  for (const [what, asked, error] of wrong) {
    test(`that ${what} is not carried out, and its result says why`, async () => {
      const { bench, instance, result } = await linked();
      const answer = await result(asked);
      assert.equal(answer?.status, RESULT_FAILED);
      assert.match(answer?.error ?? "", error);
      assert.equal(bench.sink.count("execute"), 0);
      assert.equal(instance.links.length, 1);
    });
  }

  test("may send any bytes that are not called text", async () => {
    const { bench, result } = await linked();
    const bytes = Buffer.from([0xff, 0]);
    const answer = await result(command({ opcode: BINARY, bytes, start: 0, end: 2 }));
    assert.equal(answer?.status, RESULT_DONE);
    assert.equal(bench.sink.count("execute"), 1);
  });

  test("waits in the socket behind 1,024 that are not carried out yet", async () => {
    const { bench, link } = await linked();
    const waiting: (() => void)[] = [];
    bench.sink.execute = () =>
      new Promise((resolve) => waiting.push(() => resolve({ matched: 1, dropped: 0 })));
    const many = Array.from({ length: 500 }, (_, index) => command({ request: index + 1 }));
    for (let round = 0; round < 40; round += 1) link.send(...many);
    await until(() => waiting.length >= 1024);
    // What one read brought is taken; nothing is read behind it.
    const taken = await settled(() => waiting.length);
    assert.ok(taken < 20_000, `${taken}`);
    for (let done = 0; done < 20_000; ) {
      for (const finish of waiting.splice(0)) {
        finish();
        done += 1;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => link.of(RESULT).length === 20_000);
  });
});

/** What it is once it has stayed the same for some turns of the event loop. */
async function settled(value: () => number): Promise<number> {
  let last = value();
  for (let same = 0; same < 50; same += 1) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (value() !== last) same = 0;
    last = value();
  }
  return last;
}
