/**
 * What the operating system says of a process: CPU time, memory, children, and the cores that one
 * may pin to. Linux's /proc is read and nothing else.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { type CpuTime, readCpuTime } from "../../src/bench/server-cpu.ts";

/** Of all threads of the processes since they began, together. */
export function cpuTime(pids: number[]): CpuTime {
  const time = readCpuTime(pids);
  if (time === undefined) throw new Error(`not all of the processes ${pids.join(", ")} run`);
  return time;
}

/**
 * For how long its first thread could have run and something else had its core, since it began;
 * 0 where the kernel does not tell.
 */
export function waitingSeconds(pid: number): number {
  const path = `/proc/${pid}/task/${pid}/schedstat`;
  if (!existsSync(path)) return 0;
  return Number(readFileSync(path, "utf8").split(" ")[1]) / 1e9;
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

/** What nobody uses, the page cache included in what is used: kernel memory is taken from it. */
export function freeBytes(): number {
  return bytesOf("/proc/meminfo", "MemFree");
}

/** What could be had, the page cache given up. */
export function availableBytes(): number {
  return bytesOf("/proc/meminfo", "MemAvailable");
}

function statusBytes(pid: number, key: string): number {
  return bytesOf(`/proc/${pid}/status`, key);
}

function bytesOf(file: string, key: string): number {
  const match = new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(readFileSync(file, "utf8"));
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
