import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { RecordingLog } from "../../test/support/recording-log.ts";
import { makeTemporaryFolder } from "../../test/support/temporary-folder.ts";
import { until } from "../../test/support/until.ts";
import type { Configuration } from "../config/configuration.ts";
import { configurationOf } from "../config/load.ts";
import { emptyCounts } from "../metrics/worker-counts.ts";
import { loadBinding } from "../reactor/binding.ts";
import { Supervisor, type SupervisorOptions } from "./supervisor.ts";

/**
 * What every fake worker begins with. A test's own source replaces `begin`, which is called with
 * the start message and the number of this member's life, `stop` or `commands`.
 */
const PRELUDE = `
import { appendFileSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
const send = (message) => process.send(message);
const none = ${JSON.stringify(emptyCounts())};
const counts = (connections) => send({ type: "counts", counts: { ...none, connections } });
const log = (fields, sentence) => send({ type: "log", level: "info", fields, sentence });
let begin = () => send({ type: "ready" });
// Node 20 fails when a channel is closed within the delivery of a message that it had kept.
const leave = () => setImmediate(() => process.disconnect());
let stop = leave;
let commands = (list) => send({
  type: "answers",
  answers: list.map(({ id }) => ({
    id,
    answer: { matched: 1, dropped: 0, refused: undefined, connections: [], description: undefined },
  })),
});
process.on("message", (message) => {
  if (message.type === "stop") stop();
  if (message.type === "commands") commands(message.commands);
  if (message.type !== "start") return;
  const lives = new URL("lives-" + message.index, import.meta.url);
  appendFileSync(lives, "x");
  begin(message, readFileSync(lives, "utf8").length);
});
`;

function configure(workers: number): Configuration {
  return configurationOf({
    listen: [{ address: "127.0.0.1:0" }],
    hubs: { chat: { paths: ["/chat"], service: "echo:" } },
    admin: { address: "127.0.0.1:0" },
    workers,
  });
}

interface Fixture {
  supervisor: Supervisor;
  log: RecordingLog;
  /** What the selectors were set to. */
  steered: string[];
}

function prepare(
  t: TestContext,
  workers: number,
  source: string,
  options: Partial<SupervisorOptions> = {},
): Fixture {
  const folder = makeTemporaryFolder({ "worker.mjs": `${PRELUDE}\n${source}` });
  const workerPath = join(folder, "worker.mjs");
  const log = new RecordingLog();
  const steered: string[] = [];
  const binding = loadBinding();
  const recording = {
    ...binding,
    steer: (descriptor: number, open: Int32Array) => {
      steered.push([...open].join());
      return binding.steer(descriptor, open);
    },
  };
  const supervisor = new Supervisor({
    configuration: configure(workers),
    log,
    workerPath,
    binding: recording,
    ...options,
    timing: { restartDelayMs: 1, ...options.timing },
  });
  t.after(async () => {
    const stopping = supervisor.stop();
    // A test whose workers hang wants them killed.
    await supervisor.stop();
    await stopping;
  });
  return { supervisor, log, steered };
}

