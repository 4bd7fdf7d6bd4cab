/**
 * A worker's place among the workers: the process that fills it, and after that died the next
 * one, behind the same listening sockets. What the others do meanwhile is the supervisor's part.
 */
import assert from "node:assert/strict";
import type { AnswersMessage } from "../bus/local-bus.ts";
import type { LogLevel, WorkerMessage } from "../bus/worker-messages.ts";
import { makeNonce } from "../core/connection-id.ts";
import { HeadgateError } from "../core/error.ts";
import type { Log } from "../core/log.ts";
import { addCounts, emptyCounts, totalsOf, type WorkerCounts } from "../metrics/worker-counts.ts";
import { Backoff } from "./backoff.ts";
import type { SupervisorTiming } from "./timing.ts";
import { type WorkerEnd, WorkerProcess } from "./worker-process.ts";

export type MemberState =
  /** Its process runs, and is not ready yet. */
  | "starting"
  | "ready"
  /** Its process died, and the next one is due in a moment. */
  | "waiting"
  /** Its process was told to end. */
  | "stopping"
  | "stopped";

export interface MemberOptions {
  index: number;
  /** The script that its processes run. */
  workerPath: string;
  /** Validated, as JSON. */
  configuration: string;
  descriptors: number[];
  logLevel: LogLevel;
  log: Log;
  timing: SupervisorTiming;
  /** State, fullness or counts are others than before. */
  changed: () => void;
  opened: (process: WorkerProcess) => void;
  closed: (process: WorkerProcess) => void;
  answered: (process: WorkerProcess, message: AnswersMessage) => void;
}

export class Member {
  readonly #options: MemberOptions;
  readonly #backoff: Backoff;
  #state: MemberState = "stopped";
  #process: WorkerProcess | undefined;
  #startedAtMs = 0;
  /** As its process told them last. */
  #counts: WorkerCounts | undefined;
  /** What its processes before had counted when they were last heard of. */
  #countsBefore = emptyCounts();
  #connectionsLost = 0;
  #full = false;
  #restarts = 0;
  /** What the worker said of why it cannot start. */
  #failure: HeadgateError | undefined;
  #overdue = false;
  /** Until it has to be ready while "starting", until the restart while "waiting". */
  #timer: NodeJS.Timeout | undefined;
  /** Set until the first process is ready or failed: `start` waits for it. */
  #first: { resolve: () => void; reject: (error: HeadgateError) => void } | undefined;
  #whenStopped: (() => void) | undefined;

