/**
 * The worker's end of the IPC channel to the supervisor, which may be gone: what is sent then is
 * dropped, because nobody is left to want it.
 */
import type { WorkerMessage } from "../bus/worker-messages.ts";

/** Of Node's `process`, what a channel needs. */
export interface IpcProcess {
  connected: boolean;
  send?(message: unknown, handle: undefined, options: undefined, written: () => void): boolean;
  disconnect?(): void;
}

export class Channel {
  readonly #process: IpcProcess;
  #unwritten = 0;
  #whenWritten: (() => void) | undefined;

  constructor(process: IpcProcess) {
    this.#process = process;
  }

  /** `written` is called when the message has left this process, or never can. */
  send(message: WorkerMessage, written?: () => void): void {
    if (!this.#process.connected) {
      written?.();
      return;
    }
    this.#unwritten++;
    this.#process.send?.(message, undefined, undefined, () => {
      this.#unwritten--;
      if (this.#unwritten === 0) this.#whenWritten?.();
      written?.();
    });
  }

  /** Closes it behind everything that was sent; from then on it holds no process alive. */
  async close(): Promise<void> {
    if (this.#unwritten > 0) {
      await new Promise<void>((resolve) => {
        this.#whenWritten = resolve;
      });
    }
    if (this.#process.connected) this.#process.disconnect?.();
  }
}
