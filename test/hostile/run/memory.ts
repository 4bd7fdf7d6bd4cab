/**
 * What a process of the gateway weighs when it is idle: as it is, and once V8 has collected its
 * garbage, which an idle process keeps for as long as nobody needs the room.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { GatewayProcess } from "../../support/gateway-process.ts";
import { settledResidentBytes } from "../../support/process-memory.ts";

const HOOK = new URL("./memory.test.child.js", import.meta.url);
/** What a client that behaves makes it do meanwhile moves it by this. */
const NOISE_BYTES = 128 << 10;
const INTERVAL_MS = 500;
/** In a row that found no less. */
const LOOKS = 5;
const TIMEOUT_MS = 10_000;

const LARGE_BLOCK_BYTES = 128 << 10;

export interface Weight {
  /** Resident, as the kernel counts it. */
  residentBytes: number;
  /** The same after a collection. */
  collectedBytes: number;
  /** What JavaScript still refers to then, in V8's heap and outside of it. */
  liveBytes: number;
}

/**
 * The gateway that `start` starts can be weighed. By itself glibc keeps in its heap, once a large
 * block was freed, all others of that size, and what is free there stays resident: 5 MiB more or
 * less from one moment to the next. A fixed threshold has them go when they are freed.
 */
export async function startWeighable(
  start: () => Promise<GatewayProcess>,
): Promise<GatewayProcess> {
  const before = { ...process.env };
  process.env.NODE_OPTIONS = `${before.NODE_OPTIONS ?? ""} --import=${HOOK.href}`;
  process.env.MALLOC_MMAP_THRESHOLD_ = String(LARGE_BLOCK_BYTES);
  try {
    return await start();
  } finally {
    process.env = before;
  }
}

/** Of the process with this id; it should be idle. */
export async function weigh(gateway: GatewayProcess, pid: number): Promise<Weight> {
  const residentBytes = await settledResidentBytes(pid, NOISE_BYTES);
  const liveBytes = await settledLiveBytes(gateway, pid);
  const collectedBytes = await settledResidentBytes(pid, NOISE_BYTES);
  return { residentBytes, collectedBytes, liveBytes };
}

/**
 * What is live once collections in a row found no less. Timers and streams of the last connections
 * refer to some 4 MiB for a second or two: weighed at once, idle moments of one gateway were
 * 3 MiB apart, and are 0.1 MiB apart like this.
 */
async function settledLiveBytes(gateway: GatewayProcess, pid: number): Promise<number> {
  const deadlineMs = performance.now() + TIMEOUT_MS;
  let least = await collect(gateway, pid);
  for (let quiet = 0; quiet < LOOKS && performance.now() < deadlineMs; ) {
    await delay(INTERVAL_MS);
    const live = await collect(gateway, pid);
    quiet = live < least - NOISE_BYTES ? 0 : quiet + 1;
    least = Math.min(least, live);
  }
  return least;
}

/** Has it collect its garbage; what is live then. */
async function collect(gateway: GatewayProcess, pid: number): Promise<number> {
  const isAnswer = ({ msg, pid: by }: { msg: string; [field: string]: unknown }) =>
    msg === "memory collected" && by === pid;
  const count = gateway.records.filter(isAnswer).length + 1;
  process.kill(pid, "SIGUSR2");
  const record = await gateway.record((one) => isAnswer(one) && one.count === count);
  return Number(record.liveBytes);
}
