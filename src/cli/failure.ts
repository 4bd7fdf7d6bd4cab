/**
 * How the command line tells that something failed: one sentence on stderr that begins with the
 * HG_ code, and an exit code. A bug is not told here; it ends the process with its stack.
 */
import { HeadgateError } from "../core/error.ts";

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
/** The command line or the configuration is wrong: the same command will fail again. */
export const EXIT_USAGE = 2;

export function usageError(sentence: string): HeadgateError {
  return new HeadgateError("HG_USAGE", `${sentence} See headgate --help.`);
}

export function exitCodeOf(error: HeadgateError): number {
  return error.code === "HG_USAGE" || error.code.startsWith("HG_CONFIG") ? EXIT_USAGE : EXIT_FAILED;
}

/** What goes to stderr. */
export function formatFailure(error: HeadgateError): string {
  return `${error.code}: ${error.message}\n`;
}
