/**
 * Memory per idle connection: the slope between two counts, each in a fresh process that has come
 * to rest, so that what a server takes for itself falls out. Nothing is collected or given back
 * that the server does not by itself.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Generator } from "./generator.ts";
import { anonymousBytes, cpuTime, descriptorLimit, residentBytes } from "./process-usage.ts";
import { type Look, Rest } from "./rest.ts";
import type { Contender, Server } from "./servers.ts";

const LOOK_MS = 250;
const QUIET_MS = 3000;
/** A server may have something to do behind the last answer: so long it is waited for. */
const REST_MS_MAX = 30_000;
const FEW = 2000;
const MANY = 18_000;
/** Descriptors that generator and server need besides those of the connections. */
const DESCRIPTORS_KEPT = 1000;

/**
 * Of one round; bytes for each connection, but the last two. One below nothing tells that the
 * processes differ by more than all of their connections take.
 */
export interface MemorySample {
  untouched: number;
  /** After one message each. */
  touched: number;
  /** Of everything since the server was empty, and not only between the counts. */
  whole: number;
  /** Bytes of a server that holds no connection yet, as RSS has it, files and all. */
  empty: number;
  /** Of the process that watches over it, where there is one. */
  supervisor?: number;
}

export interface MemoryFigures {
  contender: string;
  counts: [number, number];
  samples: MemorySample[];
}

export interface MemoryPlan {
  rounds: number;
  path?: string;
  deflate?: boolean;
  counts?: [number, number];
  quietMs?: number;
}

/** What a process at rest holds without connections; `anonymous` is without files. */
export interface EmptyWeight {
  resident: number;
  anonymous: number;
  supervisor?: number;
}

/** Anonymous, as these are. */
export interface Weight {
  untouched: number;
  touched: number;
}

export async function measureMemory(
  loadBinary: string,
  contender: Contender,
  plan: MemoryPlan,
  progress: (text: string) => void,
): Promise<MemoryFigures> {
  const [few, most] = plan.counts ?? [FEW, MANY];
  const many = Math.min(most, descriptorLimit() - DESCRIPTORS_KEPT);
  if (many < 2 * few) throw new Error(`at least ${2 * few + DESCRIPTORS_KEPT} open files needed`);
  const samples: MemorySample[] = [];
  for (let round = 1; round <= plan.rounds; round++) {
    // At the same time: memory does not depend on who else is busy.
    const [empty, small, large] = await Promise.all([
      weighEmpty(contender, plan),
      weigh(loadBinary, contender, few, plan),
      weigh(loadBinary, contender, many, plan),
    ]);
    const sample = sampleOf([few, many], empty, small, large);
    samples.push(sample);
    const texts = [sample.untouched, sample.touched, sample.whole].map((it) => it.toFixed(0));
    progress(`${contender.name}, memory, round ${round} of ${plan.rounds}: ${texts.join(", ")} B`);
  }
  return { contender: contender.name, counts: [few, many], samples };
}

export function sampleOf(
  [few, many]: [number, number],
  empty: EmptyWeight,
  small: Weight,
  large: Weight,
): MemorySample {
  const slope = (from: number, to: number, connections: number) => (to - from) / connections;
  return {
    untouched: slope(small.untouched, large.untouched, many - few),
    touched: slope(small.touched, large.touched, many - few),
    whole: slope(empty.anonymous, large.untouched, many),
    empty: empty.resident,
    ...(empty.supervisor === undefined ? {} : { supervisor: empty.supervisor }),
  };
}

async function weighEmpty(contender: Contender, { quietMs }: MemoryPlan): Promise<EmptyWeight> {
  const server = await contender.start();
  try {
    const anonymous = await restedBytes(server, quietMs);
    const { supervisorPid: pid } = server;
    return {
      ...{ resident: residentBytes(server.pids[0]), anonymous },
      ...(pid === undefined ? {} : { supervisor: residentBytes(pid) }),
    };
  } finally {
    await server.stop();
  }
}

async function weigh(
  loadBinary: string,
  contender: Contender,
  connections: number,
  { path, deflate, quietMs }: MemoryPlan,
): Promise<Weight> {
  const server = await contender.start();
  try {
    const scenario = { name: "idle", connections, payloadBytes: 20, pipeline: 1 };
    const generator = await Generator.open(loadBinary, server, scenario, {
      ...{ raw: contender.raw, text: false },
      ...(path === undefined ? {} : { path }),
      ...(deflate === undefined ? {} : { deflate }),
    });
    const untouched = await restedBytes(server, quietMs);
    await generator.touch();
    const touched = await restedBytes(server, quietMs);
    await generator.close();
    return { untouched, touched };
  } finally {
    await server.stop();
  }
}

/** Anonymous memory of the process that holds the connections, once the server is at rest. */
async function restedBytes(server: Server, quietMs = QUIET_MS): Promise<number> {
  const first = lookAt(server);
  const rest = new Rest(quietMs, first);
  for (let now = first; now.ms - first.ms < REST_MS_MAX; now = lookAt(server)) {
    if (now !== first && rest.look(now)) return now.bytes;
    await sleep(LOOK_MS);
  }
  throw new Error(`not measurable: it is not at rest after ${REST_MS_MAX / 1000} s`);
}

function lookAt({ pids }: Server): Look {
  const { userSeconds, systemSeconds } = cpuTime(pids);
  const cpuSeconds = userSeconds + systemSeconds;
  return { ms: performance.now(), cpuSeconds, bytes: anonymousBytes(pids[0]) };
}
