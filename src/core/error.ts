/**
 * The world failed: a port in use, a service that is down, a configuration that does not hold.
 * A bug is an assertion and a peer's fault is a returned Violation; neither is one of these.
 */
export class HeadgateError extends Error {
  /** Stable, for programs: `HG_` and the words of what went wrong. */
  readonly code: `HG_${string}`;

  /** `message` says what happened, where, and what to do. */
  constructor(code: `HG_${string}`, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "HeadgateError";
    this.code = code;
  }
}
