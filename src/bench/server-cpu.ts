/**
 * The CPU time that the processes of a server have used, as Linux's /proc tells it: what a message
 * costs, whatever else the machine is doing. The sum is told in nanoseconds (`schedstat`) where
 * the kernel has them; how it is divided into user and system is always told in ticks.
 */
import { readdirSync, readFileSync } from "node:fs";

/** USER_HZ: the unit of /proc is the same on all of Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface CpuTime {
  userSeconds: number;
  systemSeconds: number;
}

/** Of all threads of these processes since they began; undefined where one is not there. */
export function readCpuTime(pids: number[], root = "/proc"): CpuTime | undefined {
  const time = { userSeconds: 0, systemSeconds: 0 };
  for (const pid of pids) {
    const folder = `${root}/${pid}`;
    const stat = readIfThere(`${folder}/stat`);
    if (stat === undefined) return undefined;
    // Behind the name, which may hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [userSeconds = 0, systemSeconds = 0] = [fields[11], fields[12]].map(
      (ticks) => Number(ticks) / TICKS_PER_SECOND,
    );
    // Ticks are rounded down, and so never more than the threads that there are have used,
    // but where a thread has ended: nanoseconds are lost with it, and ticks are not.
    const seconds = Math.max(threadSeconds(folder), userSeconds + systemSeconds);
    time.userSeconds += userSeconds;
    time.systemSeconds += seconds - userSeconds;
  }
  return time;
}

/** Of the threads that there are; 0 where the kernel does not tell. */
function threadSeconds(folder: string): number {
  let nanoseconds = 0;
  for (const thread of threadsOf(folder)) {
    const line = readIfThere(`${folder}/task/${thread}/schedstat`);
    if (line !== undefined) nanoseconds += Number.parseInt(line, 10);
  }
  return nanoseconds / 1e9;
}

function threadsOf(folder: string): string[] {
  return unlessGone(() => readdirSync(`${folder}/task`)) ?? [];
}

function readIfThere(path: string): string | undefined {
  return unlessGone(() => readFileSync(path, "latin1"));
}

/** Undefined where a process or thread ended while it was looked at. */
function unlessGone<Found>(look: () => Found): Found | undefined {
  try {
    return look();
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
