/** A program of ours in a process of its own, to its end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { text } from "node:stream/consumers";

interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Only a process that hangs comes to this end. */
const TIMEOUT_MS = 30_000;

export async function runNode(parameters: string[]): Promise<Run> {
  const child = spawn(process.execPath, parameters, { cwd: tmpdir(), timeout: TIMEOUT_MS });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

/** A module hook that names every package from which something is imported. */
const HOOKS = `export async function resolve(name, context, next) {
  const result = await next(name, context);
  const [, file] = /node_modules\\/(.*)$/.exec(result.url) ?? [];
  if (file !== undefined) process._rawDebug("loads " + file.split("/")[0]);
  return result;
}`;
const REGISTER = `import { register } from "node:module";
register("${asModule(HOOKS)}");`;

/** The same, and the packages that it loaded. */
export async function runAndListPackages(
  parameters: string[],
): Promise<Run & { packages: string[] }> {
  const run = await runNode(["--import", asModule(REGISTER), ...parameters]);
  const loads = /^loads (.*)\n/gm;
  const packages = new Set(Array.from(run.stderr.matchAll(loads), ([, name]) => name as string));
  return { ...run, stderr: run.stderr.replaceAll(loads, ""), packages: [...packages] };
}

function asModule(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
