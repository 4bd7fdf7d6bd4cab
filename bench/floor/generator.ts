/**
 * The C generator as the benchmark drives it: a load on one server, opened and waiting, and its
 * runs. The server's CPU time is read while no message is under way.
 */
import type { CpuTime } from "../../src/bench/server-cpu.ts";
import { Child } from "./child.ts";
import { cpuTime } from "./process-usage.ts";
import type { Server } from "./servers.ts";

export interface Scenario {
  name: string;
  connections: number;
  payloadBytes: number;
  pipeline: number;
}

export interface Run {
  /** Of the server, user and system, for one message there and back. */
  cpuUs: number;
  userUs: number;
  messagesPerSecond: number;
  /** Share of its core that the generator used. */
  generatorShare: number;
  p50Us: number;
  p99Us: number;
}

export interface Report {
  messages: number;
  seconds: number;
  cpuShare: number;
  p50Us: number;
  p99Us: number;
}

export class Generator {
  readonly #child: Child;
  readonly #server: Server;

  private constructor(child: Child, server: Server) {
    this.#child = child;
    this.#server = server;
  }

  /** Resolves when all connections are open. */
  static async open(
    binary: string,
    server: Server,
    scenario: Scenario,
    options: { raw: boolean; text: boolean; path?: string; addresses?: number; deflate?: boolean },
  ): Promise<Generator> {
    const child = new Child(1, [
      ...[binary, "--port", String(server.port)],
      ...["--connections", String(scenario.connections)],
      ...["--payload", String(scenario.payloadBytes)],
      ...["--pipeline", String(scenario.pipeline)],
      ...["--path", options.path ?? "/"],
      ...["--addresses", String(options.addresses ?? 8)],
      ...(options.raw ? ["--raw"] : []),
      ...(options.text ? ["--text"] : []),
      ...(options.deflate ? ["--deflate"] : []),
    ]);
    await child.line();
    return new Generator(child, server);
  }

  async run(seconds: number): Promise<Run> {
    const before = cpuTime(this.#server.pids);
    const report = await this.load(seconds);
    return runOf(report, before, cpuTime(this.#server.pids));
  }

  /** The load without its server's CPU time, for several generators on one server. */
  async load(seconds: number): Promise<Report> {
    return JSON.parse(await this.#child.line(`run ${seconds}`)) as Report;
  }

  /** Calls `push`, which is to bring `messages` to each connection, and resolves when they came. */
  async expect(messages: number, push: () => Promise<void>): Promise<void> {
    await this.#child.line(`expect ${messages}`);
    const arrived = this.#child.line();
    await Promise.all([push(), arrived]);
  }

  /** One message on each connection. */
  async touch(): Promise<void> {
    await this.#child.line("touch");
  }

  async close(): Promise<void> {
    await this.#child.stop("end");
  }
}

export function runOf(report: Report, before: CpuTime, after: CpuTime): Run {
  const userUs = ((after.userSeconds - before.userSeconds) * 1e6) / report.messages;
  const systemUs = ((after.systemSeconds - before.systemSeconds) * 1e6) / report.messages;
  return {
    cpuUs: userUs + systemUs,
    userUs,
    messagesPerSecond: report.messages / report.seconds,
    generatorShare: report.cpuShare,
    p50Us: report.p50Us,
    p99Us: report.p99Us,
  };
}
