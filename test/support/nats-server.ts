/**
 * A real nats-server for a test: on a free port, with a store folder of its own. It can be
 * stopped, killed, paused and started again where it was; it ends with the tests of its file.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import { connect } from "@nats-io/transport-node";
import { findCommand, lacks } from "../interop/debian.ts";
import { makeTemporaryFolder } from "./temporary-folder.ts";
import { until } from "./until.ts";
import { Waiters } from "./waiters.ts";

/** Why the server cannot be had here, for a test's `skip`. */
export const natsMissing = lacks("NATS", [["nats-server", "nats-server"]]);

export interface NatsServerOptions {
  jetStream?: boolean;
  token?: string;
  user?: string;
  password?: string;
  /** More lines of its configuration file. */
  configuration?: string;
}

const LISTEN_AGAIN_MS = 20;

const running = new Set<ChildProcess>();
const connections = new Set<NatsConnection>();
after(async () => {
  for (const connection of connections) await connection.close();
  const ends = Array.from(running, (child) => once(child, "exit"));
  for (const child of running) child.kill("SIGKILL");
  await Promise.all(ends);
});
// Also where a program that is no test ends of a bug.
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class NatsServer {
  readonly log: string[] = [];
  /** The kernel's choice at first, and the same from then on. */
  port = 0;
  readonly #folder = makeTemporaryFolder();
  readonly #parameters: string[];
  readonly #waiters = new Waiters();
  #child: ChildProcess | undefined;

  private constructor(options: NatsServerOptions) {
    const { jetStream = false, token, user, password, configuration } = options;
    const file = join(makeTemporaryFolder({ "nats.conf": configuration ?? "" }), "nats.conf");
    this.#parameters = ["-a", "127.0.0.1", "-c", file];
    if (jetStream) this.#parameters.push("-js", "-sd", this.#folder);
    if (token !== undefined) this.#parameters.push("--auth", token);
    if (user !== undefined) this.#parameters.push("--user", user, "--pass", password ?? "");
  }

  static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
    const server = new NatsServer(options);
    await server.restart();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Starts it again, on the same port and over the same store. */
  async restart(): Promise<void> {
    while (!(await this.#start())) await delay(LISTEN_AGAIN_MS);
  }

  /** Whether it could: its port may be some outgoing connection's for a moment. */
  async #start(): Promise<boolean> {
    const port = this.port === 0 ? "-1" : String(this.port);
    const command = findCommand("nats-server") as string;
    const child = spawn(command, [...this.#parameters, "-p", port], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    running.add(child);
    this.log.length = 0;
    child.on("exit", () => {
      running.delete(child);
      this.#waiters.notify();
    });
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on("line", (line) => {
      this.log.push(line);
      this.#waiters.notify();
    });
    const isReady = () => this.log.some((line) => line.includes("Server is ready"));
    const isOver = () => child.exitCode !== null || child.signalCode !== null;
    await this.#waiters.until(
      () => isReady() || isOver(),
      () => `nats-server:\n${this.log.join("\n")}`,
    );
    const log = this.log.join("\n");
    if (isOver()) {
      if (this.port !== 0 && log.includes("address already in use")) return false;
      throw new Error(`nats-server ended at once:\n${log}`);
    }
    const listening = /client connections on 127\.0\.0\.1:(\d+)/.exec(log);
    this.port = Number(listening?.[1]);
    return true;
  }

  /** Orderly. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** Connections stay, and nothing is answered until `resume`: every thread has stopped. */
  async pause(): Promise<void> {
    this.#child?.kill("SIGSTOP");
    const threads = `/proc/${this.#child?.pid}/task`;
    const isStopped = (thread: string) =>
      /\) T /.test(readFileSync(join(threads, thread, "stat"), "latin1"));
    await until(() => readdirSync(threads).every(isStopped), "nats-server stands still");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  /** A client of the test's own; closed with the tests of its file. */
  async connect(options: ConnectionOptions = {}): Promise<NatsConnection> {
    const connection = await connect({
      servers: this.url,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
      reconnectJitter: 0,
      ...options,
    });
    connections.add(connection);
    return connection;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || !running.has(child)) return;
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  }
}
