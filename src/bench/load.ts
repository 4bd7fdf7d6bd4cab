/**
 * What a mode of the benchmark is to its process: it is told of connections and begins when it is
 * told to; one file each holds the modes themselves.
 */
import type { ClientEvents } from "./clients.ts";

export interface Load extends ClientEvents {
  /** Whether the connections are opened before the load begins. */
  readonly opensFirst: boolean;
  /** Everything is sent by `untilMs` (of performance.now), and `done` told when all is answered. */
  begin(untilMs: number, done: () => void): void;
  /** Nothing more is sent or waited for; `isTooLate`: what is not answered by now never was. */
  stop(isTooLate: boolean): void;
}
