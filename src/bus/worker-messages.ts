/**
 * What supervisor and worker say to each other over their IPC channel. Plain data, cloned by
 * Node's "advanced" serialization.
 */
import type { WorkerCounts } from "../metrics/worker-counts.ts";
import type { AnswersMessage, CommandsMessage } from "./local-bus.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** In the order of severity. */
export const logLevels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** The first message to a worker. Its listening sockets are its descriptors from 4 on. */
export interface StartMessage {
  type: "start";
  index: number;
  /** What the worker's connection ids begin with. */
  nonce: string;
  /** The validated configuration as JSON. */
  configuration: string;
  /** How many listening sockets it was handed. */
  listeners: number;
  /** Records below it are not sent. */
  logLevel: LogLevel;
  /** The gateway is being started, and may be told that it cannot be: nobody is in yet. */
  isFirst: boolean;
}

/** The first of a worker's listening sockets: behind stdin, stdout, stderr and the channel. */
export const FIRST_LISTENER_DESCRIPTOR = 4;

export type SupervisorMessage =
  | CommandsMessage
  | StartMessage
  /** Close the clients with 1012, then end. */
  | { type: "stop" };

export type WorkerMessage =
  | AnswersMessage
  | { type: "ready" }
  /** The world does not let it start; it ends. */
  | { type: "failed"; code: `HG_${string}`; message: string }
  | { type: "counts"; counts: WorkerCounts }
  /** It takes no more connections, or takes them again. */
  | { type: "full"; full: boolean }
  | { type: "log"; level: LogLevel; fields: object; sentence: string };
