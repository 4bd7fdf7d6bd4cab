/**
 * What a measurement found, as a page for people or as JSON, and whether it is one to rely on.
 */
import type { LatencySummary } from "../bench/latency-histogram.ts";
import type { Measurement } from "../bench/measurement.ts";
import { formatAddress } from "../core/address.ts";
import { adviceFor } from "./bench-advice.ts";

const NAME_WIDTH = 13;
/** Above it the generator may be what limits the rate. */
const BUSY_SHARE = 0.9;
/** Less of the rate that was asked for is worth a word, where this many were due at least. */
const KEPT_SHARE = 0.95;
const KEPT_COUNT_MIN = 20;
/** Sent later than this, in the worst hundredth, the latencies are the generator's. */
const LATE_MS = 1;

export function hasErrors(measurement: Measurement): boolean {
  const { options, total, isInterrupted } = measurement;
  const measured = options.mode === "hold" ? total.opened : total.messages;
  const isShort = total.unsent > 0 && !isInterrupted;
  return measured === 0 || isShort || Object.keys(total.errors).length > 0;
}

/** What keeps the figures from being those that were asked for; nothing for a whole run. */
function shortcomings({ options, total, isInterrupted }: Measurement): string[] {
  const { failed, lost, unsent } = total;
  const asked = options.mode === "connect" ? total.opened + failed : options.connections;
  const found: string[] = [];
  if (isInterrupted) found.push("it was interrupted");
  if (failed > 0) found.push(`${count(failed)} of ${count(asked)} connections were not opened`);
  if (lost > 0) found.push(`${count(lost)} connections were lost on the way`);
  if (unsent > 0) found.push(`${count(unsent)} that were due were never sent`);
  if (found.length === 0 && Object.keys(total.errors).length > 0) found.push("there were errors");
  return found;
}

export function benchJson(measurement: Measurement): object {
  const { options, total, openingSeconds, pushes, serverCpu, isInterrupted } = measurement;
  const { target, connections, payloadBytes, pipeline, ratePerSecond, processes } = options;
  const { opened, failed, lost, messages, sentBytes, receivedBytes } = total;
  const { pings, pinged, unsent } = total;
  return {
    mode: options.mode,
    url: `ws://${target.host}${target.path}`,
    asked: {
      ...{ connections, payloadBytes, pipeline, ratePerSecond: ratePerSecond ?? null, processes },
      text: options.text,
      durationSeconds: options.durationMs / 1000,
      warmupSeconds: options.warmupMs / 1000,
    },
    isInterrupted,
    isWhole: shortcomings(measurement).length === 0 && !hasErrors(measurement),
    connections: { opened, failed, lost, openingSeconds: round(openingSeconds) },
    handshakeMs: roundAll(total.handshakes.summary()),
    seconds: round(total.seconds),
    messages,
    messagesPerSecond: round(total.messagesPerSecond),
    ...{ sentBytes, receivedBytes, pings, pinged, unsent },
    latencyMs: roundAll(total.latency.summary()),
    latenessMs: roundAll(total.lateness.summary()),
    pushes:
      pushes === undefined
        ? null
        : { ...pushes, refusal: pushes.refusal ?? null, span: roundAll(pushes.span) },
    generator: { processes, cpuShare: round(cpuShare(measurement)) },
    server:
      serverCpu === undefined
        ? null
        : {
            userSeconds: round(serverCpu.userSeconds),
            systemSeconds: round(serverCpu.systemSeconds),
            cpuUsPerMessage: round(cpuUs(serverCpu, messages)),
          },
    errors: total.errors,
  };
}

