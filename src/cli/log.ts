/**
 * The log of a running gateway, on stderr: for people on a terminal, JSON lines otherwise. Only
 * the supervisor has one; workers send it their records.
 */
import { isatty } from "node:tty";
import { type DestinationStream, destination, pino, stdSerializers, stdTimeFunctions } from "pino";
import type { LogLevel } from "../bus/worker-messages.ts";
import type { Log } from "../core/log.ts";

const STDERR = 2;

export async function createLog(level: LogLevel): Promise<Log> {
  const stream = isatty(STDERR) ? await openPretty() : destination({ dest: STDERR, sync: true });
  return createLogOn(level, stream);
}

export function createLogOn(level: LogLevel, stream: DestinationStream): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: stdSerializers.err, err: stdSerializers.err },
    },
    stream,
  );
}

async function openPretty(): Promise<DestinationStream> {
  const { default: pretty } = await import("pino-pretty");
  // Synchronous, so that the last line before an end is not lost.
  return pretty({
    destination: STDERR,
    sync: true,
    translateTime: "SYS:HH:MM:ss.l",
    singleLine: true,
    errorLikeObjectKeys: ["error", "err"],
  });
}
