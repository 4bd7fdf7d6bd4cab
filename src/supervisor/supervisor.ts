/**
 * The process with the stable PID: owns the listening sockets, keeps a worker behind each member
 * of them, and serves the admin listener. It is never on the path of a client's message. Signals
 * belong to whoever runs it.
 */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { AdminServer } from "../admin/admin-server.ts";
import { LocalBus } from "../bus/local-bus.ts";
import type { LogLevel } from "../bus/worker-messages.ts";
import type { Configuration, HubConfiguration, ListenAddress } from "../config/configuration.ts";
import { HeadgateError } from "../core/error.ts";
import type { Log } from "../core/log.ts";
import { formatFamilies } from "../metrics/exposition.ts";
import { families } from "../metrics/families.ts";
import { addCounts, emptyCounts, type WorkerCounts } from "../metrics/worker-counts.ts";
import type { Binding } from "../reactor/binding.ts";
import { Listeners } from "../reactor/listener.ts";
import { ConnectionLog } from "./connection-log.ts";
import { Member } from "./member.ts";
import { openMembers } from "./open-members.ts";
import type { HubStatus, Status } from "./status.ts";
import { defaultTiming, type SupervisorTiming } from "./timing.ts";
import { packageVersion } from "./version.ts";

export interface SupervisorOptions {
  configuration: Configuration;
  log: Log;
  /** Workers do not send records below it. Default: info. */
  logLevel?: LogLevel;
  /** The script that worker processes run; for tests. */
  workerPath?: string;
  timing?: Partial<SupervisorTiming>;
  /** Default: the addon. */
  binding?: Binding;
}

