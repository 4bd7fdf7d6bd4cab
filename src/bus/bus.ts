/**
 * The seam over which pushes and questions reach the workers that hold the connections. `local`
 * is one machine; a cluster brings another implementation and changes nothing above.
 */
import type { Answer, Command } from "./command.ts";

export interface Bus {
  /**
   * Asks every worker that may hold a match; resolves with what they answered together.
   * `partial` is true when one of them died or did not answer in time.
   */
  ask(command: Command): Promise<{ answer: Answer; partial: boolean }>;
}

/** The side of a worker: the gateway executes what arrives. */
export type Execute = (command: Command) => Promise<Answer>;
