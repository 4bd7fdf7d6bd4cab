/**
 * `npm run hostile`: 100,000 spoiled conversations against a live gateway (`--connections N`,
 * `--seed S`, `--seconds N` at the most, `--concurrency N`). It only starts what does it, which
 * is a test, and passes on its verdict.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const RUN = fileURLToPath(new URL("../test/hostile/run.test.child.js", import.meta.url));

const child = spawn(process.execPath, [RUN, ...process.argv.slice(2)], { stdio: "inherit" });
child.once("exit", (code) => {
  process.exitCode = code ?? 1;
});
