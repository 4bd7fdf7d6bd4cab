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
  return createLogOn(level, isatty(STDERR) ? await openPretty() : openDescriptor(STDERR));
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

/**
 * Synchronous, so that the last line before an end is not lost. A line that cannot be written, to
 * a full disk for one, is lost: it must not end the gateway, and there is nobody to tell.
 */
export function openDescriptor(dest: number): DestinationStream {
  let stream = open();
  return { write: (line) => void stream.write(line) };

  function open() {
    const opened = destination({ dest, sync: true });
    // One that failed would keep all lines from then on until they can be written.
    opened.on("error", () => {
      stream = open();
    });
    return opened;
  }
}

async function openPretty(): Promise<DestinationStream> {
  const { default: pretty } = await import("pino-pretty");
  return pretty({
    destination: STDERR,
    sync: true,
    translateTime: "SYS:HH:MM:ss.l",
    singleLine: true,
    errorLikeObjectKeys: ["error", "err"],
  });
}
