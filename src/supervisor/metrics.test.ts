/** What the supervisor makes of its workers' counts, with a worker that counts as it is told. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Exposition } from "../../test/support/prometheus.ts";
import { until } from "../../test/support/until.ts";
import { configurationOf } from "../config/load.ts";
import { silentLog } from "../core/log.ts";
import { emptyCounts } from "../metrics/worker-counts.ts";
import { Supervisor } from "./supervisor.ts";

/** Its first life counts 10 openings, its second 20; its third dies before it could tell any. */
const WORKER = `
import { appendFileSync, readFileSync } from "node:fs";
process.on("message", ({ type }) => {
  if (type === "stop") setImmediate(() => process.disconnect());
  if (type !== "start") return;
  const lives = new URL("lives", import.meta.url);
  appendFileSync(lives, "x");
  const life = readFileSync(lives).length;
  const chat = { connections: 5, messagesReceivedTotal: 100 * life, bytesReceivedTotal: 0 };
  const counts = { ...${JSON.stringify(emptyCounts())}, connections: 5, openedTotal: 10 * life,
    memory: { parked: 7 }, hubs: { chat } };
  if (life < 3) process.send({ type: "counts", counts });
  process.send({ type: "ready" });
});
`;

async function start(t: TestContext): Promise<Supervisor> {
  const folder = mkdtempSync(join(tmpdir(), "headgate-supervisor-metrics-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const workerPath = join(folder, "worker.mjs");
  writeFileSync(workerPath, WORKER);
  const supervisor = new Supervisor({
    configuration: configurationOf({
      listen: [{ address: "127.0.0.1:0" }],
      hubs: { chat: { service: "echo:" } },
      admin: { address: "127.0.0.1:0" },
    }),
    log: silentLog,
    workerPath,
    timing: { restartDelayMs: 1 },
  });
  t.after(() => supervisor.stop());
  await supervisor.start();
  return supervisor;
}

function read(supervisor: Supervisor) {
  const series = new Exposition(supervisor.metrics());
  return {
    opened: series.value("headgate_connections_opened_total"),
    received: series.value('headgate_messages_received_total{hub="chat"}'),
    connections: series.value('headgate_connections{hub="chat"}'),
    parked: series.find('headgate_memory_budget_bytes{state="parked"}'),
    lost: series.value("headgate_connections_lost_total"),
    up: series.value('headgate_worker_up{worker="1"}'),
    restarts: series.value('headgate_worker_restarts_total{worker="1"}'),
  };
}

/** Kills the worker; what is told while it is gone. */
async function restart(supervisor: Supervisor): Promise<ReturnType<typeof read>> {
  const [{ pid, restarts } = { pid: undefined, restarts: 0 }] = supervisor.status().workers;
  assert(pid !== undefined);
  process.kill(pid, "SIGKILL");
  let between: ReturnType<typeof read> | undefined;
  await until(() => {
    const [worker] = supervisor.status().workers;
    if (worker?.state !== "ready") between ??= read(supervisor);
    return worker?.state === "ready" && worker.restarts === restarts + 1;
  });
  assert(between !== undefined, "it was seen to be gone");
  return between;
}

test("what a dead worker had counted stays in the totals, and nothing else of it", async (t) => {
  const supervisor = await start(t);
  const now = { connections: 5, parked: 7, up: 1 };
  const gone = { connections: 0, parked: undefined, up: 0 };
  const first = { opened: 10, received: 100 };
  assert.deepEqual(read(supervisor), { ...first, ...now, lost: 0, restarts: 0 });
  const { restarts: _, ...between } = await restart(supervisor);
  assert.deepEqual(between, { ...first, ...gone, lost: 5 });
  const both = { opened: 30, received: 300 };
  assert.deepEqual(read(supervisor), { ...both, ...now, lost: 5, restarts: 1 });
  await restart(supervisor);
  assert.deepEqual(read(supervisor), { ...both, ...gone, up: 1, lost: 10, restarts: 2 });
});

test("the status tells the connections of each hub", async (t) => {
  const supervisor = await start(t);
  assert.equal(supervisor.status().hubs[0]?.connections, 5);
});
