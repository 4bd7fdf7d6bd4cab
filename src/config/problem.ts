/**
 * What is wrong with a configuration: one problem for each mistake, with its place in the file,
 * and the error that carries all of them at once.
 */
import { HeadgateError } from "../core/error.ts";

/** Keys and list indexes from the root to a value. */
export type KeyPath = readonly (string | number)[];

export interface Problem {
  /** As the caller named it; empty where the configuration did not come from a file. */
  file: string;
  /** From 1; 0 where the configuration did not come from a file. */
  line: number;
  /** From 1, in UTF-16 units as editors count them; 0 as for `line`. */
  column: number;
  /** Such as `hubs.chat.paths[1]`; empty for the whole file. */
  path: string;
  /** What is wrong, and what to do. */
  message: string;
}

/** A mistake that is not yet tied to a place in the file. */
export interface Mistake {
  path: KeyPath;
  /** Which of the two to point at. */
  part: "key" | "value";
  message: string;
}

export class ConfigurationError extends HeadgateError {
  /** In the order of the file; never empty. */
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super("HG_CONFIG_INVALID", summarise(problems));
    this.name = "ConfigurationError";
    this.problems = problems;
  }
}

/** `headgate.yaml:7:5: hubs.chat.servce: unknown key; did you mean "service"?` */
export function formatProblem(problem: Problem): string {
  const place = problem.line === 0 ? "" : `${problem.file}:${problem.line}:${problem.column}: `;
  const path = problem.path === "" ? "" : `${problem.path}: `;
  return `${place}${path}${problem.message}`;
}

export function formatPath(path: KeyPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(step)) text += `[${JSON.stringify(step)}]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text;
}

/** `3 mistakes`, `1 mistake`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function summarise(problems: readonly Problem[]): string {
  const [first] = problems;
  if (first !== undefined && problems.length === 1) return formatProblem(first);
  const name = first?.file === "" || first === undefined ? "the configuration" : first.file;
  const lines = problems.map((problem) => `\n  ${formatProblem(problem)}`);
  return `${name} has ${count(problems.length, "mistake")}:${lines.join("")}`;
}
