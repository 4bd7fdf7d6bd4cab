/**
 * Headgate inside another program: the same supervisor, with its workers as processes of their
 * own. Signals, logs and exit codes stay with the program.
 */

import type { LogLevel } from "./bus/worker-messages.ts";
import type { ListenAddress } from "./config/configuration.ts";
import { configurationOf, loadConfiguration } from "./config/load.ts";
import type { ConfigurationInput } from "./config/schema.ts";
import { type Log, silentLog } from "./core/log.ts";
import type { Status } from "./supervisor/status.ts";
import { Supervisor } from "./supervisor/supervisor.ts";

export { HeadgateError } from "./core/error.ts";
export type { ConfigurationInput, ListenAddress, Log, LogLevel, Status };

export interface GatewayOptions {
  /** Where records go; a pino logger fits. Default: nowhere. */
  log?: Log;
  /** The least that workers send to the log. Default: `info`. */
  logLevel?: LogLevel;
}

/** A gateway that runs. */
export interface RunningGateway {
  /** Where clients connect, with the ports that were chosen for 0. */
  readonly addresses: readonly ListenAddress[];
  /** Where the admin API listens. */
  readonly admin: ListenAddress;
  /** What `GET /status` answers. */
  status(): Status;
  /**
   * Closes every client with 1012 and resolves when all workers are gone, within 10 s. Called
   * again, it does not wait for the clients any longer.
   */
  stop(): Promise<void>;
}

/**
 * Starts a gateway and resolves when it takes clients.
 *
 * `configuration` is the path of a configuration file, or its content as an object:
 *
 *     const gateway = await createGateway({
 *       listen: [{ address: "127.0.0.1:0" }],
 *       hubs: { chat: { service: "http://127.0.0.1:3000/events" } },
 *     });
 *
 * Rejects with a HeadgateError whose `code` says what is wrong: `HG_CONFIG_INVALID`, with all
 * mistakes in its `problems`; `HG_LISTEN_FAILED`; and whatever else keeps it from starting.
 * The workers end by themselves when this process dies.
 */
export async function createGateway(
  configuration: string | ConfigurationInput,
  options: GatewayOptions = {},
): Promise<RunningGateway> {
  const supervisor = new Supervisor({
    configuration:
      typeof configuration === "string"
        ? await loadConfiguration(configuration)
        : configurationOf(configuration),
    log: options.log ?? silentLog,
    logLevel: options.logLevel ?? "info",
  });
  await supervisor.start();
  return {
    get addresses() {
      return supervisor.addresses;
    },
    get admin() {
      return supervisor.adminAddress;
    },
    status: () => supervisor.status(),
    stop: () => supervisor.stop(),
  };
}
