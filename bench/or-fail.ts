/**
 * How a program of the benchmark tells that the world failed it: a sentence on stderr and an exit
 * code. A bug is not told here; it ends the process with its stack.
 */
import { HeadgateError } from "../src/core/error.ts";

/** The same command line will fail again. */
const EXIT_USAGE = 2;
const EXIT_FAILED = 1;

export async function orFail(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof HeadgateError)) throw error;
    process.exitCode = error.code === "HG_USAGE" ? EXIT_USAGE : EXIT_FAILED;
    process.stderr.write(`${error.code}: ${error.message}\n`);
  }
}
