/**
 * Processes of the benchmark: started on a core of their own, spoken to in lines, and ended with
 * it whatever happens. What they write to stderr is kept, to be shown when they fail.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { allowedCores } from "./process-usage.ts";

const STOP_TIMEOUT_MS = 15_000;
const STDERR_KEPT = 4000;

const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGTERM");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const cores = allowedCores();
/** Where servers and the generator run; undefined where there are no two cores, or no taskset. */
export const pinned = cores.length > 1 && hasTaskset() ? cores : undefined;

function hasTaskset(): boolean {
  try {
    execFileSync("taskset", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

export class Child {
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  readonly #exited: Promise<unknown>;
  #stderr = "";

  /** `place` 0 is the servers' core and 1 the generator's. */
  constructor(
    place: 0 | 1,
    command: string[],
    options: { cwd?: string; env?: Record<string, string> } = {},
  ) {
    const pin = pinned === undefined ? [] : ["taskset", "-c", String(pinned[place])];
    const [file = "", ...rest] = [...pin, ...command];
    const child = spawn(file, rest, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: "pipe",
    });
    if (child.pid === undefined) throw new Error(`${file} does not run`);
    this.pid = child.pid;
    this.#process = child;
    this.#lines = createInterface({ input: child.stdout });
    this.#exited = once(child, "exit").finally(() => children.delete(child));
    children.add(child);
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
    });
    // A process that has ended breaks the pipe; `line` tells why.
    child.stdin.on("error", () => {});
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Sends a line when there is one to send, and returns the next that comes back. */
  async line(command?: string): Promise<string> {
    const next = once(this.#lines, "line") as Promise<[string]>;
    if (command !== undefined) this.#process.stdin?.write(`${command}\n`);
    const ended = this.#exited.then(() => {
      throw this.failure();
    });
    return (await Promise.race([next, ended]))[0];
  }

  failure(): Error {
    const command = this.#process.spawnargs.join(" ");
    return new Error(`${command}\nended or does not answer\n${this.#stderr}`);
  }

  /** Ends its input, as the generator likes it, or asks with SIGTERM; then insists. */
  async stop(how: "end" | "terminate"): Promise<void> {
    if (!this.running) return;
    if (how === "end") this.#process.stdin?.end();
    else this.#process.kill("SIGTERM");
    const insist = setTimeout(() => this.#process.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(insist);
  }
}
