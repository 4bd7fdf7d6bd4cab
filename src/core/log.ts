/**
 * What every layer may log to. The process that wires the layers supplies the real logger, so
 * that no layer below it loads a logging library or writes to a stream.
 */
export interface Log {
  debug(fields: object, sentence: string): void;
  info(fields: object, sentence: string): void;
  warn(fields: object, sentence: string): void;
  error(fields: object, sentence: string): void;
}

/** For tests and for parts that run without a log. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
