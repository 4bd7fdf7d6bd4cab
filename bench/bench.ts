/**
 * `npm run bench`: Headgate beside everybody else, in turns on one machine, as ratios. Writes a
 * report, its figures and plots into build/bench, and with --publish into the documents. It judges
 * nothing: `npm run bench:floor` is the one that fails.
 */

import { existsSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HeadgateError } from "../src/core/error.ts";
import { compileFloor, describeMachine } from "./floor/machine.ts";
import { type BenchCommand, readBenchCommand } from "./options.ts";
import { orFail } from "./or-fail.ts";
import { findPeers, installPeers, packageVersion } from "./peers/installed.ts";
import { formatEssence } from "./report/essence.ts";
import { formatTargets } from "./report/markdown.ts";
import { keep, publish } from "./report/publish.ts";
import {
  failureLines,
  isWhole,
  missingWorkloads,
  type Results,
  readResults,
  resultOf,
} from "./report/results.ts";
import { type Comparison, reasonOf } from "./workloads/comparison.ts";
import { echo } from "./workloads/echo.ts";
import { fanOut } from "./workloads/fan-out.ts";
import { growth } from "./workloads/growth.ts";
import { handshakes } from "./workloads/handshakes.ts";
import { hold } from "./workloads/hold.ts";
import { idle } from "./workloads/idle.ts";
import { latency } from "./workloads/latency.ts";
import { quickIdle } from "./workloads/quick-idle.ts";
import { roundTrip } from "./workloads/round-trip.ts";
import { stalls } from "./workloads/stalls.ts";
import type { Bench, Workload } from "./workloads/workload.ts";

const quick: Workload[] = [echo, quickIdle, handshakes, fanOut, roundTrip];
const all: Workload[] = [
  ...[echo, idle, handshakes, fanOut, roundTrip],
  ...[growth, latency, stalls, hold],
];

/** It takes many times as long as the others, and is no ratio that one waits for. */
const NOT_QUICK = "ws";
/** In a quick run only the echo, which needs it most, has more than one round and all peers. */
const QUICK_ROUNDS = 3;
const QUICK_PEER = "uWebSockets.js";

const ROUNDS = 5;
const SECONDS = 1;
const QUICK_SECONDS = 0.25;

const root = fileURLToPath(new URL("../../", import.meta.url));
const names = all.map(({ name }) => name);
await orFail(() => main(readBenchCommand(process.argv.slice(2), names)));

async function main(command: BenchCommand): Promise<void> {
  const { from, isPublished } = command;
  const results = from === undefined ? await measureAll(command) : readResults(from);
  const whole = isWhole(results, names) ? "whole" : "partial";
  const folder = keep(root, results, whole);
  const failures = failureLines(results);
  const parts = [
    formatTargets(results, results.isQuick),
    formatEssence(results),
    ...(failures.length > 0 ? [failures.join("\n")] : []),
    `All of it: ${folder}/report.md`,
  ];
  console.log(parts.join("\n\n"));
  if (failures.length > 0) process.exitCode = 1;
  if (!isPublished) return;
  const published = publish(root, results, names);
  if (published.length === 0) throw partialError(results);
  progress(`Published are the figures of ${published.join(" and ")}.`);
}

function partialError(results: Results): HeadgateError {
  const missing = missingWorkloads(results, names).join(", ");
  return new HeadgateError(
    "HG_BENCH_PARTIAL",
    `Nothing is published: each part of the page is of one whole run, and this is ` +
      `${missing === "" ? "a quick one" : `one without ${missing}`}. What there is was kept.`,
  );
}

async function measureAll(command: BenchCommand): Promise<Results> {
  const { isQuick, hold } = command;
  const loadAverage = loadavg()[0] ?? 0;
  const rounds = command.rounds ?? (isQuick ? QUICK_ROUNDS : ROUNDS);
  const seconds = command.seconds ?? (isQuick ? QUICK_SECONDS : SECONDS);
  const isInstalled = existsSync(join(root, "bench/node_modules"));
  if (!command.skipsInstall && !(isInstalled && isQuick)) install(command.isPublished);
  const peers = await findPeers(root);
  for (const [name, reason] of Object.entries(peers.missing)) progress(`no ${name}: ${reason}`);
  const servers = peers.servers.filter(({ name }) => !isQuick || name !== NOT_QUICK);
  const bench: Bench = {
    ...{ root, progress, isQuick, gateways: peers.gateways },
    ...{ peers: servers, compressingPeers: peers.compressing },
    ...compileFloor(root),
    ...{ rounds, seconds, hold },
  };
  const given = process.argv.slice(2).filter((each) => each !== "--skip-install");
  const results: Results = {
    isQuick,
    command: ["npm run bench", ...(given.length > 0 ? ["--", ...given] : [])].join(" "),
    version: packageVersion(root),
    ...{ machine: describeMachine(), loadAverage, rounds, seconds },
    ...{ versions: peers.versions, missing: peers.missing, workloads: [] },
  };
  for (const workload of chosenWorkloads(command)) {
    progress(`\n${workload.title}`);
    const isShort = isQuick && workload !== echo && command.rounds === undefined;
    const measured = await measureOne(workload, isShort ? shortened(bench) : bench);
    results.workloads.push(resultOf(workload, measured));
    // What is measured is kept, should somebody end it now.
    keep(root, results, "partial");
  }
  return results;
}

function shortened(bench: Bench): Bench {
  return { ...bench, rounds: 1, peers: bench.peers.filter(({ name }) => name === QUICK_PEER) };
}

/** One that fails as a whole is named in the report, and the others are measured. */
async function measureOne(workload: Workload, bench: Bench): Promise<Comparison> {
  try {
    return await workload.measure(bench);
  } catch (error) {
    progress(`${workload.name} failed: ${(error as Error).stack}`);
    const failure = { scenario: "all of it", contender: "the benchmark" };
    return { figures: [], failures: [{ ...failure, reason: reasonOf(error) }] };
  }
}

/** Without a registry there is still Headgate, which is enough for all but a page. */
function install(isPublished: boolean): void {
  try {
    installPeers(root);
  } catch (cause) {
    const reason = `npm ci in bench/ failed, and nothing is installed: ${(cause as Error).message}`;
    if (isPublished) throw new HeadgateError("HG_BENCH_INSTALL", reason, { cause });
    progress(reason);
  }
}

function chosenWorkloads({ isQuick, only }: BenchCommand): Workload[] {
  const preset = isQuick ? quick : all;
  if (only === undefined) return preset;
  return only.flatMap((name) => [...preset, ...all].find((each) => each.name === name) ?? []);
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