export function formatBench(measurement: Measurement): string {
  const missing = shortcomings(measurement);
  const { mode } = measurement.options;
  const isMeasured = mode === "hold" || measurement.total.messages > 0;
  const rest = isMeasured ? ": figures are of the rest" : "";
  const rows = [
    ["", describe(measurement)],
    ...(missing.length === 0 ? [] : [["not whole", `${missing.join("; ")}${rest}`]]),
    ...connectionRows(measurement),
    ...(isMeasured ? messageRows(measurement) : [["messages", "none: nothing was measured"]]),
    ...costRows(measurement),
    ["errors", formatErrors(measurement)],
    ...adviceFor(measurement).map((advice) => ["", `${"".padEnd(NAME_WIDTH)}${advice}`]),
    ...cautions(measurement).map((caution) => ["caution", caution]),
  ];
  return rows
    .map(
      ([name = "", text = ""]) => `${name === "" ? text : `${name.padEnd(NAME_WIDTH)}${text}`}\n`,
    )
    .join("");
}

function describe({ options, isInterrupted, total }: Measurement): string {
  const { mode, target, connections, payloadBytes, pipeline, ratePerSecond, text } = options;
  const kind = `${payloadBytes} B of ${text ? "text" : "binary"}`;
  const rate = ratePerSecond === undefined ? "" : ` at ${count(ratePerSecond)}/s`;
  const what = {
    echo: `${kind}, ${pipeline} in flight, ${rate === "" ? "closed loop" : `open loop${rate}`}`,
    hold: "open and silent",
    fanout: `${kind}, pushed ${rate === "" ? "one after the other" : `${rate.trim()}`}`,
    connect: `opened and closed${rate}, ${options.concurrency} at once`,
  }[mode];
  const who = mode === "connect" ? "" : `${count(connections)} connections, `;
  const time = `${total.seconds.toFixed(1)} s${isInterrupted ? ", interrupted" : ""}`;
  const { address, port, path } = target;
  return `${mode}: ${who}${what}, ${time}; ws://${formatAddress({ host: address, port })}${path}`;
}

function connectionRows({ options, total, openingSeconds }: Measurement): string[][] {
  const { opened, failed, lost } = total;
  const ends = `${count(failed)} failed, ${count(lost)} lost`;
  if (options.mode === "connect") return [["connections", `${count(opened)} opened, ${ends}`]];
  const rows = [
    ["connections", `${count(opened)} opened in ${openingSeconds.toFixed(1)} s, ${ends}`],
  ];
  if (opened > 0) rows.push(["handshakes", formatLatency(total.handshakes.summary())]);
  return rows;
}

function messageRows({ options, total, pushes }: Measurement): string[][] {
  const { messages, messagesPerSecond, seconds, unsent } = total;
  const rate = `${count(messages)}, ${count(messagesPerSecond)}/s`;
  const bytes = [total.sentBytes, total.receivedBytes].map((each) =>
    megabytes(perSecond(each, seconds)),
  );
  const left = unsent === 0 ? "" : `; ${count(unsent)} were due and never sent`;
  const latency = formatLatency(total.latency.summary());
  const traffic = ["bytes", `${bytes[0]} out, ${bytes[1]} in`];
  switch (options.mode) {
    case "hold":
      return [
        ["pings", `${count(total.pings)} answered, on ${count(total.pinged)} connections`],
        ...(messages > 0 ? [["messages", `${count(messages)} came unasked`]] : []),
      ];
    case "connect":
      return [
        ["handshakes", `${rate}${left}`],
        ["latency", latency],
      ];
    case "fanout":
      return [
        ["deliveries", rate],
        ["latency", latency],
        [
          "pushes",
          `${count(pushes?.made ?? 0)}, ${count(perSecond(pushes?.made ?? 0, seconds))}/s`,
        ],
        ["to the last", pushes === undefined ? "-" : formatLatency(pushes.span)],
        traffic,
      ];
    default:
      return [["messages", `${rate}${left}`], ["latency", latency], traffic];
  }
}

