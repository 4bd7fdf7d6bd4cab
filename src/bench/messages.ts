/**
 * What the parent and its generators say to each other, over Node's IPC. Times are those of
 * CLOCK_MONOTONIC, in milliseconds.
 */
import type { Delivered } from "./fanout.ts";
import type { GeneratorOptions } from "./options.ts";
import type { Progress, TallyCounts } from "./tally.ts";

export type ToGenerator =
  | { type: "start"; options: GeneratorOptions }
  /** Begins, in all generators at the same time. */
  | { type: "run"; atMs: number }
  /** One push, with the time that it was meant for, if it was meant for one. */
  | { type: "push"; number: number; sentAtMs: number | undefined }
  /** Ends what runs, with what was seen so far; of pushes there were so many. */
  | { type: "finish"; pushes: number };

export type FromGenerator =
  | { type: "progress"; progress: Progress }
  /** All connections are open, or came to nothing. */
  | { type: "ready" }
  | { type: "delivered"; delivered: Delivered }
  | { type: "result"; counts: TallyCounts }
  | { type: "failed"; code: `HG_${string}`; message: string };
