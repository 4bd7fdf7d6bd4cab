/**
 * The command line: which commands and options there are. Each action imports its part when it
 * runs, so that `headgate --help` loads nothing but the parser.
 */
import type { Readable, Writable } from "node:stream";
import { Command, CommanderError, Option } from "commander";
import { logLevels } from "../bus/worker-messages.ts";
import { HeadgateError } from "../core/error.ts";
import { packageVersion } from "../supervisor/version.ts";
import { addBenchOptions } from "./bench-command.ts";
import type { BenchCommand } from "./bench-options.ts";
import type { CheckOptions } from "./check.ts";
import { DEFAULT_CONFIG } from "./default-config.ts";
import { EXIT_DONE, EXIT_USAGE, exitCodeOf, formatFailure } from "./failure.ts";
import type { InitOptions } from "./init.ts";
import type { SendOptions } from "./send.ts";
import type { StartOptions } from "./start.ts";
import type { StatusOptions } from "./status.ts";

/** Of `process`, what a command reads and writes. */
export interface ProgramStreams {
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable;
  stderr: Writable;
  env: Record<string, string | undefined>;
}

/** What an action gets besides its options. */
interface Running {
  streams: ProgramStreams;
  exitCode: number;
}

/** Resolves with the exit code. Rejects for a bug: Node then shows its stack and ends with 1. */
export async function runProgram(argv: string[], streams: ProgramStreams): Promise<number> {
  const running: Running = { streams, exitCode: EXIT_DONE };
  try {
    await createProgram(running).parseAsync(argv);
    return running.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return exitCodeOfParser(error);
    if (!(error instanceof HeadgateError)) throw error;
    streams.stderr.write(formatFailure(error));
    return exitCodeOf(error);
  }
}

/** The parser has said on its own what there was to say. */
function exitCodeOfParser({ exitCode }: CommanderError): number {
  return exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
}

function createProgram(running: Running): Command {
  const program = new Command("headgate")
    .description("A WebSocket gateway for microservices that drives epoll itself.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => running.streams.stdout.write(text),
      writeErr: (text) => running.streams.stderr.write(text),
      outputError: (text, write) => write(formatUsage(text)),
    });
  addRunning(program, running);
  addFiles(program, running);
  addActing(program, running);
  addBench(program, running);
  return program;
}

function addRunning(program: Command, running: Running): void {
  program
    .command("start")
    .description("run the gateway, until SIGTERM or SIGINT")
    .option("-c, --config <file>", `the configuration (default: ${DEFAULT_CONFIG})`)
    .option("--service <url>", 'run without a file: one hub "default" at path / for this service')
    .option("--listen <address>", "with --service, where clients connect (default: 0.0.0.0:8000)")
    .addOption(
      new Option("--log-level <level>", "the least that is logged")
        .choices(logLevels)
        .default("info"),
    )
    .action(async (options: StartOptions) => {
      const { start } = await import("./start.ts");
      running.exitCode = await start(options);
    });
}

function addFiles(program: Command, running: Running): void {
  program
    .command("check")
    .description("show every mistake in the configuration, with line and column")
    .option("-c, --config <file>", "the configuration", DEFAULT_CONFIG)
    .option("--schema", "print the JSON Schema for editors instead")
    .action(async (options: CheckOptions) => {
      const { check } = await import("./check.ts");
      running.exitCode = await check(options, running.streams);
    });
  program
    .command("init")
    .description(`write a commented ${DEFAULT_CONFIG}`)
    .option("-c, --config <file>", "the file to write", DEFAULT_CONFIG)
    .action(async (options: InitOptions) => {
      const { init } = await import("./init.ts");
      running.exitCode = await init(options, running.streams);
    });
}

function addActing(program: Command, running: Running): void {
  const send = program
    .command("send")
    .description("push what stands on stdin, as one message, to connected clients")
    .requiredOption("--hub <name>", "the hub")
    .option("--connection <id>", "to one connection")
    .option("--user <name>", "to every connection of a user")
    .option("--group <name>", "to every connection in a group")
    .option("--all", "to every connection of the hub")
    .option("--binary", "as a binary message; it is text otherwise");
  addAdminOptions(send).action(async (options: SendOptions) => {
    const { send } = await import("./send.ts");
    running.exitCode = await send(options, running.streams.env.HEADGATE_KEY, running.streams);
  });
  const status = program
    .command("status")
    .description("show the running gateway, its workers and its hubs")
    .option("--json", "as JSON");
  addAdminOptions(status).action(async (options: StatusOptions) => {
    const { status } = await import("./status.ts");
    const { env, stdout } = running.streams;
    running.exitCode = await status(options, env.HEADGATE_KEY, stdout);
  });
}

function addBench(program: Command, running: Running): void {
  const bench = program
    .command("bench")
    .description("measure a WebSocket server: echo, idle connections, fan-out, handshakes")
    .argument("<url>", "such as ws://127.0.0.1:8000/path");
  addAdminOptions(addBenchOptions(bench)).action(async (url: string, options: BenchCommand) => {
    const { bench } = await import("./bench.ts");
    running.exitCode = await bench(url, options, running.streams);
  });
}

function addAdminOptions(command: Command): Command {
  return command
    .option("--admin <url>", "the admin listener (default: the configured one)")
    .option("--key <key>", "its key (default: HEADGATE_KEY, or the configured one)")
    .option(
      "-c, --config <file>",
      `the configuration (default: ${DEFAULT_CONFIG}, if there is one)`,
    );
}

/** The parser's own sentence in the form of all our errors. */
function formatUsage(text: string): string {
  const sentence = text
    .replace(/^error: /, "")
    .trim()
    .replace(/\s*\n\s*/g, " ")
    .replace(/\.$/, "");
  return `HG_USAGE: ${sentence}; see headgate --help.\n`;
}
