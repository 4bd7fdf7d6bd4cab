/**
 * `npm run faults`: the delivery promise while the service is killed and the way to it spoiled
 * (`--seed S`, `--carrier http`, `--connections N`, `--short` for about a minute of it). It only
 * starts what does it, which is a test, and passes on its verdict.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const RUN = fileURLToPath(new URL("../test/faults/run.test.child.js", import.meta.url));

const child = spawn(process.execPath, [RUN, ...process.argv.slice(2)], { stdio: "inherit" });
child.once("exit", (code) => {
  process.exitCode = code ?? 1;
});
