/**
 * What a process of the gateway weighs when it is idle: as it is, and once V8 has collected its
 * garbage, which an idle process keeps for as long as nobody needs the room.
 */
import type { GatewayProcess } from "../../support/gateway-process.ts";
import { settledResidentBytes } from "../../support/process-memory.ts";

const HOOK = new URL("./memory.test.child.js", import.meta.url);
/** What a client that behaves makes it do meanwhile moves it by this. */
const NOISE_BYTES = 128 << 10;

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
  const isAnswer = ({ msg, pid: by }: { msg: string; [field: string]: unknown }) =>
    msg === "memory collected" && by === pid;
  const count = gateway.records.filter(isAnswer).length + 1;
  process.kill(pid, "SIGUSR2");
  const record = await gateway.record((one) => isAnswer(one) && one.count === count);
  const collectedBytes = await settledResidentBytes(pid, NOISE_BYTES);
  return { residentBytes, collectedBytes, liveBytes: Number(record.liveBytes) };
}