function costRows(measurement: Measurement): string[][] {
  const { options, total, serverCpu } = measurement;
  const share = `${Math.round(cpuShare(measurement) * 100)} % of a core each`;
  const rows = [["generator", `${plural(options.processes, "process", "processes")}, ${share}`]];
  if (serverCpu !== undefined) {
    const { userSeconds, systemSeconds } = serverCpu;
    const each = `${cpuUs(serverCpu, total.messages).toFixed(2)} µs for each`;
    const times = `${userSeconds.toFixed(2)} s user, ${systemSeconds.toFixed(2)} s system`;
    rows.push(["server", total.messages === 0 ? times : `${times}; ${each}`]);
  }
  return rows;
}

function formatErrors({ total }: Measurement): string {
  const errors = Object.entries(total.errors).sort(([, a], [, b]) => b - a);
  return errors.length === 0
    ? "none"
    : errors.map(([kind, times]) => `${kind} ${count(times)}`).join(", ");
}

function cautions(measurement: Measurement): string[] {
  const { options, total } = measurement;
  if (total.messages === 0) return [];
  const found: string[] = [];
  const isOpenLoop = options.ratePerSecond !== undefined;
  if (!isOpenLoop && cpuShare(measurement) > BUSY_SHARE) {
    found.push("the generator was busy all the time: the server may be able to do more");
  }
  const slow = slownessOf(measurement);
  if (slow !== undefined) found.push(slow);
  const lateMs = total.lateness.percentileMs(0.99);
  if (lateMs > LATE_MS) {
    const bound = options.mode === "connect" ? "--concurrency" : "--pipeline";
    found.push(
      `1 % of the messages were sent ${lateMs.toFixed(1)} ms late or more: the generator or ` +
        `${bound} held them back, and latency counts it`,
    );
  }
  return found;
}

/** Whether the rate that was asked for was kept, where that can be told. */
function slownessOf({ options, total, pushes, isInterrupted }: Measurement): string | undefined {
  const { mode, ratePerSecond, durationMs } = options;
  if (ratePerSecond === undefined || isInterrupted || mode === "hold") return undefined;
  if ((ratePerSecond * durationMs) / 1000 < KEPT_COUNT_MIN) return undefined;
  const perSecondKept =
    mode === "fanout" ? perSecond(pushes?.made ?? 0, total.seconds) : total.messagesPerSecond;
  if (perSecondKept >= KEPT_SHARE * ratePerSecond) return undefined;
  return (
    `${count(perSecondKept)}/s of the ${count(ratePerSecond)}/s that were asked for were kept: ` +
    "latency tells of the queue before the server, not of the server"
  );
}

function cpuShare({ options, total }: Measurement): number {
  return perSecond(total.cpuSeconds, total.seconds) / options.processes;
}

function cpuUs(cpu: { userSeconds: number; systemSeconds: number }, messages: number): number {
  return messages === 0 ? 0 : ((cpu.userSeconds + cpu.systemSeconds) * 1e6) / messages;
}

function formatLatency(summary: LatencySummary): string {
  if (summary.count === 0) return "-";
  const { p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = summary;
  const named = { p50: p50Ms, p90: p90Ms, p99: p99Ms, "p99.9": p999Ms, max: maxMs };
  return Object.entries(named)
    .map(([name, ms]) => `${name} ${milliseconds(ms)}`)
    .join("  ");
}

/** Three digits that count. */
function milliseconds(ms: number): string {
  return ms < 1 ? `${(ms * 1000).toPrecision(3)} µs` : `${Number(ms.toPrecision(4))} ms`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB/s`;
}

function count(value: number): string {
  return value < 100 ? String(Number(value.toFixed(1))) : Math.round(value).toLocaleString("en");
}

function plural(value: number, one: string, many: string): string {
  return `${value} ${value === 1 ? one : many}`;
}

function perSecond(value: number, seconds: number): number {
  return seconds === 0 ? 0 : value / seconds;
}

function round(value: number): number {
  return Number(value.toFixed(4));
}

function roundAll(summary: LatencySummary): LatencySummary {
  const entries = Object.entries(summary).map(([name, value]) => [name, round(value)]);
  return Object.fromEntries(entries) as LatencySummary;
}
