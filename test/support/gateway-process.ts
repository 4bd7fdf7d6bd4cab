/**
 * The gateway as its users run it: `headgate start` in a process of its own, on free ports, with
 * what it logs. Stopped by its process id.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { makeTemporaryFolder } from "./temporary-folder.ts";

const COMMAND = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill("SIGKILL");
});

interface LogRecord {
  level: string;
  msg: string;
  [field: string]: unknown;
}

interface Status {
  connections: number;
  workers: { pid: number; state: string; connections: number; restarts: number }[];
}

export class GatewayProcess {
  readonly child: ChildProcess;
  readonly records: LogRecord[] = [];
  /** What it wrote to stderr that is no record: the stack of a worker that died of a bug. */
  readonly outcries: string[] = [];
  port = 0;
  adminPort = 0;
  #changed: (() => void)[] = [];
  /** It has ended, and all that it wrote was read. */
  #isOver = false;

  constructor(child: ChildProcess) {
    this.child = child;
    running.add(child);
    child.on("exit", () => running.delete(child));
    child.on("close", () => {
      this.#isOver = true;
      this.#notify();
    });
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on("line", (line) => {
      if (line.startsWith("{")) this.records.push(JSON.parse(line));
      else this.outcries.push(line);
      this.#notify();
    });
  }

  /**
   * `hubs` is YAML, `more` further top-level lines; ports are the kernel's choice. A terminal
   * gives a command a process group of its own, as `detached` does.
   */
  static async start(
    hubs: string,
    more = "",
    { detached = false }: { detached?: boolean } = {},
  ): Promise<GatewayProcess> {
    const lines = [
      "listen: [{ address: '127.0.0.1:0' }]",
      "admin: { address: '127.0.0.1:0' }",
      more,
      `hubs:\n  ${hubs.replaceAll("\n", "\n  ")}\n`,
    ];
    const folder = makeTemporaryFolder({ "headgate.yaml": lines.join("\n") });
    const file = join(folder, "headgate.yaml");
    const child = spawn(
      process.execPath,
      [COMMAND, "start", "--config", file, "--log-level", "debug"],
      { stdio: ["ignore", "inherit", "pipe"], detached },
    );
    const gateway = new GatewayProcess(child);
    const ready = await gateway.record(({ msg }) => msg.startsWith("ready:"));
    gateway.port = Number(/:(\d+)$/.exec((ready.clients as string[])[0] as string)?.[1]);
    gateway.adminPort = Number(/:(\d+)$/.exec(ready.admin as string)?.[1]);
    return gateway;
  }

  /** The first log record, past or to come, that is as `isIt` says. */
  async record(isIt: (record: LogRecord) => boolean, timeoutMs = 15_000): Promise<LogRecord> {
    await this.until(() => this.records.some(isIt), "a log record", timeoutMs);
    return this.records.find(isIt) as LogRecord;
  }

  async until(condition: () => boolean, what: string, timeoutMs = 15_000): Promise<void> {
    const deadlineMs = Date.now() + timeoutMs;
    const timer = setTimeout(() => this.#notify(), timeoutMs + 1);
    while (!condition()) {
      if (this.#isOver || Date.now() > deadlineMs) {
        const log = this.records.map((record) => JSON.stringify(record)).join("\n");
        throw new Error(`waited in vain for ${what}\n${log}\n${this.outcries.join("\n")}`);
      }
      await new Promise<void>((resolve) => this.#changed.push(resolve));
    }
    clearTimeout(timer);
  }

  api(method: string, path: string, body?: string, headers: Record<string, string> = {}) {
    const type = body === undefined ? {} : { "content-type": "text/plain" };
    return fetch(`http://127.0.0.1:${this.adminPort}${path}`, {
      method,
      headers: { ...type, ...headers },
      ...(body === undefined ? {} : { body }),
    });
  }

  async status(): Promise<Status> {
    return (await this.api("GET", "/status")).json() as Promise<Status>;
  }

  /** Asks for the status until it is as `isIt` says. */
  async statusUntil(isIt: (status: Status) => boolean): Promise<Status> {
    const deadlineMs = Date.now() + 15_000;
    for (;;) {
      const status = await this.status();
      if (isIt(status)) return status;
      if (Date.now() > deadlineMs) throw new Error(`in vain: ${JSON.stringify(status)}`);
      await delay(20);
    }
  }

  /** SIGTERM; the exit code. */
  async stop(): Promise<number | null> {
    if (this.child.exitCode === null) {
      this.child.kill("SIGTERM");
      await once(this.child, "exit");
    }
    return this.child.exitCode;
  }

  #notify(): void {
    for (const changed of this.#changed.splice(0)) changed();
  }
}