function pidOf(supervisor: Supervisor, index: number): number {
  const pid = supervisor.status().workers[index]?.pid;
  assert(pid !== undefined);
  return pid;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function readiness({ adminAddress: { host, port } }: Supervisor): Promise<number> {
  const response = await fetch(`http://${host}:${port}/readyz`);
  await response.body?.cancel();
  return response.status;
}

test("workers are processes, each with its index, nonce and configuration", async (t) => {
  const source = `begin = ({ index, nonce, configuration, listeners, logLevel }) => {
    log({ index, nonce, hubs: Object.keys(JSON.parse(configuration).hubs), listeners, logLevel,
      socket: readlinkSync("/proc/self/fd/4") }, "started");
    counts(3);
    send({ type: "ready" });
  };`;
  const { supervisor, log } = prepare(t, 2, source, { logLevel: "debug" });
  await supervisor.start();
  const started = (await log.find(/started/, 2)).map(({ fields }) => fields);
  started.sort((a, b) => Number(a.index) - Number(b.index));
  assert.deepEqual(
    started.map(({ worker, index, hubs, listeners, logLevel }) => [
      worker,
      index,
      hubs,
      listeners,
      logLevel,
    ]),
    [
      [1, 0, ["chat"], 1, "debug"],
      [2, 1, ["chat"], 1, "debug"],
    ],
  );
  assert.equal(new Set(started.map(({ nonce }) => nonce)).size, 2);
  assert.equal(new Set(started.map(({ socket }) => socket)).size, 2);
  const status = supervisor.status();
  assert.equal(new Set([process.pid, ...status.workers.map(({ pid }) => pid)]).size, 3);
  assert.deepEqual(
    status.workers.map(({ index, state, connections, restarts }) => {
      return [index, state, connections, restarts];
    }),
    [
      [1, "ready", 3, 0],
      [2, "ready", 3, 0],
    ],
  );
  assert.equal(status.connections, 6);
  assert.equal(status.ready, true);
  assert.deepEqual(status.hubs, [
    { name: "chat", paths: ["/chat"], service: "echo:", connections: 0 },
  ]);
  assert.notEqual(status.listen[0]?.port, 0);
});

test("a worker that is killed is logged with its loss, left out, and comes back", async (t) => {
  const source = `begin = ({ index }) => {
    log({ socket: readlinkSync("/proc/self/fd/4") }, "socket of " + index);
    counts(index + 41);
    send({ type: "ready" });
  };`;
  const { supervisor, log, steered } = prepare(t, 2, source);
  await supervisor.start();
  assert.equal(steered.at(-1), "0,1");
  const before = steered.length;
  const pid = pidOf(supervisor, 1);
  process.kill(pid, "SIGKILL");
  const [line] = await log.find(/ended/);
  assert.equal(
    line?.sentence,
    "worker 2 ended: killed by SIGKILL; 42 connections lost; starts again in 1 ms",
  );
  assert.equal(line?.level, "error");
  assert.equal(line?.fields.pid, pid);
  assert.equal(line?.fields.signal, "SIGKILL");
  assert.equal(line?.fields.connectionsLost, 42);
  await until(() => supervisor.status().workers[1]?.state === "ready");
  assert.deepEqual(steered.slice(before), ["0", "0,1"]);
  assert.equal(supervisor.status().workers[1]?.restarts, 1);
  assert.equal(supervisor.status().workers[0]?.restarts, 0);
  const sockets = await log.find(/socket of 1/, 2);
  assert.equal(sockets[0]?.fields.socket, sockets[1]?.fields.socket);
});

test("a client that waits in a dead worker's queue is served by the next one", async (t) => {
  const source = `begin = (start, life) => {
    if (life > 1) createServer((socket) => socket.end("life " + life)).listen({ fd: 4 });
    send({ type: "ready" });
  };`;
  const { supervisor } = prepare(t, 1, source);
  await supervisor.start();
  const socket = connect(supervisor.addresses[0]?.port ?? 0, "127.0.0.1");
  t.after(() => void socket.destroy());
  await once(socket, "connect");
  process.kill(pidOf(supervisor, 0), "SIGKILL");
  const [bytes] = (await once(socket, "data")) as [Buffer];
  assert.equal(bytes.toString(), "life 2");
});

test("a worker that keeps dying waits longer each time", async (t) => {
  const source = `begin = () => { send({ type: "ready" }); setImmediate(() => process.exit(7)); };`;
  const timing = { restartDelayMs: 1, restartDelayMsMax: 4 };
  const { supervisor, log } = prepare(t, 1, source, { timing });
  await supervisor.start();
  const ends = await log.find(/worker 1 ended: exit code 7/, 4);
  assert.deepEqual(
    ends.slice(0, 4).map(({ fields }) => [fields.delayMs, fields.code]),
    [1, 2, 4, 4].map((delayMs) => [delayMs, 7]),
  );
});

test("a worker that does not become ready in time is killed and tried again", async (t) => {
  const source = `begin = (start, life) => { if (life > 1) send({ type: "ready" }); };`;
  const { supervisor, log } = prepare(t, 1, source, { timing: { readyTimeoutMs: 300 } });
  await supervisor.start();
  const [line] = await log.find(/ended/);
  assert.match(line?.sentence ?? "", /not ready within 300 ms, killed/);
  // More than one where a busy machine is late with the next ones too.
  const { state, restarts } = supervisor.status().workers[0] ?? { restarts: 0 };
  assert.equal(state, "ready");
  assert.ok(restarts >= 1);
});

test("a worker that cannot start ends the start, and leaves nothing behind", async (t) => {
  const source = `begin = ({ index }) => {
    if (index === 0) return;
    send({ type: "failed", code: "HG_DESCRIPTORS_FEW", message: "Raise the limit." });
    leave();
  };`;
  const { supervisor, log } = prepare(t, 2, source);
  const starting = supervisor.start();
  await until(() => supervisor.status().workers.length === 2);
  const pid = pidOf(supervisor, 0);
  const { port } = supervisor.addresses[0] ?? { port: 0 };
  await assert.rejects(starting, { code: "HG_DESCRIPTORS_FEW", message: "Raise the limit." });
  assert.equal(isAlive(pid), false);
  assert.deepEqual(log.lines, []);
  await assert.rejects(once(connect(port, "127.0.0.1"), "connect"), { code: "ECONNREFUSED" });
});

test("a worker that crashes in its first start ends the start with its exit code", async (t) => {
  const { supervisor } = prepare(t, 1, `begin = () => process.exit(13);`);
  await assert.rejects(supervisor.start(), { code: "HG_WORKER_FAILED", message: /exit code 13/ });
});

test("a worker that cannot start a second time is tried again", async (t) => {
  const source = `begin = (start, life) => {
    if (life !== 2) return send({ type: "ready" });
    send({ type: "failed", code: "HG_DESCRIPTORS_FEW", message: "Raise the limit." });
    leave();
  };`;
  const { supervisor, log } = prepare(t, 1, source);
  await supervisor.start();
  process.kill(pidOf(supervisor, 0), "SIGKILL");
  await log.find(/worker 1 ended: Raise the limit/);
  await until(() => supervisor.status().workers[0]?.state === "ready");
  assert.equal(supervisor.status().workers[0]?.restarts, 2);
});

test("a full worker is left out until it says that it is no longer", async (t) => {
  const source = `process.on("SIGUSR2", () => send({ type: "full", full: true }));
  process.on("SIGHUP", () => send({ type: "full", full: false }));`;
  const { supervisor, steered } = prepare(t, 2, source);
  await supervisor.start();
  process.kill(pidOf(supervisor, 0), "SIGUSR2");
  await until(() => steered.at(-1) === "1");
  process.kill(pidOf(supervisor, 0), "SIGHUP");
  await until(() => steered.at(-1) === "0,1");
});

test("a push reaches every worker, and one that dies of it makes it partial", async (t) => {
  const source = `const answer = commands;
  let index;
  begin = (start) => { index = start.index; send({ type: "ready" }); };
  commands = (list) => {
    if (index === 1 && Buffer.from(list[0].command.bytes).toString() === "die") process.exit(1);
    answer(list);
  };`;
  const { supervisor } = prepare(t, 2, source);
  await supervisor.start();
  const { host, port } = supervisor.adminAddress;
  const push = async (body: string): Promise<(string | null)[]> => {
    const url = `http://${host}:${port}/api/hubs/chat/:send`;
    const headers = { "content-type": "text/plain" };
    const response = await fetch(url, { method: "POST", headers, body });
    await response.body?.cancel();
    return ["headgate-matched", "headgate-partial"].map((name) => response.headers.get(name));
  };
  assert.deepEqual(await push("hello"), ["2", null]);
  assert.deepEqual(await push("die"), ["1", "true"]);
  await until(() => supervisor.status().workers[1]?.state === "ready");
  assert.deepEqual(await push("hello"), ["2", null]);
});

test("stopping fails readiness at once, and tells every worker to end", async (t) => {
  const source = `stop = () => {
    log({}, "told");
    process.on("SIGUSR2", leave);
  };`;
  const { supervisor, log } = prepare(t, 2, source);
  await supervisor.start();
  assert.equal(await readiness(supervisor), 200);
  const pids = [0, 1].map((index) => pidOf(supervisor, index));
  const stopping = supervisor.stop();
  assert.equal(await readiness(supervisor), 503);
  await log.find(/told/, 2);
  assert.deepEqual(pids.map(isAlive), [true, true]);
  for (const pid of pids) process.kill(pid, "SIGUSR2");
  await stopping;
  assert.deepEqual(pids.map(isAlive), [false, false]);
  assert.deepEqual(
    supervisor.status().workers.map(({ state, restarts }) => [state, restarts]),
    [
      ["stopped", 0],
      ["stopped", 0],
    ],
  );
  await assert.rejects(readiness(supervisor), /fetch failed/);
});

test("a worker that does not end in time is killed, with a warning", async (t) => {
  const { supervisor, log } = prepare(t, 1, "stop = () => {};", {
    timing: { stopTimeoutMs: 50 },
  });
  await supervisor.start();
  await supervisor.stop();
  const [line] = await log.find(/did not end within 50 ms and is killed/);
  assert.equal(line?.level, "warn");
});

test("stopping a second time does not wait for the workers", async (t) => {
  const { supervisor, log } = prepare(t, 1, `stop = () => log({}, "told");`);
  await supervisor.start();
  const stopping = supervisor.stop();
  await log.find(/told/);
  await supervisor.stop();
  await stopping;
  assert.equal(log.lines.at(-1)?.sentence, "told");
});

test("stopping while a worker waits for its restart, or while starting, leaves none", async (t) => {
  const waiting = prepare(t, 1, "", { timing: { restartDelayMs: 60_000 } });
  await waiting.supervisor.start();
  process.kill(pidOf(waiting.supervisor, 0), "SIGKILL");
  await waiting.log.find(/ended/);
  await waiting.supervisor.stop();
  assert.equal(waiting.supervisor.status().workers[0]?.state, "stopped");

  const starting = prepare(t, 1, "begin = () => {};").supervisor;
  const rejected = assert.rejects(starting.start(), { code: "HG_STOPPED" });
  await until(() => starting.status().workers.length === 1);
  await starting.stop();
  await rejected;

  const opening = prepare(t, 1, "").supervisor;
  const refused = assert.rejects(opening.start(), { code: "HG_STOPPED" });
  await opening.stop();
  await refused;
  assert.deepEqual(opening.status().workers, []);
});
