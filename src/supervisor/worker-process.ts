/**
 * One worker process: how it is spawned with its listening sockets, told what to do, and how its
 * end is noticed, exactly once. A process that ended is never started again; its member does that.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { StartMessage, SupervisorMessage, WorkerMessage } from "../bus/worker-messages.ts";

/**
 * Its youngest objects get 2 MiB at the most and not V8's 16: what many clients have unfinished
 * lives long, and would make V8 give all of them to objects that do not.
 */
const YOUNG_GENERATION = "--max-semi-space-size=2";
/**
 * A message passes through some thirty small functions: with these bounds V8 makes one of them,
 * which takes half the time. By default it stops after a dozen.
 */
const INLINING = [
  "--max-inlined-bytecode-size-cumulative=4000",
  "--max-inlined-bytecode-size=1000",
];
/** With which a worker that idles collects garbage: src/worker/idle-collection.ts. */
const COLLECTABLE = "--expose-gc";
const FLAGS = [YOUNG_GENERATION, ...INLINING, COLLECTABLE];

export interface WorkerEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** There never was a process: the system refused one. */
  refused: Error | undefined;
}

export interface WorkerProcessOptions {
  /** The script that it runs. */
  path: string;
  descriptors: number[];
  start: StartMessage;
  received: (message: WorkerMessage) => void;
  /** Nothing is received afterwards. */
  ended: (end: WorkerEnd) => void;
}

export class WorkerProcess {
  readonly nonce: string;
  readonly #child: ChildProcess | undefined;
  #ended: ((end: WorkerEnd) => void) | undefined;

  constructor(options: WorkerProcessOptions) {
    this.nonce = options.start.nonce;
    this.#ended = options.ended;
    this.#child = this.#spawn(options);
    this.send(options.start);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * A process that is just dying no longer takes messages. That is no error here: its end is
   * about to be reported, and whoever waits for an answer of it is told so then.
   */
  send(message: SupervisorMessage): void {
    if (this.#child?.connected === true) this.#child.send(message, () => {});
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  #spawn(options: WorkerProcessOptions): ChildProcess | undefined {
    let child: ChildProcess;
    try {
      child = spawn(process.execPath, [...FLAGS, options.path], {
        // What a crashing worker says last, its stack, goes to our stderr without us.
        stdio: ["ignore", "inherit", "inherit", "ipc", ...options.descriptors],
        serialization: "advanced",
      });
    } catch (error) {
      // Some refusals of the system are thrown, others are events. The caller gets none of them
      // before it holds this object.
      setImmediate(() => this.#end({ code: null, signal: null, refused: error as Error }));
      return undefined;
    }
    child.on("error", (error) => {
      if (child.pid === undefined) this.#end({ code: null, signal: null, refused: error });
    });
    child.on("message", (message) => {
      options.received(message as WorkerMessage);
    });
    // Unlike "exit", "close" comes after the last message.
    child.on("close", (code, signal) => this.#end({ code, signal, refused: undefined }));
    return child;
  }

  #end(end: WorkerEnd): void {
    const ended = this.#ended;
    this.#ended = undefined;
    ended?.(end);
  }
}
