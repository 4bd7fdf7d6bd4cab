/** An admin server over a bus that records what it is asked and answers what the test says. */
import type { TestContext } from "node:test";
import type { Bus } from "../bus/bus.ts";
import { type Answer, type Command, emptyAnswer } from "../bus/command.ts";
import type { Configuration, GatewayLimits } from "../config/configuration.ts";
import { formatConnectionId } from "../core/connection-id.ts";
import { type Log, silentLog } from "../core/log.ts";
import { AdminServer } from "./admin-server.ts";

const NONCE = "AAAAAAAAAAA";
export const CONNECTION = formatConnectionId(NONCE, 5);

export class FakeBus implements Bus {
  readonly commands: Command[] = [];
  answer: Partial<Answer> = { matched: 1 };
  partial = false;
  failure: Error | undefined;
  /** While it is set, answers wait for it. */
  gate: Promise<void> | undefined;

  async ask(command: Command): Promise<{ answer: Answer; partial: boolean }> {
    this.commands.push(command);
    if (this.failure !== undefined) throw this.failure;
    await this.gate;
    return { answer: { ...emptyAnswer(), ...this.answer }, partial: this.partial };
  }
}

interface FixtureOptions {
  keys?: string[];
  limits?: Partial<GatewayLimits>;
  ready?: () => boolean;
  status?: () => Promise<object>;
  metrics?: () => string;
  log?: Log;
}

export interface Fixture {
  bus: FakeBus;
  server: AdminServer;
  host: string;
  port: number;
  url: string;
}

/** Listening on a free port, and closed with the test. */
export async function startAdmin(t: TestContext, options: FixtureOptions = {}): Promise<Fixture> {
  const bus = new FakeBus();
  const server = new AdminServer({
    configuration: configurationWith(options, 0),
    bus,
    log: options.log ?? silentLog,
    ready: options.ready ?? (() => true),
    status: options.status ?? (async () => ({})),
    metrics: options.metrics ?? (() => ""),
  });
  const { host, port } = await server.listen();
  t.after(() => server.close());
  return { bus, server, host, port, url: `http://${host}:${port}` };
}

/** The parts of a configuration that the admin API reads. */
export function configurationWith(options: FixtureOptions, port: number): Configuration {
  const limits = {
    pushBytesMax: 1000,
    adminBodyBytesMax: 500,
    adminBatchMax: 3,
    nameBytesMax: 20,
    groupsPerConnectionMax: 128,
    closeTimeoutMs: 5000,
    ...options.limits,
  };
  const admin = { host: "127.0.0.1", port, keys: options.keys ?? [] };
  return { hubs: { chat: {} }, admin, limits } as unknown as Configuration;
}
