/**
 * A worker's log: its records go to the supervisor, which owns the one real logger, so that a
 * worker loads none. Records that the channel does not take in time are dropped and counted.
 */
import { type LogLevel, logLevels, type WorkerMessage } from "../bus/worker-messages.ts";
import type { Log } from "../core/log.ts";

/** Records that may be on their way at a time, so that a slow supervisor costs no memory. */
const UNWRITTEN_MAX = 1000;

type LogMessage = WorkerMessage & { type: "log" };

export type SendRecord = (message: LogMessage, written: () => void) => void;

export function createChannelLog(logLevel: LogLevel, send: SendRecord): Log {
  let unwritten = 0;
  let dropped = 0;
  const lowest = logLevels.indexOf(logLevel);

  const written = (): void => {
    unwritten--;
    if (dropped === 0 || unwritten >= UNWRITTEN_MAX / 2) return;
    const fields = { recordsDropped: dropped };
    const sentence = `${dropped} log records were dropped; the supervisor took them too slowly`;
    dropped = 0;
    write("warn", fields, sentence);
  };

  const write = (level: LogLevel, fields: object, sentence: string): void => {
    if (logLevels.indexOf(level) < lowest) return;
    if (unwritten >= UNWRITTEN_MAX) {
      dropped++;
      return;
    }
    unwritten++;
    send({ type: "log", level, fields: plainFields(fields), sentence }, written);
  };

  return {
    debug: (fields, sentence) => write("debug", fields, sentence),
    info: (fields, sentence) => write("info", fields, sentence),
    warn: (fields, sentence) => write("warn", fields, sentence),
    error: (fields, sentence) => write("error", fields, sentence),
  };
}

/** The channel would keep of an Error no more than its message and stack, and lose its code. */
function plainFields(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      value instanceof Error ? plainError(value) : value,
    ]),
  );
}

function plainError(error: Error & { code?: unknown }): object {
  const { name: type, code, message, stack, cause } = error;
  return {
    type,
    message,
    ...(code === undefined ? {} : { code }),
    ...(stack === undefined ? {} : { stack }),
    ...(cause instanceof Error ? { cause: plainError(cause) } : {}),
  };
}
