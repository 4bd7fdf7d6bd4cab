/**
 * What the schema found wrong, in sentences: each says what is wrong and what to do, and an
 * unknown key is told the nearest known one. The schema library's own wording is not used.
 */
import type { z } from "zod";
import { nearest } from "./nearest.ts";
import type { KeyPath, Mistake } from "./problem.ts";
import {
  expectation,
  knownKeys,
  parentsOf,
  type SchemaNode,
  schemaNodeAt,
  takes,
} from "./schema-node.ts";

const SHOWN_CHARACTERS_MAX = 60;

/** Parts of a path whose values are secrets, and so never shown. */
const SECRETS = new Set<string | number>(["key", "keys", "signingKeys", "token", "password"]);

export function schemaMistakes(issues: readonly z.core.$ZodIssue[], value: unknown): Mistake[] {
  const mistakes = issues.flatMap((issue) => mistakesOf(issue, value, []));
  // A number may be too large and no whole one any more: the sentence for both is the same.
  const unique = new Map(mistakes.map((mistake) => [JSON.stringify(mistake), mistake]));
  return [...unique.values()];
}

function mistakesOf(issue: z.core.$ZodIssue, value: unknown, parent: KeyPath): Mistake[] {
  const path: KeyPath = [...parent, ...(issue.path as (string | number)[])];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey(path, key));
    case "custom":
      return [{ path, part: "value", message: issue.message }];
    case "invalid_union": {
      // The form that the value has the type of; what the other forms say is noise.
      const form = issue.errors.find((issues) => issues.every(isAboutPart));
      const issues = form ?? [];
      if (issues.length > 0) return issues.flatMap((inner) => mistakesOf(inner, value, path));
      break;
    }
  }
  return [wrongValue(path, valueAt(value, path))];
}

/** About something in the value, and not about what kind of value it is. */
function isAboutPart(issue: z.core.$ZodIssue): boolean {
  return issue.path.length > 0 || issue.code === "unrecognized_keys";
}

function wrongValue(path: KeyPath, value: unknown): Mistake {
  const node = schemaNodeAt(path);
  const expected = node === undefined ? "something else" : expectation(node);
  if (value === undefined) {
    return { path, part: "value", message: `missing; set it to ${expected}` };
  }
  if (Array.isArray(value) && value.length === 0 && takes(node, "array")) {
    return { path, part: "value", message: "is empty; give it at least one, or remove it" };
  }
  const shown = path.some((step) => SECRETS.has(step)) ? "this value" : describe(value);
  const hint = wordHint(node, value);
  return { path, part: "value", message: `must be ${expected}, not ${shown}${hint}` };
}

function unknownKey(path: KeyPath, key: string): Mistake {
  const known = knownKeys(schemaNodeAt(path));
  const mistake = (advice: string): Mistake => {
    return { path: [...path, key], part: "key", message: `unknown key; ${advice}` };
  };
  const [parent] = parentsOf(key);
  if (parent !== undefined) return mistake(`it belongs to ${parent}; move it there`);
  const near = nearest(key, known);
  if (near !== undefined) return mistake(`did you mean "${near}"?`);
  return mistake(`remove it; known here: ${known.join(", ")}`);
}

function wordHint(node: SchemaNode | undefined, value: unknown): string {
  const words = (node?.anyOf ?? [node]).flatMap((option) => option?.enum ?? option?.const ?? []);
  if (typeof value !== "string") return "";
  const near = nearest(value, words.map(String));
  return near === undefined ? "" : `; did you mean "${near}"?`;
}

function describe(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value !== "string") return String(value);
  if (value.length > SHOWN_CHARACTERS_MAX) {
    return `${JSON.stringify(value.slice(0, SHOWN_CHARACTERS_MAX))}…`;
  }
  return JSON.stringify(value);
}

function valueAt(value: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>((parent, step) => {
    if (typeof parent !== "object" || parent === null || !Object.hasOwn(parent, step)) {
      return undefined;
    }
    return (parent as Record<string | number, unknown>)[step];
  }, value);
}
