/**
 * Reads a configuration: from a file, from its text, from a plain value, or from the address of
 * one service. Either all of it holds, or a ConfigurationError tells every mistake at once.
 */
import { readFile } from "node:fs/promises";
import { availableParallelism, hostname, totalmem } from "node:os";
import { dirname, resolve } from "node:path";
import { HeadgateError } from "../core/error.ts";
import type { Configuration } from "./configuration.ts";
import { documentOf, readDocument } from "./document.ts";
import { ConfigurationError } from "./problem.ts";
import type { ConfigurationInput } from "./schema.ts";
import type { Environment } from "./substitution.ts";
import { type Machine, validate } from "./validation.ts";

/** `path` is also the name in messages. Variables come from the process unless given. */
export async function loadConfiguration(
  path: string,
  environment: Environment = process.env,
): Promise<Configuration> {
  return parseConfiguration(await readText(path), path, environment);
}

/** `${file:…}` is relative to the folder of `fileName`, which need not exist. */
export function parseConfiguration(
  text: string,
  fileName: string,
  environment: Environment,
): Configuration {
  const folder = dirname(resolve(fileName));
  return validate(readDocument(text, fileName, { environment, folder }), thisMachine());
}

/** For callers in code. Nothing is filled in: `${…}` stays as it is. */
export function configurationOf(input: ConfigurationInput): Configuration {
  return validate(documentOf(input), thisMachine());
}

/** One hub named "default" at `/`, as `headgate start --service URL [--listen ADDRESS]` runs. */
export function configurationForService(serviceUrl: string, listenAddress?: string): Configuration {
  try {
    return configurationOf({
      hubs: { default: { paths: ["/"], service: serviceUrl } },
      ...(listenAddress === undefined ? {} : { listen: [{ address: listenAddress }] }),
    });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new ConfigurationError(
      error.problems.map((problem) => ({ ...problem, path: optionOf(problem.path) })),
    );
  }
}

/** Memory that this process may use: the machine's, or less where a control group says so. */
export function memoryBytesOf(total: number, constrained: number): number {
  return constrained > 0 && constrained < total ? constrained : total;
}

function thisMachine(): Machine {
  return {
    hostName: hostname(),
    cores: availableParallelism(),
    memoryBytes: memoryBytesOf(totalmem(), process.constrainedMemory()),
  };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw isMissing
      ? new HeadgateError(
          "HG_CONFIG_NOT_FOUND",
          `there is no ${path}; write one with "headgate init", or name another with --config`,
          { cause: error },
        )
      : new HeadgateError(
          "HG_CONFIG_UNREADABLE",
          `cannot read ${path} (${(error as Error).message}); name another with --config`,
          { cause: error },
        );
  }
}

function optionOf(path: string): string {
  if (path.startsWith("hubs.default.service")) return "--service";
  // Without a file the admin address is the default, so a clash is the listener's to avoid.
  if (path.startsWith("listen") || path === "admin.address") return "--listen";
  return path;
}
