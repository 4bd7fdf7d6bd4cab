/**
 * Fuzzes the C files with libFuzzer under the address and undefined behaviour sanitizers, two
 * targets at a time. `--target NAME` (repeatable) chooses, `--seconds N` is for all together,
 * `--seed S` begins alike, `--input HEX` runs one input of one target. What is found goes on being
 * kept in build/fuzz/corpus; regressions are lines of native/fuzz/regressions.
 */
import { spawn, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type FuzzTarget, fuzzTargets, readInputs, sanitizedFlags } from "./fuzz-targets.ts";

const outputFolder = resolve(import.meta.dirname, "../../build/fuzz");
const compiler = process.env.CLANG ?? "clang";
const SECONDS = "300";
const SANITIZERS = "-fsanitize=fuzzer,address,undefined";
/** Of one input; the slowest takes a few milliseconds. */
const INPUT_SECONDS_MAX = 10;
const MEMORY_MIB_MAX = 1024;

const { values } = parseArgs({
  options: {
    target: { type: "string", multiple: true },
    seconds: { type: "string", default: SECONDS },
    seed: { type: "string", default: String(randomInt(1, 2 ** 31)) },
    input: { type: "string" },
  },
});
/** libFuzzer takes 0 for "choose one". */
const seed = wholeNumber("--seed", values.seed) % 2 ** 31 || 1;
process.exitCode = (await main()) ? 0 : 1;

async function main(): Promise<boolean> {
  const targets = chooseTargets();
  const seconds = wholeNumber("--seconds", values.seconds);
  mkdirSync(outputFolder, { recursive: true });
  const missing = whatIsMissing();
  if (missing !== undefined) {
    console.error(`SKIPPED: the C files are not fuzzed, since ${missing}.`);
    console.error(
      "Debian 12: apt-get install clang libclang-rt-14-dev; elsewhere, clang's number.",
    );
    return true;
  }
  if (values.input !== undefined) return repeat(targets, values.input);
  console.log(`seed ${seed}: ${targets.map(({ name }) => name).join(", ")}, ${seconds} s`);
  const built = targets.filter(build);
  const lanes = inLanes(built).map((lane) => fuzzLane(lane, seconds / lane.length));
  const passed = (await Promise.all(lanes)).flat().filter(Boolean).length;
  console.log(passed === targets.length ? "nothing was found" : "FAILED");
  return passed === targets.length;
}

function chooseTargets(): FuzzTarget[] {
  const all = fuzzTargets(compiler);
  const names = all.map(({ name }) => name);
  const unknown = values.target?.find((name) => !names.includes(name));
  if (unknown !== undefined) fail(`there is no target ${unknown}; there are: ${names.join(", ")}`);
  return all.filter(({ name }) => values.target?.includes(name) ?? true);
}

/** The turn loop has by far the most states: it has one of two processors for itself. */
function inLanes(targets: FuzzTarget[]): FuzzTarget[][] {
  const long = targets.filter(({ name }) => name === "turns");
  const short = targets.filter(({ name }) => name !== "turns");
  const half = Math.ceil(short.length / 2);
  const lanes = long.length > 0 ? [long, short] : [short.slice(0, half), short.slice(half)];
  return lanes.filter((lane) => lane.length > 0);
}

/** Undefined when an empty target can be built. */
function whatIsMissing(): string | undefined {
  const source = join(outputFolder, "empty.c");
  const entry = "int LLVMFuzzerTestOneInput(const unsigned char *b, unsigned long n)";
  writeFileSync(source, `${entry} { return b == 0 && n > 0; }\n`);
  const args = [SANITIZERS, source, "-o", join(outputFolder, "empty")];
  const { error, status } = spawnSync(compiler, args, { encoding: "utf8" });
  if (error !== undefined) return `${compiler} does not run (${error.message})`;
  return status === 0 ? undefined : `${compiler} has no libFuzzer or no sanitizers`;
}

function programOf({ name }: FuzzTarget): string {
  return join(outputFolder, name);
}

