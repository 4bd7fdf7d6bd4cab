/**
 * CPU time per message: all contenders run all along, and take turns under load within each round,
 * so that what the machine does to one it does to the others too.
 */
import { Generator, type Run, type Scenario } from "./generator.ts";
import type { Contender, Server } from "./servers.ts";

const WARM_UP_SECONDS = 1;

const scenarios: Scenario[] = [
  { name: "20 B × 500 connections", connections: 500, payloadBytes: 20, pipeline: 1 },
  { name: "125 B × 500, 8 in flight", connections: 500, payloadBytes: 125, pipeline: 8 },
  { name: "16 KiB × 100", connections: 100, payloadBytes: 16_384, pipeline: 1 },
];

export interface CpuFigures {
  scenario: Scenario;
  contender: string;
  runs: Run[];
  floorRuns: Run[];
  /** Of each round, to the floor of the same round. */
  ratios: number[];
}

export interface CpuOptions {
  rounds: number;
  seconds: number;
  text: boolean;
  progress(text: string): void;
}

/** The first of the contenders is the floor. */
export async function measureCpu(
  loadBinary: string,
  contenders: Contender[],
  options: CpuOptions,
): Promise<CpuFigures[]> {
  const servers: Server[] = [];
  try {
    for (const contender of contenders) servers.push(await contender.start());
    const figures: CpuFigures[] = [];
    for (const scenario of scenarios) {
      const rounds: Run[][] = [];
      for (let round = 0; round < options.rounds; round++) {
        rounds.push(await measureRound(loadBinary, contenders, servers, scenario, options));
        const costs = rounds.at(-1)?.map(({ cpuUs }) => cpuUs.toFixed(2)) ?? [];
        options.progress(`${scenario.name}, round ${round + 1}: ${costs.join(", ")} µs`);
      }
      figures.push(...summarize(scenario, contenders, rounds));
    }
    return figures;
  } finally {
    for (const server of servers) await server.stop();
  }
}

async function measureRound(
  loadBinary: string,
  contenders: Contender[],
  servers: Server[],
  scenario: Scenario,
  { text, seconds }: CpuOptions,
): Promise<Run[]> {
  const runs: Run[] = [];
  for (const [index, server] of servers.entries()) {
    const raw = contenders[index]?.raw ?? false;
    const generator = await Generator.open(loadBinary, server, scenario, { raw, text });
    await generator.run(WARM_UP_SECONDS);
    runs.push(await generator.run(seconds));
    await generator.close();
  }
  return runs;
}

function summarize(scenario: Scenario, contenders: Contender[], rounds: Run[][]): CpuFigures[] {
  const runsOf = (index: number) => rounds.flatMap((runs) => runs[index] ?? []);
  const floorRuns = runsOf(0);
  return contenders.slice(1).map(({ name }, index) => {
    const runs = runsOf(index + 1);
    const ratios = runs.map(({ cpuUs }, round) => cpuUs / (floorRuns[round]?.cpuUs ?? Number.NaN));
    return { scenario, contender: name, runs, floorRuns, ratios };
  });
}
