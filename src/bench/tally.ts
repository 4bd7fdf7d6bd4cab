/**
 * What one process saw: counts, durations, and errors by their kind. Tallies of several processes
 * add up exactly; what they mean is the report's.
 */
import { getSystemErrorName } from "node:util";
import { type LatencyCounts, LatencyHistogram } from "./latency-histogram.ts";

/** What may be read while the measurement runs. */
export interface Progress {
  opened: number;
  /** Handshakes that came to nothing. */
  failed: number;
  /** Connections that ended before they were told to. */
  lost: number;
  messages: number;
}

export interface TallyCounts extends Progress {
  sentBytes: number;
  receivedBytes: number;
  pings: number;
  /** Connections that were pinged at least once. */
  pinged: number;
  /** Messages that were due, and never sent. */
  unsent: number;
  errors: Record<string, number>;
  /** From the (intended) sending to the answer, or to the delivery. */
  latency: LatencyCounts;
  /** From the dialling to the 101. */
  handshakes: LatencyCounts;
  /** From the intended time of sending to the sending: how late the generator itself was. */
  lateness: LatencyCounts;
  /** Of those that came while messages were still sent: a rate that waiting does not lower. */
  messagesPerSecond: number;
  /** Of the measurement alone, the wait for the last answers included. */
  seconds: number;
  /** Of this process, in these seconds. */
  cpuSeconds: number;
}

const RESET = ["ECONNRESET", "EPIPE", "ECONNABORTED"];

/** The name under which a failed system call is counted. */
export function errorKind(errno: number): string {
  const name = getSystemErrorName(-errno);
  if (name === "ECONNREFUSED") return "refused";
  if (name === "ETIMEDOUT") return "timeout";
  return RESET.includes(name) ? "reset" : name;
}

export class Tally {
  opened = 0;
  failed = 0;
  lost = 0;
  messages = 0;
  sentBytes = 0;
  receivedBytes = 0;
  pings = 0;
  pinged = 0;
  unsent = 0;
  readonly latency = new LatencyHistogram();
  readonly handshakes = new LatencyHistogram();
  readonly lateness = new LatencyHistogram();
  readonly #errors = new Map<string, number>();
  #startedAtMs = performance.now();
  #endedAtMs: number | undefined;
  #messagesPerSecond: number | undefined;
  #cpuAtStart = process.cpuUsage();
  #cpuSeconds = 0;

  error(kind: string, times = 1): void {
    this.#errors.set(kind, (this.#errors.get(kind) ?? 0) + times);
  }

  /** The measurement begins. */
  begin(): void {
    this.#startedAtMs = performance.now();
    this.#cpuAtStart = process.cpuUsage();
  }

  /** It begins behind a warm-up, of which only errors are kept. */
  beginAnew(): void {
    this.messages = 0;
    this.sentBytes = 0;
    this.receivedBytes = 0;
    this.unsent = 0;
    this.latency.clear();
    this.lateness.clear();
    this.begin();
  }

  /** Nothing more is sent from now on. */
  endSending(): void {
    const seconds = (performance.now() - this.#startedAtMs) / 1000;
    this.#messagesPerSecond ??= seconds > 0 ? this.messages / seconds : 0;
  }

  end(): void {
    if (this.#endedAtMs !== undefined) return;
    this.endSending();
    this.#endedAtMs = performance.now();
    const { user, system } = process.cpuUsage(this.#cpuAtStart);
    this.#cpuSeconds = (user + system) / 1e6;
  }

  progress(): Progress {
    const { opened, failed, lost, messages } = this;
    return { opened, failed, lost, messages };
  }

  counts(): TallyCounts {
    const { sentBytes, receivedBytes, pings, pinged, unsent } = this;
    return {
      ...this.progress(),
      ...{ sentBytes, receivedBytes, pings, pinged, unsent },
      errors: Object.fromEntries(this.#errors),
      latency: this.latency.counts(),
      handshakes: this.handshakes.counts(),
      lateness: this.lateness.counts(),
      messagesPerSecond: this.#messagesPerSecond ?? 0,
      seconds: ((this.#endedAtMs ?? performance.now()) - this.#startedAtMs) / 1000,
      cpuSeconds: this.#cpuSeconds,
    };
  }
}

/** Of all processes together; they measured at the same time, so the longest time is the time. */
export interface Total extends Omit<TallyCounts, "latency" | "handshakes" | "lateness"> {
  latency: LatencyHistogram;
  handshakes: LatencyHistogram;
  lateness: LatencyHistogram;
}

export function addTallies(all: TallyCounts[]): Total {
  const sum = (field: (counts: TallyCounts) => number) =>
    all.reduce((total, counts) => total + field(counts), 0);
  const errors: Record<string, number> = {};
  for (const counts of all) {
    for (const [kind, times] of Object.entries(counts.errors)) {
      errors[kind] = (errors[kind] ?? 0) + times;
    }
  }
  return {
    opened: sum(({ opened }) => opened),
    failed: sum(({ failed }) => failed),
    lost: sum(({ lost }) => lost),
    messages: sum(({ messages }) => messages),
    sentBytes: sum(({ sentBytes }) => sentBytes),
    receivedBytes: sum(({ receivedBytes }) => receivedBytes),
    pings: sum(({ pings }) => pings),
    pinged: sum(({ pinged }) => pinged),
    unsent: sum(({ unsent }) => unsent),
    errors,
    latency: together(all.map(({ latency }) => latency)),
    handshakes: together(all.map(({ handshakes }) => handshakes)),
    lateness: together(all.map(({ lateness }) => lateness)),
    messagesPerSecond: sum(({ messagesPerSecond }) => messagesPerSecond),
    seconds: Math.max(0, ...all.map(({ seconds }) => seconds)),
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
  };
}

function together(counts: LatencyCounts[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const each of counts) histogram.add(each);
  return histogram;
}
