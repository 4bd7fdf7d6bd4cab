/**
 * How long the supervisor waits for what, in one place, so that tests can wait for less.
 */
export interface SupervisorTiming {
  /** From a worker's start until it says that it is ready; then it is killed and tried again. */
  readyTimeoutMs: number;
  /** Before the first restart of a worker; doubles with each one up to the maximum. */
  restartDelayMs: number;
  restartDelayMsMax: number;
  /** A worker that lived this long is healthy: its next restart waits the shortest time again. */
  steadyAfterMs: number;
  /** From `stop` until what is left is killed; everything is over within 10 s. */
  stopTimeoutMs: number;
  /** For callers of the admin API that are still being answered after that. */
  adminCloseTimeoutMs: number;
  /** Between two lines that tell the total of connections. */
  totalIntervalMs: number;
}

export const defaultTiming: SupervisorTiming = {
  readyTimeoutMs: 15_000,
  restartDelayMs: 100,
  restartDelayMsMax: 10_000,
  steadyAfterMs: 60_000,
  stopTimeoutMs: 9_000,
  adminCloseTimeoutMs: 500,
  totalIntervalMs: 60_000,
};
