/**
 * Fills in `${NAME}` from the environment and `${file:path}` from files; `$${` stands for a
 * plain `${`. Nothing is evaluated, and what is filled in is not looked through again.
 */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Sources {
  environment: Environment;
  /** The folder that `${file:…}` is relative to. */
  folder: string;
}

export interface Substitution {
  text: string;
  /** Whether anything was filled in. */
  filled: boolean;
  /** One sentence for each that could not be. */
  mistakes: string[];
}

/** Secrets and addresses are small; a path to something else is a mistake. */
const FILE_BYTES_MAX = 65536;

const REFERENCE = /\$\$\{|\$\{([^{}]*)\}|\$\{/g;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function substitute(text: string, sources: Sources): Substitution {
  const mistakes: string[] = [];
  let filled = false;
  const replaced = text.replaceAll(REFERENCE, (reference: string, name: string | undefined) => {
    if (reference === "$${") return "${";
    if (name === undefined) {
      mistakes.push(`has "\${" without "}"; close it, or write "$\${" for a plain "\${"`);
      return reference;
    }
    const value = name.startsWith("file:")
      ? fromFile(name.slice("file:".length), sources.folder)
      : fromEnvironment(name, sources.environment);
    if ("mistake" in value) {
      mistakes.push(value.mistake);
      return reference;
    }
    filled = true;
    return value.text;
  });
  return { text: replaced, filled, mistakes };
}

function fromEnvironment(
  name: string,
  environment: Environment,
): { text: string } | { mistake: string } {
  if (!VARIABLE.test(name)) {
    return {
      mistake: `"${name}" is not the name of a variable; write \${NAME}, or \${file:path}`,
    };
  }
  const text = Object.hasOwn(environment, name) ? environment[name] : undefined;
  if (text !== undefined) return { text };
  return { mistake: `the environment variable ${name} is not set; set it, or write the value` };
}

function fromFile(path: string, folder: string): { text: string } | { mistake: string } {
  if (path === "") return { mistake: `\${file:} names no file; write \${file:path}` };
  const absolute = resolve(folder, path);
  try {
    const status = statSync(absolute);
    if (!status.isFile()) return { mistake: `${absolute} is not a file; name a file` };
    if (status.size > FILE_BYTES_MAX) {
      return { mistake: `${absolute} has more than ${FILE_BYTES_MAX} bytes; name a smaller file` };
    }
    // Editors and `echo` end a file with a newline that is no part of a secret.
    return { text: readFileSync(absolute, "utf8").replace(/\r?\n$/, "") };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { mistake: `cannot read the file (${reason}); create it, or name another` };
  }
}
