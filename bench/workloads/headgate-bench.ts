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

/** Of its report, what is used here. */
export interface BenchReport {
  messages: number;
  messagesPerSecond: number;
  latencyMs: { p50Ms: number; p99Ms: number; p999Ms: number };
  latenessMs: { p99Ms: number };
  generator: { cpuShare: number };
  server: { userSeconds: number; systemSeconds: number; cpuUsPerMessage: number };
  errors: Record<string, number>;
}

export async function headgateBench(
  root: string,
  server: Server,
  options: string[],
): Promise<BenchReport> {
  const main = join(root, "dist/src/cli/main.js");
  const [file = "", ...parameters] = [
    ...(pinned === undefined ? [] : ["taskset", "-c", String(pinned[1])]),
    ...[process.execPath, main, "bench", `ws://127.0.0.1:${server.port}/`, "--json"],
    ...["--server-pid", ...server.pids.map(String)],
    ...options,
  ];
  const { stdout } = await run(file, parameters, { timeout: TIMEOUT_MS }).catch(
    (error: Error & { stdout?: string }) => {
      // With errors it ends with 1, and the report has them.
      if (!error.stdout?.startsWith("{")) throw error;
      return { stdout: error.stdout };
    },
  );
  const report = JSON.parse(stdout) as BenchReport;
  const errors = Object.entries(report.errors).map(([kind, times]) => `${kind} ${times}`);
  if (errors.length > 0) throw new Error(`headgate bench: ${errors.join(", ")}`);
  return report;
}
