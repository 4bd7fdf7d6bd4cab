/**
 * How far a measurement is, on stderr: a bar that moves on a terminal, a plain line for each phase
 * and second anywhere else.
 */
import type { Writable } from "node:stream";
import { styleText } from "node:util";
import type { Progress } from "../bench/tally.ts";

const WIDTH = 30;
const LINES_EVERY_MS = 1000;

export class BenchProgress {
  readonly #stream: Writable & { isTTY?: boolean };
  #shownAtMs = Number.NEGATIVE_INFINITY;
  #phase = "";
  #hasBar = false;

  constructor(stream: Writable & { isTTY?: boolean }) {
    this.#stream = stream;
  }

  show(phase: string, share: number, progress: Progress): void {
    if (this.#stream.isTTY === true) {
      this.#hasBar = true;
      this.#stream.write(`\r\x1b[K${bar(share)} ${percent(share)} ${phase}, ${told(progress)}`);
      return;
    }
    const nowMs = performance.now();
    if (phase === this.#phase && nowMs - this.#shownAtMs < LINES_EVERY_MS) return;
    this.#phase = phase;
    this.#shownAtMs = nowMs;
    this.#stream.write(`${phase}: ${percent(share)}, ${told(progress)}\n`);
  }

  /** What is written next begins on an empty line. */
  end(): void {
    if (this.#hasBar) this.#stream.write("\r\x1b[K");
    this.#hasBar = false;
  }
}

function bar(share: number): string {
  const full = Math.round(share * WIDTH);
  return styleText("cyan", "━".repeat(full)) + styleText("dim", "━".repeat(WIDTH - full));
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function told({ opened, failed, lost, messages }: Progress): string {
  const ends = failed + lost === 0 ? "" : `, ${failed} failed, ${lost} lost`;
  const rest = messages === 0 ? "" : `, ${messages} messages`;
  return `${opened} opened${ends}${rest}`;
}
