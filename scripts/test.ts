/**
 * Runs all that must hold before a change is kept: linter, unused code, package, C tests, suite.
 * `test.js WORD...` runs only the test files whose path holds a word. `--long` runs what takes its
 * time instead: the generated tests with many more cases, the fuzzers, the hostile run, the faults;
 * `--long --short` less of each. It builds nothing.
 */
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Two files at a time: most tests wait for sockets, and the smallest machine has two cores. */
const CONCURRENCY = 2;
/** Of one file, on Node 20; newer versions hold each test to it as well. */
const TEST_TIMEOUT_MS = 180_000;
const LONG_TEST_TIMEOUT_MS = 1_200_000;

interface Step {
  name: string;
  command: string;
  args: string[];
}

/** One for all tests of a run, so that a failure can be had again. */
const seed = process.env.HEADGATE_SEED ?? String(randomInt(2 ** 31));

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: { long: { type: "boolean" }, short: { type: "boolean" } },
});
/** How far the generated tests go from their short to their long runs. */
const share = values.long ? (values.short ? 0.1 : 1) : 0;

process.exitCode = (await runAll(chooseSteps())) ? 0 : 1;

function chooseSteps(): Step[] {
  if (words.length > 0) return [suite()];
  if (values.long) return [suite(), ...timedSteps()];
  return [
    {
      name: "lint and format",
      command: join(root, "node_modules/.bin/biome"),
      args: ["ci", "--error-on-warnings", "."],
    },
    { name: "unused code", command: join(root, "node_modules/.bin/knip"), args: [] },
    { name: "package", command: join(root, "node_modules/.bin/publint"), args: ["--strict"] },
    { name: "C tests", command: process.execPath, args: ["dist/scripts/test-native.js"] },
    suite(),
  ];
}

/** What a failure of these says is how to have just it again. */
function timedSteps(): Step[] {
  const fuzzSeconds = values.short ? "200" : "1800";
  const differentialRuns = values.short ? "50000" : "1000000";
  const hostileConnections = values.short ? "5000" : "100000";
  const script = (name: string, file: string, ...args: string[]): Step => ({
    name,
    command: process.execPath,
    args: [`dist/scripts/${file}`, "--seed", seed, ...args],
  });
  return [
    script("fuzzing", "fuzz.js", "--seconds", fuzzSeconds),
    script("ws' receiver", "fuzz.js", "--target", "ws-receiver", "--runs", differentialRuns),
    script("fuzzing of the C files", "fuzz-native.js", "--seconds", fuzzSeconds),
    script("hostile run", "hostile.js", "--connections", hostileConnections),
    script("faults", "faults.js", ...(values.short ? ["--short"] : [])),
  ];
}

/** Every step runs, also behind one that failed: one run shows all that is wrong. */
async function runAll(steps: Step[]): Promise<boolean> {
  const startedMs = performance.now();
  const summary: string[] = [];
  let failures = 0;
  for (const step of steps) {
    console.log(`\n== ${step.name}`);
    const stepStartedMs = performance.now();
    const passed = await run(step);
    if (!passed) failures += 1;
    summary.push(
      `${passed ? "passed" : "FAILED"} ${since(stepStartedMs).padStart(8)}  ${step.name}`,
    );
  }
  const verdict = failures === 0 ? "everything passed" : `FAILED: ${failures} of ${steps.length}`;
  console.log(`\n== summary\n${summary.join("\n")}\n${verdict}, in ${since(startedMs)}`);
  return failures === 0;
}

function run(step: Step): Promise<boolean> {
  const child = spawn(step.command, step.args, {
    cwd: root,
    env: { ...process.env, HEADGATE_SEED: seed, HEADGATE_TEST_SHARE: String(share) },
    stdio: ["ignore", "inherit", "inherit"],
  });
  return new Promise((resolve) => {
    child.once("error", (error) => {
      console.error(`${step.command} does not run: ${error.message}`);
      resolve(false);
    });
    child.once("exit", (code) => resolve(code === 0));
  });
}

function suite(): Step {
  const files = testFiles();
  if (files.length === 0) {
    console.error(`no test file has any of these in its path: ${words.join(" ")}`);
    process.exit(2);
  }
  const timeoutMs = share > 0 ? LONG_TEST_TIMEOUT_MS : TEST_TIMEOUT_MS;
  return {
    name: `suite, ${files.length} files, HEADGATE_SEED=${seed}`,
    command: process.execPath,
    args: [
      "--test",
      "--test-reporter=spec",
      `--test-concurrency=${CONCURRENCY}`,
      `--test-timeout=${timeoutMs}`,
      ...files,
    ],
  };
}

/**
 * The sources are listed, not dist/, which may still hold the tests of sources that are gone; and
 * they are named one by one, since newer versions of Node take no folder.
 */
function testFiles(): string[] {
  return listTests()
    .filter((source) => words.length === 0 || words.some((word) => source.includes(word)))
    .filter((source) => !values.long || isGenerated(source))
    .map((source) => {
      const compiled = join("dist", source.replace(/\.ts$/, ".js"));
      if (!existsSync(join(root, compiled))) throw new Error(`${source} has not been compiled`);
      return compiled;
    });
}

function listTests(): string[] {
  return ["src", "test", "scripts", "bench", "examples"]
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true }).map((name) =>
        join(folder, String(name)),
      ),
    )
    .filter((path) => path.endsWith(".test.ts"))
    .sort();
}

/** A long run repeats only the tests that try more cases when they are given more time. */
function isGenerated(source: string): boolean {
  return readFileSync(join(root, source), "utf8").includes("support/seed.ts");
}

function since(startedMs: number): string {
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
}
