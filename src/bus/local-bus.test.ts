/** The local bus over channels that record, and once over a real child process. */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { formatConnectionId, makeNonce } from "../core/connection-id.ts";
import { BINARY, TEXT } from "../core/opcode.ts";
import { type Answer, type Command, emptyAnswer, type Target } from "./command.ts";
import { type CommandsMessage, LocalBus, type WorkerChannel } from "./local-bus.ts";
import { LocalBusWorker } from "./local-bus-worker.ts";

class FakeChannel implements WorkerChannel {
  readonly nonce = makeNonce();
  readonly messages: CommandsMessage[] = [];

  send(message: unknown): void {
    this.messages.push(message as CommandsMessage);
  }

  /** Answers all commands of one of its messages alike. */
  answer(bus: LocalBus, message: CommandsMessage | undefined, answer: Partial<Answer>): void {
    const answers = message?.commands.map(({ id }) => ({
      id,
      answer: { ...emptyAnswer(), ...answer },
    }));
    assert.equal(bus.receive(this.nonce, { type: "answers", answers }), true);
  }
}

function setUp(count: number, options: ConstructorParameters<typeof LocalBus>[0] = {}) {
  const bus = new LocalBus(options);
  const channels = Array.from({ length: count }, () => new FakeChannel());
  for (const channel of channels) bus.addWorker(channel.nonce, channel);
  return { bus, channels: channels as [FakeChannel, FakeChannel, ...FakeChannel[]] };
}

function send(target: Target = { kind: "all" }, bytes: Uint8Array = new Uint8Array(1)): Command {
  const pushId = undefined;
  return { verb: "send", hub: "chat", target, excluded: [], opcode: TEXT, bytes, pushId };
}