function build(target: FuzzTarget): boolean {
  const flags = [...sanitizedFlags, SANITIZERS, ...target.sources, ...target.flags];
  const args = [...flags, "-o", programOf(target)];
  const { status } = spawnSync(compiler, args, { stdio: "inherit" });
  if (status !== 0) console.error(`${target.name} could not be built`);
  return status === 0;
}

async function fuzzLane(targets: FuzzTarget[], seconds: number): Promise<boolean[]> {
  const passed: boolean[] = [];
  for (const target of targets) passed.push(await fuzz(target, Math.max(1, Math.floor(seconds))));
  return passed;
}

async function fuzz(target: FuzzTarget, seconds: number): Promise<boolean> {
  const [corpus, seeds, found] = ["corpus", "seeds", "found"].map((folder) => {
    const path = join(outputFolder, folder, target.name);
    mkdirSync(path, { recursive: true });
    return path;
  }) as [string, string, string];
  for (const [index, input] of readInputs(target.inputs).entries()) {
    writeFileSync(join(seeds, String(index)), input);
  }
  const before = new Set(readdirSync(found));
  const args = [
    `-seed=${seed}`,
    `-max_total_time=${seconds}`,
    `-max_len=${target.inputBytesMax}`,
    `-timeout=${INPUT_SECONDS_MAX}`,
    `-rss_limit_mb=${MEMORY_MIB_MAX}`,
    "-print_final_stats=1",
    `-artifact_prefix=${found}/`,
    corpus,
    seeds,
  ];
  const { status, log } = await run(target, args);
  console.log(summaryOf(target, log));
  if (status === 0) return true;
  console.error(`\n${target.name} ended with ${status}; all that it wrote is in ${logOf(target)}`);
  console.error(log.split("\n").filter(isTelling).slice(0, 30).join("\n"));
  for (const name of readdirSync(found).filter((each) => !before.has(each))) {
    const hex = readFileSync(join(found, name)).toString("hex");
    console.error(`\n${name}: once more with\n  npm run fuzz:native -- --target ${target.name} \\`);
    console.error(`    --input ${hex}`);
    console.error(`and, once it is mended, as a line of ${target.inputs}\n`);
  }
  return false;
}

function logOf({ name }: FuzzTarget): string {
  return join(outputFolder, `${name}.log`);
}

/** Everything goes to a file; of a run that goes well there is nothing to read in it. */
async function run(target: FuzzTarget, args: string[]): Promise<{ status: number; log: string }> {
  const file = createWriteStream(logOf(target));
  const child = spawn(programOf(target), args, { stdio: ["ignore", "ignore", "pipe"] });
  child.stderr.pipe(file);
  const status = await new Promise<number>((done) => {
    child.once("error", () => done(127));
    child.once("exit", (code) => done(code ?? 128));
  });
  if (!file.closed) await once(file, "close");
  return { status, log: readFileSync(logOf(target), "utf8") };
}

/** Not the progress, which is most of the lines. */
function isTelling(line: string): boolean {
  return !/^(?:#\d+\t|INFO:|stat::|\t|$)/.test(line);
}

function summaryOf({ name }: FuzzTarget, log: string): string {
  const runs = /stat::number_of_executed_units:\s*(\d+)/.exec(log)?.[1] ?? "?";
  const progress = Array.from(log.matchAll(/cov: (\d+) ft: (\d+) corp: (\d+)/g)).at(-1);
  const [, edges = "?", features = "?", inputs = "?"] = progress ?? [];
  return `${name}: ${runs} runs, ${edges} edges, ${features} features, ${inputs} inputs kept`;
}

function repeat(targets: FuzzTarget[], hex: string): boolean {
  const [target] = targets;
  if (target === undefined || targets.length > 1) fail("--input takes one --target");
  if (!/^(?:[0-9a-f]{2})*$/.test(hex)) fail("--input takes bytes in hexadecimal");
  const path = join(outputFolder, "input");
  writeFileSync(path, Buffer.from(hex, "hex"));
  return build(target) && spawnSync(programOf(target), [path], { stdio: "inherit" }).status === 0;
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d{1,12}$/.test(text)) fail(`${option} takes a whole number, not ${text}`);
  return Number(text);
}

function fail(sentence: string): never {
  console.error(sentence);
  process.exit(2);
}
