/**
 * Whether memory is back at the start: the idle gateway is weighed after a warm-up, when V8 has
 * compiled what it will and all pools have their working size, and after each quarter of the run.
 * Little growth altogether is not enough: the second half must add next to nothing.
 */
import assert from "node:assert/strict";
import type { GatewayProcess } from "../../support/gateway-process.ts";
import { type Weight, weigh } from "./memory.ts";
import { observe } from "./observation.ts";

const MEBIBYTE = 2 ** 20;
/** What may be more at the end than at the start, and than at half time. */
const GROWTHS_MAX = [
  // Between 25,000 and 60,000 connections eight idle moments were within 0.2 MiB.
  { kind: "liveBytes", sinceStart: MEBIBYTE, sinceHalf: MEBIBYTE / 2 },
  // What C holds is in this one only; V8 takes and returns pages of 256 KiB. Behind the warm-up it
  // still compiles: 2 to 5 MiB more in the first thousands of connections, and then no more.
  { kind: "collectedBytes", sinceStart: 7 * MEBIBYTE, sinceHalf: 2 * MEBIBYTE },
] as const;
/** What an idle process may leave uncollected; it was up to 13 MiB. */
const GARBAGE_BYTES_MAX = 20 * MEBIBYTE;
/** A socket to a service, with its client, which stays for later requests. */
const DESCRIPTOR_BYTES = 20 << 10;
const NAMES = {
  residentBytes: "resident",
  collectedBytes: "resident after a collection",
  liveBytes: "live",
};

/** What the idle gateway weighed when so many connections had come and gone. */
export interface Mark {
  connections: number;
  descriptors: number;
  worker: Weight;
  supervisor: Weight;
}

/** Once nobody but so many clients is connected. */
export async function mark(
  gateway: GatewayProcess,
  clients: number,
  connections: number,
): Promise<Mark> {
  const { supervisorPid, workerPids, descriptors } = await observe(gateway, clients);
  const [workerPid] = workerPids;
  assert(workerPid !== undefined && supervisorPid !== undefined, "a process is gone");
  const worker = await weigh(gateway, workerPid);
  const supervisor = await weigh(gateway, supervisorPid);
  return { connections, descriptors, worker, supervisor };
}

/** Of marks at the start, at half time, at the end, and any number between them. */
export function growthFaults(marks: Mark[]): string[] {
  const [start] = marks;
  const halfIndex = Math.floor(marks.length / 2);
  const half = marks[halfIndex];
  const end = marks.at(-1);
  assert(start !== undefined && half !== undefined && end !== undefined);
  return (["worker", "supervisor"] as const).flatMap((process) => [
    ...GROWTHS_MAX.flatMap(({ kind, sinceStart, sinceHalf }) => {
      const since = [
        { when: "start", growth: growthOf(process, kind, start, end), bytesMax: sinceStart },
        {
          when: "half",
          // What leaks is in every later mark; one alone may have what V8 just compiled.
          growth: Math.min(
            ...marks.slice(halfIndex + 1).map((later) => growthOf(process, kind, half, later)),
          ),
          bytesMax: sinceHalf,
        },
      ];
      return since
        .filter(({ growth, bytesMax }) => growth > bytesMax)
        .map(
          ({ when, growth }) =>
            `the ${process} grew since the ${when}: ${NAMES[kind]} by ${mebibytes(growth)} MiB`,
        );
    }),
    ...garbageFaults(process, marks),
  ]);
}

function growthOf(
  process: "worker" | "supervisor",
  kind: keyof Weight,
  before: Mark,
  end: Mark,
): number {
  const sockets = Math.max(0, end.descriptors - before.descriptors);
  return end[process][kind] - before[process][kind] - sockets * DESCRIPTOR_BYTES;
}

function garbageFaults(process: "worker" | "supervisor", marks: Mark[]): string[] {
  return marks
    .map((mark) => mark[process].residentBytes - mark[process].collectedBytes)
    .filter((bytes) => bytes > GARBAGE_BYTES_MAX)
    .map((bytes) => `the ${process} left ${mebibytes(bytes)} MiB uncollected`);
}

export function describeMarks(marks: Mark[]): string[] {
  const lines = ["idle, once V8 and the pools have their working size, in MiB:"];
  for (const { connections, descriptors, worker, supervisor } of marks) {
    const weights = Object.entries({ worker, supervisor }).map(([process, weight]) => {
      const figures = Object.entries(NAMES).map(
        ([kind, name]) => `${name} ${mebibytes(weight[kind as keyof Weight])}`,
      );
      return `${process}: ${figures.join(", ")}`;
    });
    lines.push(`after ${connections}, ${descriptors} descriptors; ${weights.join("; ")}`);
  }
  return lines;
}

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(2);
}