function to(channel: FakeChannel): Target {
  return { kind: "connection", connectionId: formatConnectionId(channel.nonce, 7) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("what is asked in one turn goes to each worker as one message, in order", async () => {
  const { bus, channels } = setUp(2);
  void bus.ask(send({ kind: "user", user: "ann" }));
  void bus.ask(send({ kind: "group", group: "blue" }));
  await Promise.resolve();
  void bus.ask(send());
  assert.equal(channels[0].messages.length, 0);
  await turn();
  for (const { messages } of channels) {
    assert.equal(messages.length, 1);
    assert.equal(messages[0]?.type, "commands");
    const targets = messages[0]?.commands.map(
      ({ command }) => (command as { target: Target }).target,
    );
    assert.deepEqual(targets, [
      { kind: "user", user: "ann" },
      { kind: "group", group: "blue" },
      { kind: "all" },
    ]);
  }
  void bus.ask(send());
  await turn();
  assert.equal(channels[0].messages.length, 2);
});

test("the answers of all workers are added up", async () => {
  const { bus, channels } = setUp(2);
  const asked = bus.ask({ verb: "list", hub: "chat", group: "g", after: undefined, limit: 2 });
  await turn();
  const [first, second] = channels;
  second.answer(bus, second.messages[0], {
    matched: 2,
    connections: [{ connectionId: "b", userId: undefined }],
  });
  first.answer(bus, first.messages[0], {
    matched: 3,
    dropped: 1,
    connections: ["c", "a"].map((connectionId) => ({ connectionId, userId: undefined })),
  });
  const { answer, partial } = await asked;
  assert.equal(partial, false);
  assert.equal(answer.matched, 5);
  assert.equal(answer.dropped, 1);
  const ids = answer.connections.map(({ connectionId }) => connectionId);
  assert.deepEqual(ids, ["a", "b"]);
});

test("a command about a connection goes only to the worker that its id names", async () => {
  const { bus, channels } = setUp(2);
  const [first, second] = channels;
  const sent = bus.ask(send(to(second)));
  const { target } = send(to(second)) as { target: { connectionId: string } & Target };
  const described = bus.ask({ verb: "describe", connectionId: target.connectionId });
  await turn();
  assert.equal(first.messages.length, 0);
  assert.equal(second.messages[0]?.commands.length, 2);
  second.answer(bus, second.messages[0], { matched: 1 });
  assert.deepEqual(await sent, { answer: { ...emptyAnswer(), matched: 1 }, partial: false });
  await described;
});

test("a connection of no worker, and a gateway without workers, are answered at once", async () => {
  const { bus, channels } = setUp(1);
  const stranger = to(new FakeChannel());
  assert.deepEqual(await bus.ask(send(stranger)), { answer: emptyAnswer(), partial: false });
  const nonsense: Target = { kind: "connection", connectionId: "nonsense" };
  assert.deepEqual(await bus.ask(send(nonsense)), { answer: emptyAnswer(), partial: false });
  await turn();
  assert.equal(channels[0].messages.length, 0);
  const empty = new LocalBus();
  assert.deepEqual(await empty.ask(send()), { answer: emptyAnswer(), partial: false });
});

test("a worker that is removed makes what it owes partial, flushed or not", async () => {
  const { bus, channels } = setUp(2);
  const [first, second] = channels;
  const flushed = bus.ask(send());
  await turn();
  const unflushed = bus.ask(send());
  bus.removeWorker(first.nonce);
  await turn();
  for (const message of second.messages) second.answer(bus, message, { matched: 1 });
  assert.deepEqual(await flushed, { answer: { ...emptyAnswer(), matched: 1 }, partial: true });
  assert.deepEqual(await unflushed, { answer: { ...emptyAnswer(), matched: 1 }, partial: true });
  assert.equal(first.messages.length, 1, "nothing is sent to a worker that was removed");
  const alone = bus.ask(send(to(second)));
  await turn();
  bus.removeWorker(second.nonce);
  assert.deepEqual(await alone, { answer: emptyAnswer(), partial: true });
});

test("an answer that is late makes the question partial and is ignored", async (t) => {
  const { bus, channels } = withMockedTime(t, { timeoutMs: 50 });
  const [first, second] = channels;
  const asked = bus.ask(send());
  await turn();
  second.answer(bus, second.messages[0], { matched: 4 });
  t.mock.timers.tick(49);
  let settled = false;
  void asked.then(() => {
    settled = true;
  });
  await turn();
  assert.equal(settled, false);
  t.mock.timers.tick(1);
  assert.deepEqual(await asked, { answer: { ...emptyAnswer(), matched: 4 }, partial: true });
  first.answer(bus, first.messages[0], { matched: 1 });
});

test("questions past the bound are refused until others are answered", async () => {
  const { bus, channels } = setUp(1, { questionsMax: 2 });
  const [channel] = channels;
  void bus.ask(send());
  void bus.ask(send());
  await assert.rejects(bus.ask(send()), { name: "HeadgateError", code: "HG_BUS_FULL" });
  await turn();
  channel.answer(bus, channel.messages[0], {});
  const accepted = bus.ask(send());
  await turn();
  channel.answer(bus, channel.messages[1], { matched: 1 });
  assert.equal((await accepted).answer.matched, 1);
});

test("payload bytes in flight are bounded too", async () => {
  const { bus } = setUp(1, { bytesMax: 10 });
  void bus.ask(send({ kind: "all" }, new Uint8Array(6)));
  const second = bus.ask(send({ kind: "all" }, new Uint8Array(5)));
  await assert.rejects(second, { code: "HG_BUS_FULL" });
  void bus.ask(send({ kind: "all" }, new Uint8Array(4)));
});

test("a worker that hangs is sent no more than it may owe", async (t) => {
  const { bus, channels } = withMockedTime(t, { timeoutMs: 50, bytesMax: 10 });
  const [hung, healthy] = channels;
  const eightBytes = send({ kind: "all" }, new Uint8Array(8));
  for (let round = 0; round < 5; round += 1) {
    const asked = bus.ask(eightBytes);
    await turn();
    healthy.answer(bus, healthy.messages[round], { matched: 1 });
    t.mock.timers.tick(50);
    assert.deepEqual(await asked, { answer: { ...emptyAnswer(), matched: 1 }, partial: true });
  }
  assert.equal(hung.messages.length, 1);
  hung.answer(bus, hung.messages[0], {});
  void bus.ask(eightBytes);
  await turn();
  assert.equal(hung.messages.length, 2, "a worker that answers at last is asked again");
});

test("messages that are none of the bus are left to others", () => {
  const { bus, channels } = setUp(1);
  const worker = new LocalBusWorker({ execute: async () => emptyAnswer(), send: () => {} });
  for (const message of [{ type: "ready" }, null, undefined, "text"]) {
    assert.equal(bus.receive(channels[0].nonce, message), false);
    assert.equal(worker.receive(message), false);
  }
});

test("a worker executes in order and sends the answers of one turn together", async () => {
  const executed: string[] = [];
  const sent: unknown[] = [];
  const worker = new LocalBusWorker({
    execute: async (command) => {
      executed.push((command as { hub: string }).hub);
      return { ...emptyAnswer(), matched: executed.length };
    },
    send: (message) => sent.push(message),
  });
  const command = (hub: string): Command => ({ verb: "leave-all", hub, target: { kind: "all" } });
  const commands = ["a", "b"].map((hub, id) => ({ id, command: command(hub) }));
  assert.equal(worker.receive({ type: "commands", commands }), true);
  assert.deepEqual(executed, ["a", "b"]);
  await turn();
  await turn();
  const answers = [0, 1].map((id) => ({ id, answer: { ...emptyAnswer(), matched: id + 1 } }));
  assert.deepEqual(sent, [{ type: "answers", answers }]);
});

test("over a real process, bytes arrive whole, and a bug in execute ends the worker", async () => {
  const child = fork(new URL("./local-bus.test.child.js", import.meta.url), {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const bus = new LocalBus({ timeoutMs: 60_000 });
  const nonce = makeNonce();
  bus.addWorker(nonce, { send: (message) => child.send(message as object) });
  child.on("message", (message) => bus.receive(nonce, message));
  const exit = once(child, "exit");
  void exit.then(() => bus.removeWorker(nonce));
  const whole = Buffer.from([9, 1, 2, 3, 9]);
  const asked = [new Uint8Array([1, 2, 3]), whole.subarray(1, 4), Buffer.alloc(200_000, 1)].map(
    (bytes) => bus.ask({ ...send({ kind: "all" }, bytes), opcode: BINARY, pushId: "p" } as Command),
  );
  const results = await Promise.all(asked);
  const matched = results.map(({ answer }) => answer.matched);
  assert.deepEqual(matched, [6, 6, 200_000]);
  for (const { answer, partial } of results) {
    assert.equal(answer.dropped, 0, "the worker sees a plain Uint8Array");
    assert.deepEqual(answer.connections, [{ connectionId: "c", userId: "p" }]);
    assert.equal(partial, false);
  }
  const lost = bus.ask({ verb: "describe", connectionId: formatConnectionId(nonce, 1) });
  const [code] = await exit;
  assert.notEqual(code, 0);
  assert.deepEqual(await lost, { answer: emptyAnswer(), partial: true });
});

/** setImmediate stays real: the bus flushes with it. */
function withMockedTime(t: TestContext, options: ConstructorParameters<typeof LocalBus>[0]) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  return setUp(2, options);
}
