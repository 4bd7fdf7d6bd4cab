/**
 * The options of `headgate bench` for the parser, with their bounds. What they mean is read in
 * bench-options.ts, which loads more than `--help` should.
 */
import { type Command, Option } from "commander";
import { benchBounds, benchModes } from "../bench/options.ts";

function upTo(name: keyof typeof benchBounds): string {
  return `at most ${benchBounds[name].max.toLocaleString("en")}`;
}

/** Given more than once; one that takes many would take the URL behind it as well. */
function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

export function addBenchOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--mode <mode>",
        "echo: messages there and back; hold: connections that say nothing; " +
          "fanout: one message to all; connect: handshakes",
      )
        .choices(benchModes)
        .default("echo"),
    )
    .option("--connections <n>", `how many, ${upTo("connections")} (default: 100)`)
    .option("--duration <seconds>", `how long, ${upTo("duration")} (default: 10)`)
    .option("--warmup <seconds>", `before it, ${upTo("warmup")} (default: 1 in echo)`)
    .option("--rate <n>", "messages, pushes or handshakes a second (default: as they come back)")
    .option("--payload <bytes>", `of a message, ${upTo("payload")} (default: 125)`)
    .option("--pipeline <n>", `in flight on a connection, ${upTo("pipeline")} (default: 1)`)
    .option("--text", "send text; it is binary otherwise")
    .option("--ramp <n>", `connections opened a second, ${upTo("ramp")} (default: 5000)`)
    .option("--concurrency <n>", `handshakes at once, ${upTo("concurrency")} (default: 100)`)
    .option("--timeout <seconds>", `for an answer, ${upTo("timeout")} (default: 10)`)
    .option("--processes <n>", `that send, ${upTo("processes")} (default: as the limit needs)`)
    .option(
      "--source <address>",
      "connect from this one, too (default: 127.1.0.0/16 to loopback)",
      collect,
    )
    .option("--header <line>", 'one more field of the request, as "Name: value"', collect)
    .option("--server-pid <pid>", "a process of the server here, to tell its CPU time", collect)
    .option("--hub <name>", "in fanout: push by REST to this hub; else the first connection sends")
    .option("--group <name>", "in fanout: to this group of the hub")
    .option("--json", "as JSON");
}
