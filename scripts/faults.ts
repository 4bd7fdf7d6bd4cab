/**
 * `npm run faults`: the delivery promise while service and broker are killed and the way to them
 * spoiled, over every carrier or one (`--carrier http`, `link`, `jetstream`, `nats`; `--seed S`,
 * `--connections N`, `--short` for less than a minute of each). It only starts what does it,
 * which is a test, and passes on its verdict.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const RUNS = fileURLToPath(new URL("../test/faults/runs.test.child.js", import.meta.url));

const child = spawn(process.execPath, [RUNS, ...process.argv.slice(2)], { stdio: "inherit" });
child.once("exit", (code) => {
  process.exitCode = code ?? 1;
});
