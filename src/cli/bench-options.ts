/**
 * The command line of `headgate bench` as options of a measurement: every number within its bound,
 * the target resolved, the number of processes chosen. It opens no connection.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { DESCRIPTORS_KEPT } from "../bench/generator.ts";
import {
  type BenchMode,
  type BenchOptions,
  benchBounds,
  FLIGHT_BYTES_MAX,
  PUSH_BYTES_MIN,
  type Target,
} from "../bench/options.ts";
import { HeadgateError } from "../core/error.ts";
import type { AdminOptions } from "./admin-client.ts";
import { usageError } from "./failure.ts";

type Numbers = { [Name in keyof typeof benchBounds]?: string };

/** As the parser has them. */
export interface BenchCommand extends Numbers, AdminOptions {
  mode: BenchMode;
  text?: true;
  source?: string[];
  header?: string[];
  serverPid?: string[];
  hub?: string;
  group?: string;
  json?: true;
}

/** What is measured when nothing is said: small, and over in seconds. */
const DEFAULTS: { [Name in keyof typeof benchBounds]?: number } = {
  connections: 100,
  payload: 125,
  pipeline: 1,
  duration: 10,
  ramp: 5000,
  concurrency: 100,
  timeout: 10,
  warmup: 1,
};

/** Options that mean something in some modes alone. */
const MODES: { [Name in keyof BenchCommand]?: readonly BenchMode[] } = {
  connections: ["echo", "hold", "fanout"],
  ramp: ["echo", "hold", "fanout"],
  rate: ["echo", "fanout", "connect"],
  payload: ["echo", "fanout"],
  text: ["echo", "fanout"],
  pipeline: ["echo"],
  warmup: ["echo"],
  hub: ["fanout"],
  group: ["fanout"],
};

export async function readBenchOptions(
  url: string,
  command: BenchCommand,
  descriptorLimit: number,
): Promise<BenchOptions> {
  const { mode } = command;
  for (const [name, modes] of Object.entries(MODES)) {
    if (command[name as keyof BenchCommand] === undefined || modes.includes(mode)) continue;
    throw usageError(
      `--${name} is for --mode ${modes.join(" or ")}, and means nothing in ${mode}.`,
    );
  }
  const connections = required(command, "connections");
  const payloadBytes = Math.max(
    required(command, "payload"),
    mode === "fanout" ? PUSH_BYTES_MIN : 0,
  );
  const pipeline = required(command, "pipeline");
  if (payloadBytes * pipeline > FLIGHT_BYTES_MAX) {
    throw usageError(`--payload times --pipeline is more than ${FLIGHT_BYTES_MAX} bytes.`);
  }
  const concurrency = required(command, "concurrency");
  const sockets = mode === "connect" ? concurrency : connections;
  return {
    ...{ mode, connections, payloadBytes, pipeline, concurrency },
    ratePerSecond: numberOf(command, "rate"),
    durationMs: required(command, "duration") * 1000,
    warmupMs: mode === "echo" ? required(command, "warmup") * 1000 : 0,
    rampPerSecond: required(command, "ramp"),
    timeoutMs: required(command, "timeout") * 1000,
    text: command.text === true,
    headers: (command.header ?? []).map(checkHeader),
    processes: processesFor(sockets, numberOf(command, "processes"), descriptorLimit),
    sources: command.source?.map(checkSource),
    sendsItself: mode === "fanout" && command.hub === undefined,
    target: await resolveTarget(url),
  };
}

export function readServerPids({ serverPid = [] }: BenchCommand): number[] {
  return serverPid.map((text) => {
    if (!/^[1-9]\d{0,8}$/.test(text)) throw usageError(`--server-pid ${text} is no process id.`);
    return Number(text);
  });
}

function required(command: BenchCommand, name: keyof typeof benchBounds): number {
  return numberOf(command, name) ?? (DEFAULTS[name] as number);
}

function numberOf(command: BenchCommand, name: keyof typeof benchBounds): number | undefined {
  const text = command[name];
  if (text === undefined) return undefined;
  const { min, max } = benchBounds[name];
  const isFractional = ["rate", "duration", "warmup", "timeout"].includes(name);
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max) || (!isFractional && !Number.isInteger(value))) {
    const kind = isFractional ? "a number" : "a whole number";
    throw usageError(`--${name} ${text} is not ${kind} from ${min} to ${max}.`);
  }
  return value;
}

/** As few as the limit of open files allows, and no more than there are connections. */
function processesFor(sockets: number, asked: number | undefined, descriptorLimit: number): number {
  const each = descriptorLimit - DESCRIPTORS_KEPT - 1;
  if (each < 1) {
    throw usageError(
      `The limit of open files is ${descriptorLimit}, and each process needs ` +
        `${DESCRIPTORS_KEPT + 2} at the least; raise it (ulimit -n).`,
    );
  }
  const needed = Math.ceil(sockets / each);
  const { max } = benchBounds.processes;
  if (needed > max) {
    throw usageError(
      `${sockets} connections need ${needed} processes, and ${max} are the most; ` +
        "raise the limit of open files (ulimit -n).",
    );
  }
  return Math.min(sockets, Math.max(asked ?? needed, needed));
}

function checkHeader(header: string): string {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e]*$/.test(header)) {
    throw usageError(`--header ${JSON.stringify(header)} is not "Name: value" in ASCII.`);
  }
  return header;
}

function checkSource(address: string): string {
  if (isIP(address) === 0) throw usageError(`--source ${address} is no IP address.`);
  return address;
}

async function resolveTarget(text: string): Promise<Target> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "wss:") {
    throw usageError("wss: is not measured: point it at the listener behind the TLS.");
  }
  if (url?.protocol !== "ws:" || url.hash !== "" || url.username !== "") {
    throw usageError(`${text} is no URL such as ws://127.0.0.1:8000/path.`);
  }
  const name = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return {
    address: await resolveHost(name),
    port: url.port === "" ? 80 : Number(url.port),
    host: url.host,
    path: `${url.pathname}${url.search}`,
  };
}

/** IPv4 first: it is what most gateways listen on, and has more source addresses. */
async function resolveHost(name: string): Promise<string> {
  try {
    const addresses = await lookup(name, { all: true });
    const best = addresses.find(({ family }) => family === 4) ?? addresses[0];
    if (best !== undefined) return best.address;
    throw new Error("it has no address");
  } catch (cause) {
    throw new HeadgateError(
      "HG_BENCH_HOST",
      `The host ${name} cannot be found (${(cause as Error).message}); check the URL.`,
      { cause },
    );
  }
}
