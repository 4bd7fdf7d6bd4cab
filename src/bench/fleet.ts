/**
 * The generator processes of one measurement: started, told what to do, listened to, and ended. A
 * process that dies before it has given its account is the end of the measurement.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { HeadgateError } from "../core/error.ts";
import type { Delivered } from "./fanout.ts";
import type { FromGenerator, ToGenerator } from "./messages.ts";
import { type BenchOptions, shareOf } from "./options.ts";
import type { Progress, TallyCounts } from "./tally.ts";

const GENERATOR_PATH = fileURLToPath(new URL("./generator-main.js", import.meta.url));
/** They close their connections first, for 2.5 s at the most. */
const EXIT_TIMEOUT_MS = 5000;

interface Member {
  child: ChildProcess;
  progress: Progress;
  isReady: boolean;
  counts: TallyCounts | undefined;
}

export class Fleet {
  /** Called for what one process has delivered whole. */
  delivered: (delivered: Delivered) => void = () => {};
  readonly #members: Member[];
  #failure: Error | undefined;
  #isClosing = false;
  #changed: (() => void)[] = [];

  constructor(options: BenchOptions) {
    this.#members = Array.from({ length: options.processes }, (_, index) => {
      const member = this.#spawn();
      this.#tell(member, { type: "start", options: shareOf(options, index) });
      return member;
    });
  }

  get progress(): Progress {
    const sum = (field: keyof Progress) =>
      this.#members.reduce((total, { progress }) => total + progress[field], 0);
    return {
      opened: sum("opened"),
      failed: sum("failed"),
      lost: sum("lost"),
      messages: sum("messages"),
    };
  }

  /** Processes that have more than so many connections, by their order. */
  processesWith(opened: (index: number) => number): number {
    return this.#members.filter(({ progress }, index) => progress.opened > opened(index)).length;
  }

  tell(message: ToGenerator): void {
    for (const member of this.#members) this.#tell(member, message);
  }

  tellFirst(message: ToGenerator): void {
    const [first] = this.#members;
    if (first !== undefined) this.#tell(first, message);
  }

  /** True when all are ready, false when that took too long or `signal` came before. */
  ready(untilMs: number, signal: AbortSignal): Promise<boolean> {
    return this.#until(() => this.#members.every(({ isReady }) => isReady), untilMs, signal);
  }

  /** The same of their accounts. */
  accounted(untilMs: number, signal?: AbortSignal): Promise<boolean> {
    const isAccounted = () => this.#members.every(({ counts }) => counts !== undefined);
    return this.#until(isAccounted, untilMs, signal);
  }

  /** Of those that have given theirs. */
  get accounts(): TallyCounts[] {
    return this.#members.flatMap(({ counts }) => counts ?? []);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const running = this.#members.filter(({ child }) => isRunning(child));
    await Promise.all(
      running.map(async ({ child }) => {
        const exited = once(child, "exit");
        if (child.connected) child.disconnect();
        const insist = setTimeout(() => child.kill("SIGKILL"), EXIT_TIMEOUT_MS);
        await exited;
        clearTimeout(insist);
      }),
    );
  }

  #spawn(): Member {
    const child = spawn(process.execPath, [GENERATOR_PATH], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
    });
    const progress = { opened: 0, failed: 0, lost: 0, messages: 0 };
    const member: Member = { child, progress, isReady: false, counts: undefined };
    child.on("message", (message) => this.#received(member, message as FromGenerator));
    child.on("error", (error) => this.#fail(`could not be started: ${error.message}`));
    child.on("close", (code, signal) => {
      if (!this.#isClosing) this.#fail(`ended before its time (${signal ?? `code ${code}`})`);
    });
    return member;
  }

  /** One that is just dying takes no message, and its end is reported. */
  #tell({ child }: Member, message: ToGenerator): void {
    if (child.connected) child.send(message, () => {});
  }

  #received(member: Member, message: FromGenerator): void {
    switch (message.type) {
      case "progress":
        member.progress = message.progress;
        return;
      case "delivered":
        this.delivered(message.delivered);
        return;
      case "ready":
        member.isReady = true;
        break;
      case "result":
        member.counts = message.counts;
        member.progress = message.counts;
        break;
      case "failed":
        this.#failure ??= new HeadgateError(message.code, message.message);
        break;
    }
    this.#notify();
  }

  #fail(what: string): void {
    this.#failure ??= new HeadgateError(
      "HG_BENCH_GENERATOR",
      `A generator process ${what}; what it says stands above. ` +
        "If the machine has too little memory, ask for fewer connections.",
    );
    this.#notify();
  }

  #notify(): void {
    for (const changed of this.#changed.splice(0)) changed();
  }

  async #until(isIt: () => boolean, untilMs: number, signal?: AbortSignal): Promise<boolean> {
    const timer = setTimeout(() => this.#notify(), Math.max(0, untilMs - performance.now()) + 1);
    const abort = () => this.#notify();
    signal?.addEventListener("abort", abort);
    try {
      while (!isIt()) {
        if (this.#failure !== undefined) throw this.#failure;
        if (signal?.aborted === true || performance.now() >= untilMs) return false;
        await new Promise<void>((resolve) => this.#changed.push(resolve));
      }
      return true;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }
}

function isRunning({ exitCode, signalCode, pid }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}
