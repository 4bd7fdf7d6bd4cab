/**
 * `headgate start`: the supervisor in this process, until a signal ends it.
 */
import { existsSync } from "node:fs";
import type { LogLevel } from "../bus/worker-messages.ts";
import type { Configuration } from "../config/configuration.ts";
import { configurationForService, loadConfiguration } from "../config/load.ts";
import { formatAddress } from "../core/address.ts";
import { HeadgateError } from "../core/error.ts";
import type { Log } from "../core/log.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import { DEFAULT_CONFIG } from "./default-config.ts";
import { EXIT_DONE, usageError } from "./failure.ts";
import { createLog } from "./log.ts";

export interface StartOptions {
  config?: string;
  service?: string;
  listen?: string;
  logLevel: LogLevel;
}

/**
 * A terminal's Ctrl-C reaches the whole process group, and a parent such as npm passes it on as
 * well: signals within this time of the first one are the same wish.
 */
const SAME_SIGNAL_MS = 500;

/** Resolves with the exit code when the gateway has ended. */
export async function start(options: StartOptions): Promise<number> {
  const configuration = await configurationOf(options);
  const log = await createLog(options.logLevel);
  const supervisor = new Supervisor({ configuration, log, logLevel: options.logLevel });
  const stopped = stopOnSignal(supervisor, log);
  try {
    await supervisor.start();
    announce(supervisor, log);
  } catch (error) {
    if (!(error instanceof HeadgateError) || error.code !== "HG_STOPPED") throw error;
  }
  await stopped;
  return EXIT_DONE;
}

async function configurationOf(options: StartOptions): Promise<Configuration> {
  const { config, service, listen } = options;
  if (service !== undefined) {
    if (config !== undefined) throw usageError("Give --config or --service, not both.");
    return configurationForService(service, listen);
  }
  if (listen !== undefined) {
    throw usageError(
      'Without --service, the address to listen on stands under "listen" in the file.',
    );
  }
  if (config === undefined && !existsSync(DEFAULT_CONFIG)) {
    throw new HeadgateError(
      "HG_CONFIG_NOT_FOUND",
      `There is no ${DEFAULT_CONFIG} here; write one with headgate init, name one with --config, ` +
        "or start without any: headgate start --service URL.",
    );
  }
  return loadConfiguration(config ?? DEFAULT_CONFIG);
}

/** The first SIGTERM or SIGINT stops, a later one hastens; resolves when all is over. */
function stopOnSignal(supervisor: Supervisor, log: Log): Promise<void> {
  return new Promise((resolve, reject) => {
    let firstAtMs: number | undefined;
    const stop = (signal: NodeJS.Signals): void => {
      const nowMs = performance.now();
      if (firstAtMs !== undefined && nowMs - firstAtMs < SAME_SIGNAL_MS) return;
      const sentence =
        firstAtMs === undefined
          ? "stopping: clients are told to come back; once more to end at once"
          : "ending at once";
      firstAtMs ??= nowMs;
      log.info({ signal, connections: supervisor.connections }, sentence);
      supervisor.stop().then(() => {
        log.info({}, "stopped");
        resolve();
      }, reject);
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  });
}

function announce(supervisor: Supervisor, log: Log): void {
  const { version, pid, listen, admin, workers, hubs } = supervisor.status();
  const clients = listen.map((address) => `ws://${formatAddress(address)}`);
  const adminUrl = `http://${formatAddress(admin)}`;
  for (const { name, paths, service } of hubs) {
    log.info({ hub: name, paths, service }, `hub ${name}: ${paths.join(", ")} to ${service}`);
  }
  log.info(
    { version, pid, clients, admin: adminUrl, workers: workers.length },
    `ready: clients at ${clients.join(", ")}; admin at ${adminUrl}`,
  );
}
