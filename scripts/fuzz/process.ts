/**
 * One process that fuzzes one target, watched from outside: a case that never ends and a process
 * that dies are failures too, and their case is known by the mark that it left.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type CaseFailure, type Job, MARK_BYTES, type Report } from "./messages.ts";

const WORKER = fileURLToPath(new URL("../../test/fuzz/worker.test.child.js", import.meta.url));
/** No case takes a hundredth of it. */
const CASE_TIMEOUT_MS = 30_000;
const LOOK_MS = 1000;
const STDERR_KEPT = 4000;

/** Ends early, and well, when `signal` says that another process has found something. */
export async function fuzz(job: Omit<Job, "markFile">, signal: AbortSignal): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "headgate-fuzz-"));
  const markFile = join(folder, "mark");
  const unmarked = Buffer.alloc(MARK_BYTES);
  unmarked.writeDoubleLE(Number.NaN);
  writeFileSync(markFile, unmarked);
  try {
    return await run({ ...job, markFile }, signal);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(job: Job, signal: AbortSignal): Promise<Report> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [WORKER, JSON.stringify(job)], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let stderr = "";
  let report: Report | undefined;
  let hung = false;
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT);
  });
  child.on("message", (message) => {
    report = message as Report;
  });
  const stop = () => child.kill("SIGKILL");
  signal.addEventListener("abort", stop);
  let mark = Number.NaN;
  let markedMs = startedMs;
  const watch = setInterval(() => {
    const current = readMark(job.markFile);
    if (!Object.is(current, mark)) [mark, markedMs] = [current, performance.now()];
    hung = performance.now() - markedMs > CASE_TIMEOUT_MS;
    if (hung) stop();
  }, LOOK_MS);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, killedBy) => {
      clearInterval(watch);
      signal.removeEventListener("abort", stop);
      const end = killedBy === null ? `ended with code ${code}` : `was ended by ${killedBy}`;
      const message = hung
        ? `the case has not ended in ${CASE_TIMEOUT_MS / 1000} s`
        : `the process ${end} and reported nothing\n${stderr}`;
      const elapsedMs = performance.now() - startedMs;
      const failure = signal.aborted && !hung ? undefined : failureAt(job.markFile, message);
      resolve(report ?? { ...nothing, elapsedMs, failure });
    });
  });
}

const nothing: Report = {
  cases: 0,
  elapsedMs: 0,
  slowestMs: 0,
  slowestSeed: 0,
  tally: [],
  failure: undefined,
};

function failureAt(markFile: string, message: string): CaseFailure {
  const mark = readMark(markFile);
  const written = "(as generated)";
  if (Number.isNaN(mark))
    return { seed: undefined, sentence: "before the first", message, written };
  if (mark >= 0) return { seed: mark, sentence: undefined, message, written };
  return { seed: undefined, sentence: `the one with index ${-1 - mark}`, message, written };
}

function readMark(markFile: string): number {
  const bytes = Buffer.alloc(MARK_BYTES);
  const file = openSync(markFile, "r");
  readSync(file, bytes, 0, MARK_BYTES, 0);
  closeSync(file);
  return bytes.readDoubleLE();
}
