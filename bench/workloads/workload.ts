/**
 * What a workload is to the benchmark, and what it is given. A workload knows its contenders and
 * scenarios; how its figures are shown is the report's matter.
 */
import type { Contender, Server } from "../floor/servers.ts";
import { type Comparison, type Failure, reasonOf } from "./comparison.ts";

/** One more column: the median of this side figure. */
export interface Side {
  key: string;
  title: string;
  digits: number;
}

export interface Workload {
  name: string;
  title: string;
  /** The contender that ratios are of. */
  base: string;
  /** What `cost` is, with its unit; `digits` of it are shown. */
  cost: string;
  digits: number;
  sides: Side[];
  /** How it is measured, in sentences. */
  note: string;
  /** The scenarios that plots and the README show, and a quick run measures. */
  main: string[];
  measure(bench: Bench): Promise<Comparison>;
}

export interface Bench {
  root: string;
  floorBinary: string;
  loadBinary: string;
  rounds: number;
  /** Of one run that is measured. */
  seconds: number;
  /** The main ratios only. */
  isQuick: boolean;
  /** Those of the peers that are there. */
  peers: Contender[];
  /** The same with permessage-deflate. */
  compressingPeers: Contender[];
  /** Other gateways that are there, with a service behind each. */
  gateways: Contender[];
  progress(text: string): void;
}

export interface RunningContender {
  contender: Contender;
  server: Server;
}

/** Starts them, and ends all that were started. One that does not start is a failure as others. */
export async function withServers(
  contenders: Contender[],
  use: (running: RunningContender[]) => Promise<Comparison>,
): Promise<Comparison> {
  const running: RunningContender[] = [];
  const failures: Failure[] = [];
  try {
    for (const contender of contenders) {
      try {
        running.push({ contender, server: await contender.start() });
      } catch (error) {
        const reason = reasonOf(error);
        failures.push({ scenario: "start", contender: contender.name, reason });
      }
    }
    const comparison = await use(running);
    return { ...comparison, failures: [...failures, ...comparison.failures] };
  } finally {
    for (const { server } of running) await server.stop();
  }
}
