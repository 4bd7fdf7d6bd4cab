#!/usr/bin/env node
/** The executable: what it does is the program's, and here only that this is a process. */
import { HeadgateError } from "../core/error.ts";
import { EXIT_DONE, exitCodeOf, formatFailure } from "./failure.ts";
import { runProgram } from "./program.ts";

let outputError: NodeJS.ErrnoException | undefined;
process.stdout.on("error", (error) => {
  outputError ??= error;
});
let exitCode = await runProgram(process.argv, process);
// Behind everything that was written; its callback comes with the error as well.
await new Promise<void>((resolve) => process.stdout.write("", () => resolve()));
// Whoever closes a pipe early, as `head` does, has what it wanted.
if (outputError !== undefined && outputError.code !== "EPIPE" && exitCode === EXIT_DONE) {
  const error = new HeadgateError(
    "HG_OUTPUT_FAILED",
    `cannot write to stdout (${outputError.code}); make room there, or write to another place`,
  );
  process.stderr.write(formatFailure(error));
  exitCode = exitCodeOf(error);
}
process.exit(exitCode);
