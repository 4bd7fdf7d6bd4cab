/**
 * The bus within one machine, on the supervisor's side: questions go to the workers over whatever
 * channel each of them has, and their answers are added up. It starts and watches no process;
 * who does, says here which workers there are.
 */
import assert from "node:assert/strict";
import { parseConnectionId } from "../core/connection-id.ts";
import { HeadgateError } from "../core/error.ts";
import type { Bus } from "./bus.ts";
import { type Answer, type Command, emptyAnswer, mergeAnswers } from "./command.ts";

/** The way to one worker, such as a child process with `serialization: "advanced"`. */
export interface WorkerChannel {
  /** Never throws: a channel that broke is told by removing its worker. */
  send(message: unknown): void;
}

export interface CommandsMessage {
  type: "commands";
  commands: { id: number; command: Command }[];
}

export interface AnswersMessage {
  type: "answers";
  answers: { id: number; answer: Answer }[];
}

export interface LocalBusOptions {
  /** How long the workers may take before an answer is partial. */
  timeoutMs: number;
  /** Questions in flight, and questions that one worker may owe an answer to. */
  questionsMax: number;
  /** Payload bytes of those. */
  bytesMax: number;
}

const DEFAULTS: LocalBusOptions = {
  timeoutMs: 5000,
  questionsMax: 10_000,
  bytesMax: 64 * 1024 * 1024,
};

interface Question {
  command: Command;
  bytes: number;
  /** Workers that have not answered yet. */
  waiting: Set<Worker>;
  answers: Answer[];
  partial: boolean;
  resolve(result: { answer: Answer; partial: boolean }): void;
}

/**
 * A question stays in `owed` until its worker answers, however late: it may still lie in the
 * channel. So a worker that hangs can make nobody queue more than the options allow.
 */
interface Worker {
  channel: WorkerChannel;
  owed: Map<number, { bytes: number }>;
  owedBytes: number;
  /** What goes to it at the end of this turn of the event loop. */
  outgoing: CommandsMessage["commands"];
}

export class LocalBus implements Bus {
  readonly #options: LocalBusOptions;
  readonly #workers = new Map<string, Worker>();
  readonly #questions = new Map<number, Question>();
  #questionsBytes = 0;
  #lastId = 0;
  /** Asked in this turn; not empty while a flush is scheduled. */
  #asked: number[] = [];

  constructor(options: Partial<LocalBusOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  addWorker(nonce: string, channel: WorkerChannel): void {
    assert(!this.#workers.has(nonce), "a nonce belongs to one start of one worker");
    this.#workers.set(nonce, { channel, owed: new Map(), owedBytes: 0, outgoing: [] });
  }

  /** What the worker still owed is answered without it, as partial. */
  removeWorker(nonce: string): void {
    const worker = this.#workers.get(nonce);
    if (worker === undefined) return;
    this.#workers.delete(nonce);
    for (const id of worker.owed.keys()) {
      const question = this.#questions.get(id);
      if (question === undefined) continue;
      question.partial = true;
      this.#settleOne(id, question, worker);
    }
  }

  ask(command: Command): Promise<{ answer: Answer; partial: boolean }> {
    const workers = this.#workersFor(command);
    if (workers.length === 0) return Promise.resolve({ answer: emptyAnswer(), partial: false });
    const bytes = command.verb === "send" ? command.bytes.byteLength : 0;
    const { questionsMax, bytesMax } = this.#options;
    if (this.#questions.size >= questionsMax || this.#questionsBytes + bytes > bytesMax) {
      return Promise.reject(
        new HeadgateError(
          "HG_BUS_FULL",
          "The workers have more pushes and questions before them than may wait; " +
            "try again in a second, and push less at once.",
        ),
      );
    }
    return new Promise((resolve) => {
      const waiting = new Set(workers);
      this.#enqueue({ command, bytes, waiting, answers: [], partial: false, resolve });
    });
  }

  /** Takes what came from a worker; false if it is no message of the bus. */
  receive(nonce: string, message: unknown): boolean {
    if (!isAnswers(message)) return false;
    const worker = this.#workers.get(nonce);
    if (worker === undefined) return true;
    for (const { id, answer } of message.answers) {
      const owed = worker.owed.get(id);
      if (owed === undefined) continue;
      worker.owed.delete(id);
      worker.owedBytes -= owed.bytes;
      const question = this.#questions.get(id);
      if (question === undefined) continue;
      question.answers.push(answer);
      this.#settleOne(id, question, worker);
    }
    return true;
  }

  #workersFor(command: Command): Worker[] {
    const connectionId =
      command.verb === "describe"
        ? command.connectionId
        : command.verb !== "list" && command.target.kind === "connection"
          ? command.target.connectionId
          : undefined;
    if (connectionId === undefined) return [...this.#workers.values()];
    const worker = this.#workers.get(parseConnectionId(connectionId)?.nonce ?? "");
    return worker === undefined ? [] : [worker];
  }

  #enqueue(question: Question): void {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#questions.set(id, question);
    this.#questionsBytes += question.bytes;
    if (this.#asked.length === 0) setImmediate(() => this.#flush());
    this.#asked.push(id);
    for (const worker of [...question.waiting]) {
      if (this.#isFull(worker, question.bytes)) {
        question.partial = true;
        this.#settleOne(id, question, worker);
        continue;
      }
      worker.owed.set(id, { bytes: question.bytes });
      worker.owedBytes += question.bytes;
      worker.outgoing.push({ id, command: question.command });
    }
  }

  #isFull(worker: Worker, bytes: number): boolean {
    const { questionsMax, bytesMax } = this.#options;
    return worker.owed.size >= questionsMax || worker.owedBytes + bytes > bytesMax;
  }

  /** Everything that was asked in one turn is one message to each worker, and has one timer. */
  #flush(): void {
    const asked = this.#asked;
    this.#asked = [];
    for (const worker of this.#workers.values()) {
      if (worker.outgoing.length === 0) continue;
      const message: CommandsMessage = { type: "commands", commands: worker.outgoing };
      worker.outgoing = [];
      worker.channel.send(message);
    }
    const timer = setTimeout(() => {
      for (const id of asked) {
        const question = this.#questions.get(id);
        if (question === undefined) continue;
        question.partial = true;
        this.#resolve(id, question);
      }
    }, this.#options.timeoutMs);
    // A question that is awaited has a client's socket behind it, which keeps the process alive.
    timer.unref();
  }

  #settleOne(id: number, question: Question, worker: Worker): void {
    question.waiting.delete(worker);
    if (question.waiting.size === 0) this.#resolve(id, question);
  }

  #resolve(id: number, question: Question): void {
    this.#questions.delete(id);
    this.#questionsBytes -= question.bytes;
    const { command, answers, partial } = question;
    const limit = command.verb === "list" ? command.limit : Number.POSITIVE_INFINITY;
    question.resolve({ answer: mergeAnswers(answers, limit), partial });
  }
}

function isAnswers(message: unknown): message is AnswersMessage {
  return (message as AnswersMessage | null)?.type === "answers";
}
