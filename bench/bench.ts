/**
 * `npm run bench`: Headgate beside everybody else, in turns on one machine, as ratios. Writes a
 * report, its figures and plots into build/bench, and with --publish into the documents. It judges
 * nothing: `npm run bench:floor` is the one that fails.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compileFloor, describeMachine } from "./floor/machine.ts";
import { findPeers, installPeers, packageVersion } from "./peers/installed.ts";
import { formatEssence } from "./report/markdown.ts";
import { keep, publish } from "./report/publish.ts";
import { type Results, readResults, resultOf } from "./report/results.ts";
import { echo } from "./workloads/echo.ts";
import { fanOut } from "./workloads/fan-out.ts";
import { growth } from "./workloads/growth.ts";
import { handshakes } from "./workloads/handshakes.ts";
import { idle } from "./workloads/idle.ts";
import { latency } from "./workloads/latency.ts";
import { roundTrip } from "./workloads/round-trip.ts";
import type { Bench, Workload } from "./workloads/workload.ts";

const quick: Workload[] = [echo, fanOut, handshakes];
const all: Workload[] = [echo, idle, handshakes, fanOut, roundTrip, growth, latency];

const root = fileURLToPath(new URL("../../", import.meta.url));
const { values: options } = parseArgs({
  options: {
    /** Some of the workloads, as a list with commas. */
    only: { type: "string" },
    rounds: { type: "string" },
    seconds: { type: "string" },
    /** The main ratios in a minute. */
    quick: { type: "boolean", default: false },
    /** Into docs/performance.md and the README too. */
    publish: { type: "boolean", default: false },
    /** Writes again what an earlier run found, and measures nothing. */
    from: { type: "string" },
    "skip-install": { type: "boolean", default: false },
  },
});
await main();

async function main(): Promise<void> {
  const results = options.from === undefined ? await measureAll() : readResults(options.from);
  const folder = keep(root, results);
  if (options.publish) publish(root, results);
  console.log(`${formatEssence(results)}\n\nAll of it: ${folder}/report.md`);
}

async function measureAll(): Promise<Results> {
  const workloads = chosenWorkloads();
  const rounds = numberOf("rounds", options.quick ? 2 : 5);
  const seconds = numberOf("seconds", options.quick ? 0.4 : 1.2);
  const isInstalled = existsSync(join(root, "bench/node_modules"));
  if (!options["skip-install"] && !(isInstalled && options.quick)) install();
  const peers = await findPeers(root);
  for (const [name, reason] of Object.entries(peers.missing)) progress(`no ${name}: ${reason}`);
  const bench: Bench = {
    ...{ root, progress, isQuick: options.quick, gateways: peers.gateways },
    ...{ peers: peers.servers, compressingPeers: peers.compressing },
    ...compileFloor(root),
    ...{ rounds, seconds },
  };
  const given = process.argv.slice(2);
  const results: Results = {
    command: ["npm run bench", ...(given.length > 0 ? ["--", ...given] : [])].join(" "),
    version: packageVersion(root),
    ...{ machine: describeMachine(), rounds, seconds },
    ...{ versions: peers.versions, missing: peers.missing, workloads: [] },
  };
  for (const workload of workloads) {
    progress(`\n${workload.title}`);
    results.workloads.push(resultOf(workload, await workload.measure(bench)));
    // What is measured is kept, should a later workload fail.
    keep(root, results);
  }
  return results;
}

/** Without a registry there is still Headgate and what is installed. */
function install(): void {
  try {
    installPeers(root);
  } catch (error) {
    progress(`npm ci in bench/ failed, and nothing is installed: ${(error as Error).message}`);
  }
}

function chosenWorkloads(): Workload[] {
  if (options.only === undefined) return options.quick ? quick : all;
  return options.only.split(",").map((name) => {
    const found = all.find((workload) => workload.name === name);
    if (found !== undefined) return found;
    const names = all.map((workload) => workload.name).join(", ");
    throw new Error(`--only knows no ${name}; there are ${names}`);
  });
}

function numberOf(name: "rounds" | "seconds", otherwise: number): number {
  const value = Number(options[name] ?? otherwise);
  const isWhole = name === "seconds" || Number.isInteger(value);
  if (!(value > 0 && value <= 60 && isWhole)) throw new Error(`--${name} is a number up to 60`);
  return value;
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
