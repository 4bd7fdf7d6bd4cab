/**
 * The cases that are kept: one file for each target, of inputs that once showed a fault, or for
 * which a plausible fault of the product shows. Every run of fuzzing and `npm test` begin with
 * them.
 */
import { existsSync, readFileSync } from "node:fs";
import { type AnyTarget, caseSeed, generate, readCase } from "./target.ts";

/** From dist/test/fuzz to the sources. */
const FOLDER = new URL("../../../test/fuzz/regressions/", import.meta.url);

export interface Regression {
  /** What it once broke, or would. */
  sentence: string;
  case: unknown;
}

interface Written {
  sentence: string;
  /** The case itself, as `writeCase` writes it … */
  input?: unknown;
  /** … or the seed that generates it, where a case is too large to be written. */
  seed?: number;
}

export function regressionsOf(name: string, target: AnyTarget): Regression[] {
  const file = new URL(`${name}.json`, FOLDER);
  if (!existsSync(file)) return [];
  const written = JSON.parse(readFileSync(file, "utf8")) as Written[];
  return written.map(({ sentence, input, seed }) => ({
    sentence,
    case: input === undefined ? generate(target, caseSeed(seed ?? 0, 0)) : readCase(input),
  }));
}
