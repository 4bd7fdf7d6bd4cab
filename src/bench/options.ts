/**
 * What one measurement is asked for, and the hard caps that keep every measurement bounded. The
 * command line makes these options; nothing here reads it.
 */

export const benchModes = ["echo", "hold", "fanout", "connect"] as const;
export type BenchMode = (typeof benchModes)[number];

interface Bound {
  min: number;
  max: number;
}

/** Of each number that a user may give, in the unit that it is given in. */
export const benchBounds = {
  connections: { min: 1, max: 1_000_000 },
  rate: { min: 0.1, max: 10_000_000 },
  payload: { min: 0, max: 16 << 20 },
  pipeline: { min: 1, max: 1024 },
  duration: { min: 0.1, max: 3600 },
  warmup: { min: 0, max: 60 },
  ramp: { min: 1, max: 100_000 },
  concurrency: { min: 1, max: 10_000 },
  processes: { min: 1, max: 64 },
  timeout: { min: 0.5, max: 60 },
} as const satisfies Record<string, Bound>;

/** Of all messages that are in flight on one connection together. */
export const FLIGHT_BYTES_MAX = 16 << 20;
/** Room for the number and the time of a push in front of its payload. */
export const PUSH_BYTES_MIN = 32;

/** Where to, resolved. */
export interface Target {
  /** An IPv4 or IPv6 address. */
  address: string;
  port: number;
  /** As the Host header has it. */
  host: string;
  /** With its query. */
  path: string;
}

export interface BenchOptions {
  mode: BenchMode;
  target: Target;
  /** Of all processes. */
  connections: number;
  payloadBytes: number;
  pipeline: number;
  /** Messages, pushes or handshakes a second of all processes; undefined: as they come back. */
  ratePerSecond: number | undefined;
  durationMs: number;
  /** Not measured, in front of `durationMs`. */
  warmupMs: number;
  rampPerSecond: number;
  /** Handshakes under way at the same time, of all processes. */
  concurrency: number;
  /** For a handshake, an answer, or a delivery. */
  timeoutMs: number;
  text: boolean;
  /** Further fields of the request, each as `Name: value`. */
  headers: string[];
  processes: number;
  /** Undefined: many of 127.0.0.0/8 when the target is there, else the kernel's choice. */
  sources: string[] | undefined;
  /** In fanout: the first connection sends, and the service spreads what it sends. */
  sendsItself: boolean;
}

/** One process' part of it. */
export interface GeneratorOptions extends Omit<BenchOptions, "sources" | "processes"> {
  /** Its addresses, used in turn; one empty one for the kernel's choice. */
  sources: string[];
  index: number;
  processes: number;
}

/** Source addresses of one process, of the loopback network; each has some 28,000 ports. */
const LOOPBACK_SOURCES = 16;

/** The part of process `index`: what cannot be divided evenly goes to the first ones. */
export function shareOf(options: BenchOptions, index: number): GeneratorOptions {
  const { processes } = options;
  const part = (whole: number) => Math.floor(whole / processes) + Number(index < whole % processes);
  return {
    ...options,
    index,
    // The sender is no receiver, and comes on top.
    connections: part(options.connections) + Number(options.sendsItself && index === 0),
    concurrency: Math.max(1, part(options.concurrency)),
    rampPerSecond: options.rampPerSecond / processes,
    ratePerSecond:
      options.ratePerSecond === undefined ? undefined : options.ratePerSecond / processes,
    sources: options.sources ?? sourcesFor(options.target.address, index),
    sendsItself: options.sendsItself && index === 0,
  };
}

function sourcesFor(address: string, index: number): string[] {
  if (!address.startsWith("127.")) return [""];
  return Array.from({ length: LOOPBACK_SOURCES }, (_, at) => `127.1.${index}.${at + 1}`);
}
