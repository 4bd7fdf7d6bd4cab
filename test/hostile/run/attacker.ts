/**
 * Carries out one attack over one socket and says how the gateway answered. It waits for nothing
 * longer than its patience; what it never reads is thrown away with the socket.
 */
import { connect, type Socket } from "node:net";
import { setImmediate as nextIteration } from "node:timers/promises";
import { decodeServerFrames } from "../../support/raw-client.ts";
import type { Attack } from "./mutations.ts";

const CONNECT_TIMEOUT_MS = 20_000;
const PAUSE_MS = 3;
const ANSWER_BYTES_MAX = 4_000_000;
/** Of the client's own, so that its ports do not run out: closed ones rest for a minute. */
const ADDRESSES = 100;

export interface Outcome {
  /** What the gateway said last: a status, a close code, or nothing. */
  verdict: string;
  connected: boolean;
}

export async function attack(
  port: number,
  index: number,
  { writes, pauses, ending }: Attack,
  patienceMs: number,
): Promise<Outcome> {
  const localAddress = `127.0.1.${1 + (index % ADDRESSES)}`;
  const socket = connect({ port, host: "127.0.0.1", localAddress, allowHalfOpen: true });
  const wire = new Wire(socket);
  await wire.until(() => wire.isConnected, CONNECT_TIMEOUT_MS);
  if (!wire.isConnected) {
    socket.destroy();
    return { verdict: "no connection", connected: false };
  }
  if (ending === "deaf") socket.pause();
  for (const write of writes) {
    if (wire.isOver || socket.destroyed) break;
    socket.write(write);
    if (pauses) await wire.moment(PAUSE_MS);
    else await nextIteration();
  }
  if (ending === "half-close") socket.end();
  if (ending !== "reset") await wire.until(() => wire.isOver, patienceMs);
  const verdict = wire.verdict();
  if (!socket.destroyed) socket.resetAndDestroy();
  return { verdict, connected: true };
}

class Wire {
  isConnected = false;
  /** The gateway ended the stream, or the socket is gone. */
  isOver = false;
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #error = "";
  #changed = () => {};

  constructor(socket: Socket) {
    socket.on("connect", () => {
      this.isConnected = true;
      this.#changed();
    });
    socket.on("data", (chunk) => {
      this.#length += chunk.length;
      if (this.#length <= ANSWER_BYTES_MAX) this.#chunks.push(chunk);
      this.#changed();
    });
    socket.on("end", () => this.#over());
    socket.on("close", () => this.#over());
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#error = error.code ?? error.message;
    });
  }

  /** Until it is so, or the time is over. */
  until(condition: () => boolean, timeoutMs: number): Promise<void> {
    if (condition() || this.isOver) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#changed = () => {
        if (!condition() && !this.isOver) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Until something comes, or for so long. */
  moment(timeoutMs: number): Promise<void> {
    const before = this.#length;
    return this.until(() => this.#length > before, timeoutMs);
  }

  verdict(): string {
    if (this.#length === 0) return this.#error || (this.isOver ? "closed" : "silence");
    const bytes = Buffer.concat(this.#chunks);
    const headEnd = bytes.indexOf("\r\n\r\n");
    const status = bytes.toString("latin1", 9, 12);
    if (status !== "101") return status;
    const { frames } = decodeServerFrames(bytes.subarray(headEnd + 4));
    const close = frames.find(({ opcode }) => opcode === 8);
    if (close === undefined) return this.isOver ? "101, ended" : "101, open";
    return `101, closed ${close.payload.length > 1 ? close.payload.readUInt16BE(0) : 1005}`;
  }

  #over(): void {
    this.isOver = true;
    this.#changed();
  }
}
