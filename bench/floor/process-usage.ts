/**
 * What the operating system says of a process: CPU time, memory, children, and the cores that one
 * may pin to. Linux's /proc is read and nothing else.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

export interface CpuTime {
  userSeconds: number;
  systemSeconds: number;
}

/** Of all threads of the processes since they began, together. */
export function cpuTime(pids: number[]): CpuTime {
  const time = { userSeconds: 0, systemSeconds: 0 };
  for (const pid of pids) {
    const fields = statFields(pid);
    time.userSeconds += Number(fields[11]) / ticksPerSecond;
    time.systemSeconds += Number(fields[12]) / ticksPerSecond;
  }
  return time;
}

/** The fields of /proc/PID/stat behind the name, which may hold spaces and brackets. */
function statFields(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Resident memory without what is mapped from files, which no connection pays for. */
export function anonymousBytes(pid: number): number {
  return statusBytes(pid, "RssAnon");
}

export function residentBytes(pid: number): number {
  return statusBytes(pid, "VmRSS");
}

function statusBytes(pid: number, key: string): number {
  const match = new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(
    readFileSync(`/proc/${pid}/status`, "utf8"),
  );
  if (match === null) throw new Error(`this kernel does not report ${key} (Linux 4.5 does)`);
  return Number(match[1]) * 1024;
}

export function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => parentOf(candidate) === pid);
}

/** Undefined for a process that ended while the list was read. */
function parentOf(pid: number): number | undefined {
  try {
    return Number(statFields(pid)[1]);
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

/** The hard limit, which is as far as a process may raise its own. */
export function descriptorLimit(): number {
  const match = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
  return Number(match?.[1] ?? 1024);
}

/** The cores that this process may run on. */
export function allowedCores(): number[] {
  const status = readFileSync("/proc/self/status", "utf8");
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(status)?.[1] ?? "0";
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
