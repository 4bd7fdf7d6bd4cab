/**
 * One measurement from its beginning to its end, as the parent sees it: generators are started,
 * connections opened, the load runs, and what all of them saw is put together. It always ends: by
 * itself, by a deadline, or when it is told to, and then with what was seen so far.
 */
import { HeadgateError } from "../core/error.ts";
import { Fleet } from "./fleet.ts";
import type { LatencySummary } from "./latency-histogram.ts";
import type { BenchOptions } from "./options.ts";
import { monotonicOffsetMs } from "./push-payload.ts";
import { Pusher } from "./pusher.ts";
import { type CpuTime, readCpuTime } from "./server-cpu.ts";
import { addTallies, type Progress, type Total } from "./tally.ts";

/** Until all generators have heard of a beginning. */
const START_DELAY_MS = 100;
const PROGRESS_EVERY_MS = 200;
const GRACE_MS = 5000;

export interface MeasurementCalls {
  /** For fan-out over REST. */
  rest: ((payload: Uint8Array) => Promise<void>) | undefined;
  /** `share` of this phase is done, from 0 to 1. */
  progress: (phase: "opening" | "measuring", share: number, progress: Progress) => void;
  /** When it is to end with what was seen so far. */
  signal: AbortSignal;
  /** Processes of the server, on this machine. */
  serverPids: number[];
}

export interface Pushes {
  made: number;
  late: number;
  /** Those that were due and not made. */
  unsent: number;
  /** Why a push was refused, and none made behind it. */
  refusal: string | undefined;
  span: LatencySummary;
}

export interface Measurement {
  options: BenchOptions;
  total: Total;
  openingSeconds: number;
  pushes: Pushes | undefined;
  serverCpu: CpuTime | undefined;
  isInterrupted: boolean;
}

export async function measure(
  options: BenchOptions,
  calls: MeasurementCalls,
): Promise<Measurement> {
  if (readCpuTime(calls.serverPids) === undefined) {
    throw new HeadgateError(
      "HG_BENCH_PROCESS",
      `Not all of the processes ${calls.serverPids.join(", ")} run on this machine; ` +
        "name those of the server with --server-pid, or leave it out.",
    );
  }
  const fleet = new Fleet(options);
  try {
    const startMs = performance.now();
    const isReady = await open(fleet, options, calls);
    const openingSeconds = (performance.now() - startMs) / 1000;
    const isWorthIt = options.mode === "connect" || fleet.progress.opened > 0;
    const run =
      isReady && isWorthIt
        ? await runLoad(fleet, options, calls)
        : await finish(fleet, 0).then(() => ({ pushes: undefined, serverCpu: undefined }));
    const total = addTallies(fleet.accounts);
    if (run.pushes !== undefined) addPushes(total, run.pushes, calls.signal.aborted);
    if (!isReady && !calls.signal.aborted) total.errors["opening took too long"] = 1;
    return { options, total, openingSeconds, ...run, isInterrupted: calls.signal.aborted };
  } finally {
    await fleet.close();
  }
}

async function open(
  fleet: Fleet,
  options: BenchOptions,
  { progress, signal }: MeasurementCalls,
): Promise<boolean> {
  const { connections, rampPerSecond, timeoutMs, mode } = options;
  const watch = setInterval(() => {
    const { opened, failed } = fleet.progress;
    if (mode !== "connect") progress("opening", (opened + failed) / connections, fleet.progress);
  }, PROGRESS_EVERY_MS);
  const patienceMs = (4000 * connections) / rampPerSecond + 2 * timeoutMs + GRACE_MS;
  try {
    return await fleet.ready(performance.now() + patienceMs, signal);
  } finally {
    clearInterval(watch);
  }
}

async function runLoad(
  fleet: Fleet,
  options: BenchOptions,
  calls: MeasurementCalls,
): Promise<Pick<Measurement, "pushes" | "serverCpu">> {
  const { warmupMs, durationMs, timeoutMs, mode } = options;
  const startMs = performance.now() + START_DELAY_MS;
  const untilMs = startMs + warmupMs + durationMs;
  fleet.tell({ type: "run", atMs: startMs + monotonicOffsetMs });
  let cpuBefore = readCpuTime(calls.serverPids);
  const cpuTimer = setTimeout(
    () => {
      cpuBefore = readCpuTime(calls.serverPids);
    },
    startMs + warmupMs - performance.now(),
  );
  const watch = setInterval(() => {
    const share = (performance.now() - startMs) / (untilMs - startMs);
    calls.progress("measuring", Math.min(1, Math.max(0, share)), fleet.progress);
  }, PROGRESS_EVERY_MS);
  const pusher = mode === "fanout" ? createPusher(fleet, options, calls) : undefined;
  const stop = () => pusher?.stop();
  calls.signal.addEventListener("abort", stop);
  try {
    if (pusher !== undefined) {
      await pusher.run(startMs, untilMs);
      fleet.tell({ type: "finish", pushes: pusher.pushes });
    }
    const isDone = await fleet.accounted(untilMs + timeoutMs + GRACE_MS, calls.signal);
    if (!isDone) await finish(fleet, pusher?.pushes ?? 0);
    return { pushes: pushesOf(pusher), serverCpu: cpuSince(cpuBefore, calls.serverPids) };
  } finally {
    clearTimeout(cpuTimer);
    clearInterval(watch);
    calls.signal.removeEventListener("abort", stop);
  }
}

/** Ends it with what was seen so far; a generator that does not answer is left out. */
async function finish(fleet: Fleet, pushes: number): Promise<void> {
  fleet.tell({ type: "finish", pushes });
  await fleet.accounted(performance.now() + GRACE_MS);
}

function createPusher(fleet: Fleet, options: BenchOptions, { rest }: MeasurementCalls): Pusher {
  const { payloadBytes, timeoutMs, ratePerSecond, sendsItself } = options;
  const pusher = new Pusher({
    ...{ payloadBytes, timeoutMs, ratePerSecond, rest },
    processes: fleet.processesWith((index) => Number(sendsItself && index === 0)),
    send: (number, sentAtMs) => fleet.tellFirst({ type: "push", number, sentAtMs }),
  });
  fleet.delivered = (delivered) => pusher.delivered(delivered);
  return pusher;
}

function pushesOf(pusher: Pusher | undefined): Measurement["pushes"] {
  if (pusher === undefined) return undefined;
  const { pushes, late, unsent, refusal, spans } = pusher;
  return { made: pushes, late, unsent, refusal: refusal?.message, span: spans.summary() };
}

function addPushes(total: Total, { late, refusal, unsent }: Pushes, isInterrupted: boolean): void {
  if (refusal !== undefined) total.errors["refused push"] = 1;
  if (late > 0) total.errors["late push"] = late;
  if (!isInterrupted) total.unsent += unsent;
}

/** Undefined, too, when the server died of it. */
function cpuSince(before: CpuTime | undefined, pids: number[]): CpuTime | undefined {
  const now = readCpuTime(pids);
  if (pids.length === 0 || before === undefined || now === undefined) return undefined;
  return {
    userSeconds: now.userSeconds - before.userSeconds,
    systemSeconds: now.systemSeconds - before.systemSeconds,
  };
}
