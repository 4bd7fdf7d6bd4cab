/**
 * The gateway's own `headgate bench` against a server, on the generator's core, as its JSON. What
 * it calls an error makes the run fail: a figure with errors in it is none.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { pinned } from "../floor/child.ts";
import type { Server } from "../floor/servers.ts";

const TIMEOUT_MS = 120_000;
const run = promisify(execFile);

/** Its options, without their dashes. */
type Asked = Record<string, string | number>;

/** Of its report, what is used here. */
export interface BenchReport {
  isInterrupted: boolean;
  connections: { opened: number; failed: number; lost: number; openingSeconds: number };
  pings: number;
  /** Connections that were pinged at least once. */
  pinged: number;
  messages: number;
  messagesPerSecond: number;
  latencyMs: { p50Ms: number; p99Ms: number; p999Ms: number; maxMs: number };
  latenessMs: { p99Ms: number };
  generator: { processes: number; cpuShare: number };
  server: { userSeconds: number; systemSeconds: number; cpuUsPerMessage: number };
  errors: Record<string, number>;
}

export async function headgateBench(
  root: string,
  server: Server,
  asked: Asked,
): Promise<BenchReport> {
  const report = await headgateBenchReport(root, server, asked);
  const errors = Object.entries(report.errors).map(([kind, times]) => `${kind} ${times}`);
  if (errors.length > 0) throw new Error(`headgate bench: ${errors.join(", ")}`);
  if (report.isInterrupted) throw new Error("headgate bench: somebody ended it");
  return report;
}

/** For those who count errors themselves. `progressed` gets what it writes to stderr. */
export async function headgateBenchReport(
  root: string,
  server: Server,
  asked: Asked,
  progressed: (text: string) => void = () => {},
  timeoutMs = TIMEOUT_MS,
): Promise<BenchReport> {
  const main = join(root, "dist/src/cli/main.js");
  const [file = "", ...parameters] = [
    ...(pinned === undefined ? [] : ["taskset", "-c", String(pinned[1])]),
    ...[process.execPath, main, "bench", `ws://127.0.0.1:${server.port}/`, "--json"],
    ...server.pids.flatMap((pid) => ["--server-pid", String(pid)]),
    ...Object.entries(asked).flatMap(([name, value]) => [`--${name}`, String(value)]),
  ];
  const running = run(file, parameters, { timeout: timeoutMs });
  running.child.stderr?.on("data", (text: string | Buffer) => progressed(String(text)));
  const { stdout } = await running.catch((error: Error & { stdout?: string }) => {
    // With errors it ends with 1, and the report has them.
    if (!error.stdout?.startsWith("{")) throw error;
    return { stdout: error.stdout };
  });
  return JSON.parse(stdout) as BenchReport;
}