export class Supervisor {
  readonly #configuration: Configuration;
  readonly #options: SupervisorOptions;
  readonly #log: Log;
  readonly #timing: SupervisorTiming;
  readonly #bus = new LocalBus();
  readonly #admin: AdminServer;
  readonly #connectionLog: ConnectionLog;
  readonly #startedAtMs = performance.now();
  readonly #members: Member[] = [];
  #listeners: Listeners | undefined;
  #adminAddress: ListenAddress;
  /** The members that new connections are steered to, as a key; "" before the first time. */
  #steered = "";
  #opening: Promise<void> | undefined;
  #started = false;
  #stopping: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    const { configuration, log } = options;
    this.#options = options;
    this.#configuration = configuration;
    this.#log = log;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#adminAddress = { host: configuration.admin.host, port: configuration.admin.port };
    this.#admin = new AdminServer({
      configuration,
      bus: this.#bus,
      log,
      ready: () => this.ready,
      status: async () => this.status(),
      metrics: () => this.metrics(),
    });
    this.#connectionLog = new ConnectionLog(
      log,
      this.#timing.totalIntervalMs,
      () => this.connections,
    );
  }

  /** Started, not stopping, and somebody is there to accept. */
  get ready(): boolean {
    return (
      this.#started &&
      this.#stopping === undefined &&
      this.#members.some((member) => member.state === "ready")
    );
  }

  /** Of all workers, as they counted them a moment ago. */
  get connections(): number {
    return this.#members.reduce((sum, member) => sum + member.connections, 0);
  }

  /** Where clients connect, with the ports that the kernel chose for 0. */
  get addresses(): ListenAddress[] {
    return this.#listeners?.addresses ?? [];
  }

  get adminAddress(): ListenAddress {
    return this.#adminAddress;
  }

  /**
   * Resolves when every worker is ready; rejects with a HeadgateError, and nothing left behind,
   * when an address cannot be had or a worker cannot start.
   */
  async start(): Promise<void> {
    assert(!this.#started && this.#members.length === 0, "a supervisor is started once");
    try {
      this.#opening = this.#open();
      await this.#opening;
      if (this.#stopping !== undefined) throw new HeadgateError("HG_STOPPED", "Stopped.");
      await this.#startMembers();
      this.#started = true;
    } catch (error) {
      await (this.#stopping ?? this.stop());
      throw error;
    }
  }

  /**
   * Fails readiness at once, has the workers close their clients with 1012, and kills what is
   * left after `stopTimeoutMs`. Called again it does not wait: what is left is killed now.
   */
  stop(): Promise<void> {
    if (this.#stopping !== undefined) {
      for (const member of this.#members) member.kill();
      return this.#stopping;
    }
    this.#stopping = this.#stop();
    return this.#stopping;
  }

  /** In Prometheus' text format. */
  metrics(): string {
    return formatFamilies(families, {
      version: packageVersion(),
      workers: this.#members.map(({ index, state, restarts }) => {
        return { index: index + 1, isReady: state === "ready", restarts };
      }),
      connectionsLostTotal: this.#members.reduce((sum, each) => sum + each.connectionsLost, 0),
      counts: this.#counts,
    });
  }

  status(): Status {
    const { hubs } = this.#counts;
    return {
      version: packageVersion(),
      pid: process.pid,
      uptimeMs: Math.round(performance.now() - this.#startedAtMs),
      ready: this.ready,
      listen: this.addresses,
      admin: this.#adminAddress,
      workers: this.#members.map(({ index, pid, state, connections, restarts }) => {
        return { index: index + 1, pid, state, connections, restarts };
      }),
      connections: this.connections,
      hubs: Object.entries(this.#configuration.hubs).map(([name, hub]) => {
        return hubStatus(name, hub, hubs[name]?.connections ?? 0);
      }),
    };
  }

  /** Of all workers. */
  get #counts(): WorkerCounts {
    return this.#members.map(({ counts }) => counts).reduce(addCounts, emptyCounts());
  }

  async #open(): Promise<void> {
    const { listen, workers, limits } = this.#configuration;
    this.#listeners = await Listeners.open({
      addresses: listen,
      members: workers,
      tcpUserTimeoutMs: limits.tcpUserTimeoutMs,
      ...(this.#options.binding === undefined ? {} : { binding: this.#options.binding }),
    });
    this.#adminAddress = await this.#admin.listen();
  }

  async #startMembers(): Promise<void> {
    const configuration = JSON.stringify(this.#configuration);
    for (let index = 0; index < this.#configuration.workers; index++) {
      this.#members.push(this.#createMember(index, configuration));
    }
    await Promise.all(this.#members.map((member) => member.start()));
  }

  #createMember(index: number, configuration: string): Member {
    assert(this.#listeners !== undefined);
    return new Member({
      index,
      workerPath: this.#options.workerPath ?? defaultWorkerPath,
      configuration,
      descriptors: this.#listeners.descriptorsOf(index),
      logLevel: this.#options.logLevel ?? "info",
      log: this.#log,
      timing: this.#timing,
      changed: () => this.#changed(),
      opened: (process) => this.#bus.addWorker(process.nonce, process),
      closed: (process) => this.#bus.removeWorker(process.nonce),
      answered: (process, message) => this.#bus.receive(process.nonce, message),
    });
  }

  #changed(): void {
    this.#connectionLog.changed();
    // While stopping, nobody is left to steer to; the sockets close in a moment.
    if (this.#stopping !== undefined || this.#members.length < 2) return;
    const open = openMembers(this.#members);
    const key = open.join();
    if (key === this.#steered) return;
    this.#steered = key;
    this.#listeners?.steer(open);
  }

  async #stop(): Promise<void> {
    // A failure to open is what `start` rejects with.
    await this.#opening?.catch(() => {});
    const timer = setTimeout(() => this.#killLeft(), this.#timing.stopTimeoutMs);
    await Promise.all(this.#members.map((member) => member.stop()));
    clearTimeout(timer);
    // Last, so that /readyz says to the end that clients are to go elsewhere. A caller that is
    // slow to read its answer does not hold up the end.
    await Promise.race([
      this.#admin.close(),
      delay(this.#timing.adminCloseTimeoutMs, undefined, { ref: false }),
    ]);
    this.#listeners?.close();
    this.#connectionLog.stop();
  }

  #killLeft(): void {
    for (const member of this.#members) {
      if (member.state !== "stopping") continue;
      const worker = member.index + 1;
      this.#log.warn(
        { worker, pid: member.pid, connectionsLost: member.connections },
        `worker ${worker} did not end within ${this.#timing.stopTimeoutMs} ms and is killed`,
      );
      member.kill();
    }
  }
}

// Its own file and process; it is not imported here.
const defaultWorkerPath = fileURLToPath(new URL("../worker/main.js", import.meta.url));

function hubStatus(name: string, hub: HubConfiguration, connections: number): HubStatus {
  return { name, paths: hub.paths, service: describeService(hub), connections };
}

function describeService({ service }: HubConfiguration): string {
  switch (service.kind) {
    case "echo":
      return "echo:";
    case "http":
      // What stands in a query may be a secret.
      return service.url.replace(/\?.*$/, "");
    case "link":
      return service.addresses.join(", ");
    case "nats":
      return service.servers.join(", ");
  }
}
