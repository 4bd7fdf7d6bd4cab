/**
 * Memory per idle connection: the slope between two counts, each in a fresh process, so that what
 * a server takes for itself falls out.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Generator } from "./generator.ts";
import { anonymousBytes, descriptorLimit, residentBytes } from "./process-usage.ts";
import type { Contender } from "./servers.ts";

const IDLE_MS = 5000;
const FEW = 2000;
const MANY = 18_000;
/** Descriptors that generator and server need besides those of the connections. */
const DESCRIPTORS_KEPT = 1000;

export interface MemoryFigures {
  contender: string;
  counts: [number, number];
  /** Bytes for each connection, one figure a round. */
  untouched: number[];
  /** The same after one message each. */
  touched: number[];
  /** Bytes of all of a server that holds no connection, as RSS has it, files and all. */
  empty: number[];
}

interface ConnectionKind {
  path?: string;
  deflate?: boolean;
}

export async function measureMemory(
  loadBinary: string,
  contender: Contender,
  rounds: number,
  progress: (text: string) => void,
  kind: ConnectionKind = {},
): Promise<MemoryFigures> {
  const many = Math.min(MANY, descriptorLimit() - DESCRIPTORS_KEPT);
  if (many < 2 * FEW) throw new Error(`at least ${2 * FEW + DESCRIPTORS_KEPT} open files needed`);
  const figures: MemoryFigures = {
    contender: contender.name,
    counts: [FEW, many],
    untouched: [],
    touched: [],
    empty: [],
  };
  for (let round = 0; round < rounds; round++) {
    const small = await resident(loadBinary, contender, FEW, kind);
    const large = await resident(loadBinary, contender, many, kind);
    figures.untouched.push((large.untouched - small.untouched) / (many - FEW));
    figures.touched.push((large.touched - small.touched) / (many - FEW));
    figures.empty.push(small.empty);
    const slopes = [figures.untouched, figures.touched].map((each) => each.at(-1)?.toFixed(0));
    progress(`${contender.name}, memory, round ${round + 1}: ${slopes.join(", ")} B`);
  }
  return figures;
}

async function resident(
  loadBinary: string,
  contender: Contender,
  connections: number,
  kind: ConnectionKind,
): Promise<{ empty: number; untouched: number; touched: number }> {
  const server = await contender.start();
  try {
    const scenario = { name: "idle", connections, payloadBytes: 20, pipeline: 1 };
    const options = { raw: contender.raw, text: false, ...kind };
    const empty = residentBytes(server.pids[0]);
    const generator = await Generator.open(loadBinary, server, scenario, options);
    await sleep(IDLE_MS);
    const untouched = anonymousBytes(server.pids[0]);
    await generator.touch();
    await sleep(IDLE_MS);
    const touched = anonymousBytes(server.pids[0]);
    await generator.close();
    return { empty, untouched, touched };
  } finally {
    await server.stop();
  }
}
