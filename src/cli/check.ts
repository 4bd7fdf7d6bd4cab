/**
 * `headgate check`: every mistake in the configuration at once, each with its line and column;
 * or, with `schema`, the JSON Schema for editors. It starts nothing and connects to nothing.
 */
import { editorSchema } from "../config/editor-schema.ts";
import { loadConfiguration } from "../config/load.ts";
import { ConfigurationError, count, formatProblem } from "../config/problem.ts";
import { HeadgateError } from "../core/error.ts";

/** What a command writes to: `process`, or a test's own. */
export interface Streams {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
}

export interface CheckOptions {
  /** The file's path. */
  config: string;
  /** Print the JSON Schema, and read no file. */
  schema?: boolean | undefined;
}

/** The exit code: 0 for no mistakes, otherwise 2. */
export async function check(options: CheckOptions, streams: Streams): Promise<number> {
  if (options.schema === true) {
    streams.stdout.write(`${JSON.stringify(editorSchema(), null, 2)}\n`);
    return 0;
  }
  try {
    const { hubs, listen } = await loadConfiguration(options.config);
    const hubCount = count(Object.keys(hubs).length, "hub");
    const listenerCount = count(listen.length, "listener");
    streams.stdout.write(`${options.config}: no mistakes, ${hubCount}, ${listenerCount}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof HeadgateError)) throw error;
    streams.stderr.write(sentencesOf(error, options.config));
    return 2;
  }
}

function sentencesOf(error: HeadgateError, file: string): string {
  if (!(error instanceof ConfigurationError)) return `${error.code}: ${error.message}\n`;
  const lines = error.problems.map((problem) => `${formatProblem(problem)}\n`);
  const total = count(error.problems.length, "mistake");
  return `${lines.join("")}${error.code}: ${file} has ${total}; correct and check again\n`;
}
