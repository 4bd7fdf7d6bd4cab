/** Pushes over links: which link has each, and how the answers of several add up. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { COMMAND, type Command, RESULT } from "../../link/frame.ts";
import { LinkPeer, textOf } from "../link/link-peer.test.helper.ts";
import { createService } from "../service.ts";

const [A, B] = ["AAAAAAAAAAA", "BBBBBBBBBBB"];

interface Worker {
  peer: LinkPeer;
  commands: Command[];
}

/** Answers each COMMAND as `answer` says; undefined: not at all. */
async function dial(
  port: number,
  nonce: string,
  answer: (command: Command) => { matched: number; dropped?: number; error?: string } | undefined,
): Promise<Worker> {
  const peer = await LinkPeer.open(port, { nonce, frameBytesMax: 10_000 });
  const commands: Command[] = [];
  peer.onFrame = (frame) => {
    if (frame.type !== COMMAND) return;
    commands.push(frame);
    const result = answer(frame);
    if (result === undefined) return;
    const { dropped = 0, error = "", matched } = result;
    const { request } = frame;
    peer.send({ type: RESULT, request, status: error === "" ? 0 : 1, matched, dropped, error });
  };
  return { peer, commands };
}

async function listen() {
  const service = createService({ hub: "chat", onError: () => {}, closeTimeoutMs: 500 });
  after(() => service.close());
  const { port } = await service.listenLink(0);
  return { service, push: service.push, port: port as number };
}

test("a push to a group goes to every worker, and the counts are added up", async () => {
  const { port, push } = await listen();
  const first = await dial(port, A, () => ({ matched: 2, dropped: 1 }));
  const second = await dial(port, B, () => ({ matched: 3 }));
  const options = { excluded: [`${A}.x`, `${B}.y`], pushId: "p 1" };
  const result = await push.toGroup("lobby", "hé", options);
  assert.deepEqual(result, { matched: 5, dropped: 1, partial: false });
  for (const { commands } of [first, second]) {
    const [command] = commands as [Command];
    const { excluded, name, opcode, pushId, target, verb } = command;
    assert.deepEqual([verb, target, name, opcode, pushId], ["send", "group", "lobby", 1, "p 1"]);
    assert.deepEqual(excluded, options.excluded);
    assert.equal(textOf(command), "hé");
  }
});

test("a push to a connection goes to the worker whose id it is, and to no other", async () => {
  const { port, push } = await listen();
  const first = await dial(port, A, () => ({ matched: 1 }));
  const second = await dial(port, B, () => ({ matched: 1 }));
  const result = await push.toConnection(`${B}.x`, Buffer.from([1]), { kind: "binary" });
  assert.deepEqual(result, { matched: 1, dropped: 0, partial: false });
  assert.deepEqual([first.commands.length, second.commands.length], [0, 1]);
  assert.equal(second.commands[0]?.opcode, 2);
  const gone = await push.toConnection("CCCCCCCCCCC.x", "a");
  assert.deepEqual(gone, { matched: 0, dropped: 0, partial: true });
});

test("closing, joining, leaving and asking are commands as well", async () => {
  const { port, push } = await listen();
  const { commands } = await dial(port, A, ({ name }) => ({ matched: name === "bob" ? 0 : 1 }));
  await push.closeConnection(`${A}.x`, { reason: "enough" });
  await push.closeUser("ann");
  await push.closeGroup("lobby", { excluded: ["e"] });
  await push.closeAll({ reason: "over" });
  await push.join({ connection: `${A}.x` }, "g");
  await push.leave({ user: "ann" }, "g");
  await push.leaveAll({ user: "ann" });
  assert.equal(await push.exists({ user: "ann" }), true);
  assert.equal(await push.exists({ user: "bob" }), false);
  const told = commands.map(({ argument, excluded, name, target, verb }) => {
    return [verb, target, name, argument, ...excluded].join(" ");
  });
  assert.deepEqual(told, [
    ...[`close connection ${A}.x enough`, "close user ann ", "close group lobby  e"],
    ...["close all  over", `join connection ${A}.x g`, "leave user ann g", "leave-all user ann "],
    ...["exists user ann ", "exists user bob "],
  ]);
});

test("a worker whose link breaks makes an answer partial; a refusal is an error", async () => {
  const { port, push } = await listen();
  await dial(port, A, ({ verb }) =>
    verb === "join" ? { matched: 0, error: "too many groups" } : { matched: 2 },
  );
  const silent = await dial(port, B, () => undefined);
  const waiting = push.toAll("a");
  await silent.peer.until(() => silent.commands.length === 1, "the command");
  silent.peer.socket.destroy();
  assert.deepEqual(await waiting, { matched: 2, dropped: 0, partial: true });
  await assert.rejects(push.join({ user: "ann" }, "g"), {
    code: "HG_PUSH_REFUSED",
    message: /too many groups/,
  });
});

test("what cannot be pushed says why, and no frame of it leaves", async () => {
  const { port, push, service } = await listen();
  await assert.rejects(push.toAll("a"), { code: "HG_PUSH_NO_LINK" });
  const { commands } = await dial(port, A, () => ({ matched: 1 }));
  const invalid = { code: "HG_PUSH_INVALID" };
  await assert.rejects(push.toUser("", "a"), invalid);
  await assert.rejects(push.toUser("u".repeat(65_536), "a"), invalid);
  await assert.rejects(push.join({ user: "ann" }, ""), invalid);
  await assert.rejects(push.toAll(Buffer.alloc(10_000)), invalid);
  assert.equal(commands.length, 0);
  await service.close();
  await assert.rejects(push.toAll("a"), { code: "HG_SERVICE_CLOSED" });
});
