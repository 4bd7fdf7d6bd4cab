/**
 * `headgate bench`: measures a WebSocket server with connections of its own, and says what it
 * found. It ends with 1 when there were errors, or nothing to measure.
 */
import { type Measurement, measure } from "../bench/measurement.ts";
import { loadBinding } from "../reactor/binding.ts";
import { AdminClient } from "./admin-client.ts";
import { type BenchCommand, readBenchOptions, readServerPids } from "./bench-options.ts";
import { BenchProgress } from "./bench-progress.ts";
import { benchJson, formatBench, hasErrors } from "./bench-report.ts";
import { EXIT_DONE, EXIT_FAILED, usageError } from "./failure.ts";
import type { ProgramStreams } from "./program.ts";

export async function bench(
  url: string,
  command: BenchCommand,
  { stdout, stderr, env }: ProgramStreams,
): Promise<number> {
  const options = await readBenchOptions(url, command, loadBinding().raiseDescriptorLimit());
  const progress = new BenchProgress(stderr);
  const rest = await openRest(command, env.HEADGATE_KEY);
  const measurement = await untilInterrupted((signal) =>
    measure(options, {
      ...{ signal, rest, serverPids: readServerPids(command) },
      progress: (phase, share, seen) => progress.show(phase, share, seen),
    }),
  ).finally(() => progress.end());
  const report = command.json
    ? `${JSON.stringify(benchJson(measurement), null, 2)}\n`
    : formatBench(measurement);
  stdout.write(report);
  return hasErrors(measurement) ? EXIT_FAILED : EXIT_DONE;
}

/** The first Ctrl-C ends the measurement, and the second the process, as without us. */
async function untilInterrupted(
  run: (signal: AbortSignal) => Promise<Measurement>,
): Promise<Measurement> {
  const controller = new AbortController();
  const interrupt = () => controller.abort();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  try {
    return await run(controller.signal);
  } finally {
    process.removeListener("SIGINT", interrupt);
    process.removeListener("SIGTERM", interrupt);
  }
}

async function openRest(
  command: BenchCommand,
  environmentKey: string | undefined,
): Promise<((payload: Uint8Array) => Promise<void>) | undefined> {
  const { hub, group, text } = command;
  if (hub === undefined) {
    if (group !== undefined) throw usageError("--group is a group of a hub; name it with --hub.");
    return undefined;
  }
  const client = await AdminClient.open(command, environmentKey);
  const target = group === undefined ? "" : `/groups/${encodeURIComponent(group)}`;
  const path = `/api/hubs/${encodeURIComponent(hub)}${target}/:send`;
  const contentType = text ? "text/plain; charset=utf-8" : "application/octet-stream";
  return async (body) => {
    const response = await client.request({ method: "POST", path, contentType, body });
    await response.body?.cancel();
  };
}
