import assert from "node:assert/strict";
import { test } from "node:test";
import { startInProcess } from "../../test/support/in-process-gateway.ts";
import { ObservedClient } from "../../test/support/observed-client.ts";
import { TEXT } from "../core/opcode.ts";
import { EchoUpstream } from "../upstreams/echo.ts";
import type { UpstreamCommand, UpstreamSink } from "../upstreams/upstream.ts";

/** An echo whose sink the test has, and what it says of the connections that it was told of. */
async function startWithSink() {
  const connectionIds: string[] = [];
  let sink: UpstreamSink | undefined;
  const gateway = await startInProcess({
    openUpstream: (given) => {
      sink = given;
      const upstream = new EchoUpstream(given);
      upstream.connected = (place?: number) => {
        connectionIds.push(given.facts(place as number).connectionId);
      };
      return upstream;
    },
  });
  const execute = (command: Partial<UpstreamCommand>) =>
    (sink as UpstreamSink).execute({
      verb: "send",
      target: { kind: "all" },
      excluded: [],
      opcode: TEXT,
      bytes: Buffer.from("pushed"),
      argument: "",
      pushId: undefined,
      ...command,
    });
  return { gateway, execute, connectionIds };
}

test("a carrier's command is carried out on the connections of its hub", async () => {
  const { gateway, execute, connectionIds } = await startWithSink();
  const url = `ws://127.0.0.1:${gateway.port}/`;
  const first = await ObservedClient.open(url);
  const second = await ObservedClient.open(url);
  const [firstId = "", secondId = ""] = connectionIds;
  const target = { kind: "connection", connectionId: firstId } as const;
  const blue = { kind: "group", group: "blue" } as const;

  assert.deepEqual(await execute({}), { matched: 2, dropped: 0 });
  assert.deepEqual(await execute({ target }), { matched: 1, dropped: 0 });
  assert.deepEqual(await execute({ excluded: [secondId] }), { matched: 1, dropped: 0 });
  assert.deepEqual(await first.received(3), ["pushed", "pushed", "pushed"]);
  assert.deepEqual(await second.received(1), ["pushed"]);

  assert.equal((await execute({ verb: "exists", target: blue })).matched, 0);
  assert.equal((await execute({ verb: "join", target, argument: "blue" })).matched, 1);
  assert.equal((await execute({ verb: "exists", target: blue })).matched, 1);
  assert.equal((await execute({ verb: "leave", target, argument: "blue" })).matched, 1);
  assert.equal((await execute({ verb: "exists", target: blue })).matched, 0);
  await execute({ verb: "join", target, argument: "blue" });
  assert.equal((await execute({ verb: "leave-all", target })).matched, 1);
  assert.equal((await execute({ verb: "exists", target: blue })).matched, 0);

  assert.equal((await execute({ verb: "close", target, argument: "good bye" })).matched, 1);
  const { code, reason } = await first.untilClosed();
  assert.equal(code, 1000);
  assert.match(reason, /^good bye/);
  await second.close();
  await gateway.stop();
});

test("a group too many is told as an effect that did not come about", async () => {
  const { gateway, execute } = await startWithSink();
  const client = await ObservedClient.open(`ws://127.0.0.1:${gateway.port}/`);
  const target = { kind: "all" } as const;
  for (let index = 0; index < 128; index += 1) {
    await execute({ verb: "join", target, argument: `group-${index}` });
  }
  const answer = await execute({ verb: "join", target, argument: "one-more" });
  assert.deepEqual(answer, { matched: 1, dropped: 1 });
  await client.close();
  await gateway.stop();
});