  constructor(options: MemberOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.timing);
  }

  get index(): number {
    return this.#options.index;
  }

  get state(): MemberState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get full(): boolean {
    return this.#full;
  }

  get connections(): number {
    return this.#counts?.connections ?? 0;
  }

  /** Of its processes of now and before: no total goes backwards when one dies. */
  get counts(): WorkerCounts {
    return addCounts(this.#countsBefore, this.#counts ?? emptyCounts());
  }

  /** Ever, with processes that died. */
  get connectionsLost(): number {
    return this.#connectionsLost;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /**
   * Resolves when its first process is ready. Rejects when that one ends before, or says what
   * keeps it from starting: this would only happen again. A process that is merely late is killed
   * and replaced, as all later ones are.
   */
  start(): Promise<void> {
    assert(this.#state === "stopped", "a member is started once");
    return new Promise((resolve, reject) => {
      this.#first = { resolve, reject };
      this.#spawn();
    });
  }

  /** Resolves when its process is gone. */
  stop(): Promise<void> {
    if (this.#state === "stopped") return Promise.resolve();
    assert(this.#state !== "stopping", "a member is stopped once");
    clearTimeout(this.#timer);
    this.#first?.reject(new HeadgateError("HG_STOPPED", "Stopped before it was ready."));
    this.#first = undefined;
    const process = this.#process;
    if (process === undefined) {
      this.#become("stopped");
      return Promise.resolve();
    }
    this.#become("stopping");
    process.send({ type: "stop" });
    return new Promise((resolve) => {
      this.#whenStopped = resolve;
    });
  }

  kill(): void {
    this.#process?.kill("SIGKILL");
  }

  #become(state: MemberState): void {
    this.#state = state;
    this.#options.changed();
  }

  #spawn(): void {
    const { index, workerPath, configuration, descriptors, logLevel, timing } = this.#options;
    this.#startedAtMs = performance.now();
    this.#failure = undefined;
    this.#overdue = false;
    const nonce = makeNonce();
    const listeners = descriptors.length;
    const isFirst = this.#first !== undefined;
    const process: WorkerProcess = new WorkerProcess({
      path: workerPath,
      descriptors,
      start: { type: "start", index, nonce, configuration, listeners, logLevel, isFirst },
      received: (message) => this.#received(process, message),
      ended: (end) => this.#ended(process, end),
    });
    this.#process = process;
    this.#timer = setTimeout(() => this.#late(process), timing.readyTimeoutMs);
    this.#become("starting");
  }

  #late(process: WorkerProcess): void {
    this.#overdue = true;
    process.kill("SIGKILL");
  }

  #received(process: WorkerProcess, message: WorkerMessage): void {
    switch (message.type) {
      case "answers":
        this.#options.answered(process, message);
        return;
      case "counts":
        this.#counts = message.counts;
        this.#options.changed();
        return;
      case "full":
        this.#full = message.full;
        this.#options.changed();
        return;
      case "ready":
        this.#ready(process);
        return;
      case "failed":
        this.#failure = new HeadgateError(message.code, message.message);
        return;
      case "log":
        this.#options.log[message.level](
          { worker: this.#options.index + 1, ...message.fields },
          message.sentence,
        );
        return;
      default:
        assert.fail(`worker message ${JSON.stringify(message satisfies never)}`);
    }
  }

  #ready(process: WorkerProcess): void {
    // It may have said so just before it heard that it is to stop.
    if (this.#state !== "starting") return;
    clearTimeout(this.#timer);
    this.#options.opened(process);
    this.#become("ready");
    const worker = this.#options.index + 1;
    const level = this.#restarts > 0 ? "info" : "debug";
    this.#options.log[level]({ worker, pid: process.pid }, `worker ${worker} is ready`);
    this.#first?.resolve();
    this.#first = undefined;
  }

  #ended(process: WorkerProcess, end: WorkerEnd): void {
    clearTimeout(this.#timer);
    this.#process = undefined;
    this.#options.closed(process);
    const connectionsLost = this.connections;
    this.#countsBefore = totalsOf(this.counts);
    this.#counts = undefined;
    this.#full = false;
    if (this.#state === "stopping") {
      this.#become("stopped");
      this.#whenStopped?.();
      return;
    }
    const cause = this.#failure?.message ?? this.#describe(end);
    if (this.#first !== undefined && !this.#overdue) this.#giveUp(cause);
    else this.#restartLater(process, end, cause, connectionsLost);
  }

  #giveUp(cause: string): void {
    const first = this.#first;
    this.#first = undefined;
    this.#become("stopped");
    first?.reject(this.#failure ?? startError(this.#options.index + 1, cause));
  }

  #restartLater(process: WorkerProcess, end: WorkerEnd, cause: string, lost: number): void {
    const { code, signal } = end;
    this.#connectionsLost += lost;
    const worker = this.#options.index + 1;
    const delayMs = this.#backoff.next(performance.now() - this.#startedAtMs);
    this.#options.log.error(
      { worker, pid: process.pid, code, signal, connectionsLost: lost, delayMs },
      `worker ${worker} ended: ${cause}; ${lost} connections lost; starts again in ${delayMs} ms`,
    );
    this.#timer = setTimeout(() => {
      this.#restarts++;
      this.#spawn();
    }, delayMs);
    this.#become("waiting");
  }

  #describe(end: WorkerEnd): string {
    if (end.refused !== undefined) return `the system refused a process (${end.refused.message})`;
    if (this.#overdue) return `not ready within ${this.#options.timing.readyTimeoutMs} ms, killed`;
    if (end.signal !== null) return `killed by ${end.signal}`;
    return `exit code ${end.code}`;
  }
}

function startError(number: number, cause: string): HeadgateError {
  return new HeadgateError(
    "HG_WORKER_FAILED",
    `Worker ${number} ended before it was ready (${cause}); what it wrote last, above, says why.`,
  );
}
