/**
 * `headgate init`: writes a commented configuration that runs as it stands, with an echo hub,
 * and shows what a real service needs. It never overwrites a file.
 */
import { writeFile } from "node:fs/promises";
import { HeadgateError } from "../core/error.ts";
import type { Streams } from "./check.ts";

export interface InitOptions {
  /** The file to write. */
  config: string;
}

const TEMPLATE = `# Headgate's configuration. "headgate check" tells every mistake in it at once;
# docs/configuration.md describes every key. \${NAME} in a value is filled in from the environment,
# \${file:path} from a file.

# What services see as our origin. Default: the host's name.
# name: gateway.example

# Where clients connect.
listen:
  - address: 0.0.0.0:8000

hubs:
  # A hub is a set of paths and the service behind them. This one sends every message back.
  echo:
    paths: [/echo]
    service: "echo:"

  # One with a service of yours: it gets each event as an HTTP request (CloudEvents).
  # chat:
  #   paths: [/chat, /chat/:room]       # default: /client/hubs/chat
  #   service: http://127.0.0.1:3000/events
  #   auth:
  #     connect: true                   # ask the service before a client is let in
  #   origins: [https://app.example]    # default: web pages of the same host name
  #   signingKeys: [ \${HEADGATE_SIGNING_KEY} ]
  #   slowConsumer: keep                # or drop-newest, drop-oldest
  #   limits:
  #     messageBytesMax: 131072

# The REST API by which services push, with health and metrics. Any address but a loopback one
# needs a key.
admin:
  address: 127.0.0.1:8001
  # keys: [ \${HEADGATE_KEY} ]

# Worker processes; auto: one for each core.
workers: 1

# Bounds of the gateway; these are a few of them, with their defaults.
# limits:
#   messageBytesMax: 131072             # of one message
#   writeQueueHardBytes: 1048576        # waiting for one client, before it is closed
#   pingIntervalMs: 25000
#   idleTimeoutMs: 75000
`;

/** The exit code, 0. Throws a HeadgateError (HG_FILE_EXISTS, HG_FILE_UNWRITABLE). */
export async function init(options: InitOptions, streams: Streams): Promise<number> {
  const path = options.config;
  try {
    await writeFile(path, TEMPLATE, { flag: "wx" });
  } catch (error) {
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    throw isThere
      ? new HeadgateError(
          "HG_FILE_EXISTS",
          `${path} is there already; remove it, or name another with --config`,
          { cause: error },
        )
      : new HeadgateError(
          "HG_FILE_UNWRITABLE",
          `cannot write ${path} (${(error as Error).message}); name another with --config`,
          { cause: error },
        );
  }
  const option = path === "headgate.yaml" ? "" : ` --config ${path}`;
  streams.stdout.write(`wrote ${path}; run "headgate start${option}"\n`);
  return 0;
}
