/**
 * What a workload is to the benchmark, and what it is given. A workload knows its contenders and
 * scenarios; how its figures are shown is the report's matter.
 */
import type { Contender, Server } from "../floor/servers.ts";
import { type Comparison, type Failure, reasonOf } from "./comparison.ts";

/** One more column: the median of this side figure, or its highest, as the title then says. */
export interface Side {
  key: string;
  title: string;
  digits: number;
  isWorst?: true;
}

export interface Workload {
  name: string;
  title: string;
  /** The contender that ratios are of; empty where nothing is compared. */
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
  /** Other gateways that are there, and Headgate before a broker, with a service behind each. */
  gateways: Contender[];
  hold: { connections: number; seconds: number };
  progress(text: string): void;
}

export interface RunningContender {
  contender: Contender;
  server: Server;
}

/** Starts them, and ends all that were started. One that does not start is a failure as others. */
export function withServers(
  contenders: Contender[],
  use: (running: RunningContender[]) => Promise<Comparison>,
): Promise<Comparison> {
  const opening: Opening<Contender, RunningContender> = {
    scenario: "start",
    nameOf: ({ name }) => name,
    open: async (contender) => ({ contender, server: await contender.start() }),
    close: ({ server }) => server.stop(),
  };
  return withOpened(contenders, opening, use);
}

interface Opening<Item, Opened> {
  /** What those that cannot be opened have failed in. */
  scenario: string;
  nameOf(item: Item): string;
  open(item: Item): Promise<Opened>;
  close(opened: Opened): Promise<void>;
}

/** Opens something for each of them, and closes what was opened whatever happens. */
export async function withOpened<Item, Opened>(
  items: Item[],
  { scenario, nameOf, open, close }: Opening<Item, Opened>,
  use: (opened: Opened[]) => Promise<Comparison>,
): Promise<Comparison> {
  const opened: Opened[] = [];
  const failures: Failure[] = [];
  try {
    for (const item of items) {
      try {
        opened.push(await open(item));
      } catch (error) {
        failures.push({ scenario, contender: nameOf(item), reason: reasonOf(error) });
      }
    }
    const comparison = await use(opened);
    return { ...comparison, failures: [...failures, ...comparison.failures] };
  } finally {
    for (const each of opened) await close(each);
  }
}
