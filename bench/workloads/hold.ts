/**
 * Very many connections that say nothing, over as many workers as their limit of open files asks
 * for: opened, pinged and held. What is lost or refused is counted here, and is no failure of the
 * run. Nobody else is measured, since the others spread connections over processes each its way.
 */
import {
  anonymousBytes,
  availableBytes,
  descriptorLimit,
  freeBytes,
} from "../floor/process-usage.ts";
import { headgate, type Server } from "../floor/servers.ts";
import { type Comparison, compare, type Sample } from "./comparison.ts";
import { type BenchReport, headgateBenchReport } from "./headgate-bench.ts";
import { type Bench, type Workload, withServers } from "./workload.ts";

/** Descriptors that a worker needs besides those of its connections, and room for uneven shares. */
const DESCRIPTORS_KEPT = 1500;
const RAMP_PER_SECOND = 8000;
const HANDSHAKES_AT_ONCE = 1000;
/** Both ends, in the kernel and in the processes, with something to spare. */
const CONNECTION_BYTES = 12_000;
const WORKER_BYTES = 120e6;
/** Beyond it no report is waited for, whatever the opening took. */
const PATIENCE_SECONDS = 240;

export const hold: Workload = {
  name: "hold",
  title: "Held connections over workers",
  base: "",
  cost: "seconds until all were open",
  digits: 1,
  sides: [
    { key: "refused", title: "refused", digits: 0 },
    { key: "lost", title: "lost", digits: 0 },
    { key: "pinged", title: "pinged", digits: 0 },
    { key: "pings", title: "pings answered for each", digits: 1 },
    { key: "heldSeconds", title: "held, s", digits: 0 },
    { key: "workers", title: "workers", digits: 0 },
    { key: "workerBytes", title: "workers' memory for each, B", digits: 0 },
    { key: "freeBytes", title: "all memory for each, both ends, B", digits: 0 },
  ],
  note:
    "Opened by `headgate bench --mode hold` from many addresses of 127.0.0.0/8, with as many " +
    "processes as its limit of open files asks for, on the generator's core; all workers share " +
    "the servers' core. The workers' memory is their anonymous resident memory with the " +
    "connections, less what it was without; all memory is what `MemFree` fell by, the kernel's " +
    "sockets at both ends and the generator included.",
  main: [],
  measure,
};

async function measure(bench: Bench): Promise<Comparison> {
  const connections = Math.min(bench.hold.connections, roomFor());
  const workers = Math.max(2, Math.ceil(connections / (descriptorLimit() - DESCRIPTORS_KEPT)));
  const scenario = `${connections.toLocaleString("en")} connections`;
  const plan = { scenario, rounds: 1, base: hold.base, progress: bench.progress };
  return withServers([headgate(bench.root, { workers })], async (running) => {
    const errors: string[] = [];
    const { figures, failures } = await compare(running, plan, async ({ server }) => {
      const { sample, report } = await runHold(bench, server, connections, workers);
      for (const [kind, times] of Object.entries(report.errors)) errors.push(`${kind} ${times}`);
      return sample;
    });
    const named = errors.map((reason) => ({ scenario, contender: "a connection", reason }));
    return { figures, failures: [...failures, ...named] };
  });
}

/** Rather fewer than a machine that swaps. */
function roomFor(): number {
  return Math.floor(availableBytes() / (CONNECTION_BYTES + WORKER_BYTES / 18_000));
}

async function runHold(
  { root, hold: { seconds } }: Bench,
  server: Server,
  connections: number,
  workers: number,
): Promise<{ sample: Sample; report: BenchReport }> {
  const workerPids = server.pids.slice(0, workers);
  const usage = () => ({
    workers: workerPids.reduce((total, pid) => total + anonymousBytes(pid), 0),
    free: freeBytes(),
  });
  const before = usage();
  // The last look before the end: what the opening left behind has been collected by then.
  let held = before;
  const progressed = (text: string) => {
    if (text.startsWith("measuring")) held = usage();
  };
  const asked = {
    ...{ mode: "hold", connections, duration: seconds },
    ...{ ramp: RAMP_PER_SECOND, concurrency: HANDSHAKES_AT_ONCE },
  };
  const timeoutMs = (PATIENCE_SECONDS + seconds) * 1000;
  const report = await headgateBenchReport(root, server, asked, progressed, timeoutMs);
  const { opened, failed, lost, openingSeconds } = report.connections;
  if (opened === 0) throw new Error(`none was opened: ${JSON.stringify(report.errors)}`);
  const sample = {
    cost: openingSeconds,
    refused: failed,
    lost,
    pinged: report.pinged,
    pings: report.pings / opened,
    heldSeconds: seconds,
    workers,
    workerBytes: (held.workers - before.workers) / opened,
    freeBytes: (before.free - held.free) / opened,
  };
  return { sample, report };
}
