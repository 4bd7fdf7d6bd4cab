/**
 * The CPU time that the processes of a server have used, as Linux's /proc tells it: what a message
 * costs, whatever else the machine is doing.
 */
import { readFileSync } from "node:fs";

/** USER_HZ: the unit of /proc is the same on all of Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface CpuTime {
  userSeconds: number;
  systemSeconds: number;
}

/** Of all threads of these processes since they began; undefined where one is not there. */
export function readCpuTime(pids: number[]): CpuTime | undefined {
  const time = { userSeconds: 0, systemSeconds: 0 };
  for (const pid of pids) {
    const stat = readStat(pid);
    if (stat === undefined) return undefined;
    // Behind the name, which may hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    time.userSeconds += Number(fields[11]) / TICKS_PER_SECOND;
    time.systemSeconds += Number(fields[12]) / TICKS_PER_SECOND;
  }
  return time;
}

function readStat(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
