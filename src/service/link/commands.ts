/**
 * The COMMANDs of one link that wait for their RESULT, within a bound and a time. It writes no
 * frame.
 */
import { HeadgateError } from "../../core/error.ts";
import { RESULT_DONE, type Result } from "../../link/frame.ts";

export interface LinkResult {
  readonly matched: number;
  readonly dropped: number;
}

interface Pending {
  resolve(result: LinkResult): void;
  reject(error: HeadgateError): void;
  readonly timer: NodeJS.Timeout;
}

const REQUEST_MAX = 0xffffffff;

export class Commands {
  readonly #pending = new Map<number, Pending>();
  readonly #callsMax: number;
  readonly #callTimeoutMs: number;
  #last = 0;

  constructor(limits: { callsMax: number; callTimeoutMs: number }) {
    this.#callsMax = limits.callsMax;
    this.#callTimeoutMs = limits.callTimeoutMs;
  }

  get size(): number {
    return this.#pending.size;
  }

  get isFull(): boolean {
    return this.#pending.size >= this.#callsMax;
  }

  /** `send` writes the frame with this request's number. */
  ask(send: (request: number) => void): Promise<LinkResult> {
    // 0 asks for no RESULT.
    do this.#last = this.#last === REQUEST_MAX ? 1 : this.#last + 1;
    while (this.#pending.has(this.#last));
    const request = this.#last;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(request);
        const message = `No RESULT came within ${this.#callTimeoutMs} ms; it may have been done.`;
        reject(new HeadgateError("HG_PUSH_UNANSWERED", message));
      }, this.#callTimeoutMs);
      this.#pending.set(request, { resolve, reject, timer });
      send(request);
    });
  }

  /** One that nobody waits for any more is passed over. */
  settle({ dropped, error, matched, request, status }: Result): void {
    const pending = this.#pending.get(request);
    if (pending === undefined) return;
    this.#pending.delete(request);
    clearTimeout(pending.timer);
    if (status === RESULT_DONE) pending.resolve({ matched, dropped });
    else
      pending.reject(new HeadgateError("HG_PUSH_REFUSED", `The gateway did not do it: ${error}`));
  }

  /** The link is gone. */
  fail(): void {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      const message = "The link broke before a RESULT came; it may have been done.";
      reject(new HeadgateError("HG_PUSH_UNANSWERED", message));
    }
    this.#pending.clear();
  }
}
