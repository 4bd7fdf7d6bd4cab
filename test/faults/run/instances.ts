/**
 * The service's instances, one after the other on one port, each a process of its own with a
 * record of its own. They are ended by their process ids.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Behaviour, Carrier } from "./carriers.ts";

export class Instances {
  readonly #program: string;
  readonly #parameters: readonly string[];
  readonly #folder: string;
  port: number;
  count = 0;
  #child: ChildProcess | undefined;

  /** `port`: 0, or that of the broker. */
  constructor({ program, parameters }: Carrier, folder: string, port: number) {
    this.#program = fileURLToPath(new URL(program, import.meta.url));
    this.#parameters = parameters;
    this.#folder = folder;
    this.port = port;
  }

  /** The next one; resolves when it listens. */
  async start(): Promise<void> {
    this.count += 1;
    const file = join(this.#folder, `instance-${this.count}.jsonl`);
    const child = fork(this.#program, [String(this.port), file, ...this.#parameters]);
    this.#child = child;
    const [port] = (await once(child, "message")) as [number];
    this.port = port;
  }

  behave(behaviour: Behaviour): void {
    this.#child?.send(behaviour);
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(name);
  }

  /** It may still write down what was on its way to it. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
}
