/**
 * `npm run bench:floor`: what one echoed message costs Headgate in CPU time, as a multiple of a
 * raw C epoll echo run beside it, and what one idle connection costs in memory. Fails above the
 * project's bounds. It measures no service and no network.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type CpuFigures, measureCpu } from "./floor/cpu.ts";
import { compileFloor, describeMachine } from "./floor/machine.ts";
import { type MemoryFigures, measureMemory } from "./floor/memory.ts";
import { floor, headgate, peer } from "./floor/servers.ts";
import { formatSpread, markdownTable, spreadOf } from "./floor/statistics.ts";
import { readNumber, roundsBound, secondsBound } from "./options.ts";
import { orFail } from "./or-fail.ts";

const RATIO_MAX = 1.3;
const IDLE_BYTES_MAX = 400;
const MEMORY_ROUNDS_MAX = 20;

const root = fileURLToPath(new URL("../../", import.meta.url));
const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    "memory-rounds": { type: "string", default: "3" },
    text: { type: "boolean", default: false },
    /** NAME=COMMAND: another WebSocket echo, listening on 127.0.0.1:$PORT. */
    peer: { type: "string", multiple: true, default: [] },
    "report-only": { type: "boolean", default: false },
  },
});
await orFail(main);

async function main(): Promise<void> {
  const rounds = readNumber("rounds", options.rounds, roundsBound);
  const seconds = readNumber("seconds", options.seconds, secondsBound);
  const memoryBound = { min: 0, max: MEMORY_ROUNDS_MAX, isWhole: true };
  const memoryRounds = readNumber("memory-rounds", options["memory-rounds"], memoryBound);
  const { floorBinary, loadBinary } = compileFloor(root);
  const gateway = headgate(root);
  const peers = options.peer.map((text) => {
    const [name = "", ...command] = text.split("=");
    return peer(name, command.join("="));
  });
  console.log(
    `${describeMachine()}\n${rounds} interleaved rounds of ${seconds} s, ` +
      `${options.text ? "text" : "binary"} messages`,
  );
  const cpu = await measureCpu(loadBinary, [floor(floorBinary), gateway, ...peers], {
    rounds,
    seconds,
    text: options.text,
    progress,
  });
  printCpu(cpu);
  const memory: MemoryFigures[] = [];
  for (const contender of memoryRounds > 0 ? [gateway, ...peers] : []) {
    memory.push(await measureMemory(loadBinary, contender, { rounds: memoryRounds }, progress));
  }
  if (memory.length > 0) printMemory(memory);
  judge(cpu, memory);
}

function printCpu(figures: CpuFigures[]): void {
  const rows = figures.map(({ scenario, contender, ratios, runs, floorRuns }) => {
    const median = (pick: (run: (typeof runs)[number]) => number, from = runs) =>
      spreadOf(from.map(pick)).median;
    const floorUs = median(({ cpuUs }) => cpuUs, floorRuns).toFixed(2);
    const floorUserUs = median(({ userUs }) => userUs, floorRuns).toFixed(2);
    const p50Ms = median(({ p50Us }) => p50Us / 1000).toFixed(2);
    const p99Ms = median(({ p99Us }) => p99Us / 1000).toFixed(2);
    return [
      scenario.name,
      contender,
      formatSpread(spreadOf(ratios), 2),
      `${median(({ cpuUs }) => cpuUs).toFixed(2)} (${median(({ userUs }) => userUs).toFixed(2)})`,
      `${floorUs} (${floorUserUs})`,
      median(({ messagesPerSecond }) => messagesPerSecond).toFixed(0),
      `${p50Ms}, ${p99Ms}`,
      `${median(({ generatorShare }) => generatorShare * 100).toFixed(0)} %`,
    ];
  });
  const head = [
    ...["echo", "server", "CPU per message, × floor"],
    ...["µs (user)", "floor, µs (user)", "messages/s", "p50, p99 ms", "generator's core"],
  ];
  console.log(`\n${markdownTable(head, rows)}`);
  console.log(
    "\nMedians of the rounds. Where the generator used over 90 % of its core, messages/s and " +
      "latencies are its own; CPU time per message holds.",
  );
}

function printMemory(figures: MemoryFigures[]): void {
  const rows = figures.map(({ contender, counts, samples }) => [
    contender,
    counts.join(" to "),
    formatSpread(spreadOf(samples.map(({ untouched }) => untouched)), 0),
    formatSpread(spreadOf(samples.map(({ touched }) => touched)), 0),
  ]);
  const head = ["server", "connections", "bytes per idle connection", "after one message each"];
  console.log(`\n${markdownTable(head, rows)}`);
}

function judge(cpu: CpuFigures[], memory: MemoryFigures[]): void {
  const broken: string[] = [];
  for (const { scenario, contender, ratios } of cpu) {
    const { median } = spreadOf(ratios);
    if (contender === "Headgate" && median > RATIO_MAX)
      broken.push(`${scenario.name}: ${median.toFixed(2)} × the floor, above ${RATIO_MAX}`);
  }
  for (const { contender, samples } of memory) {
    const bytes = Math.max(
      spreadOf(samples.map(({ untouched }) => untouched)).median,
      spreadOf(samples.map(({ touched }) => touched)).median,
    );
    if (contender === "Headgate" && bytes > IDLE_BYTES_MAX)
      broken.push(`idle connections: ${bytes.toFixed(0)} B each, above ${IDLE_BYTES_MAX}`);
  }
  console.log(
    broken.length === 0 ? "\nwithin the bounds" : `\nout of bounds: ${broken.join("; ")}`,
  );
  if (broken.length > 0 && !options["report-only"]) process.exitCode = 1;
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
