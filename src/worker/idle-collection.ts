/**
 * Gives memory back while the worker has next to nothing to do: what a crowd's handshakes and
 * messages left behind, V8 would keep until it needs the room, which an idle process never does.
 * It decides when, by how busy the event loop is; how memory is given back is its caller's.
 */

import assert from "node:assert/strict";
import { openSync, readSync } from "node:fs";
import type { Binding } from "../reactor/binding.ts";

const LOOK_MS = 500;
/** Of an interval, what the event loop may work and still count as quiet. */
const QUIET_UTILIZATION_MAX = 0.05;
/** Intervals in a row: between two crowds there is no time to collect. */
const QUIET_LOOKS = 2;
/** What is less than this above what the last collection left is not worth a pause. */
const GROWTH_BYTES_MIN = 2 << 20;
/**
 * A collection stops the loop for some 20 ms twice, and longer on a machine that others use: a few
 * may follow each other, after a crowd that came and another that spoke, but light traffic that
 * goes on for ever meets one a minute at the most.
 */
const COLLECTIONS_AT_ONCE = 4;
const LOOKS_PER_COLLECTION = 120;

interface IdleProcess {
  /** The busy share of the event loop's time since the last call, from 0 to 1. */
  utilization(): number;
  /** Of resident memory. */
  residentBytes(): number;
  collect(): void;
}

export class IdleCollection {
  readonly #process: IdleProcess;
  readonly #worked: (ms: number) => void;
  #quietLooks = 0;
  /** The first pass is done and the second is not. */
  #isHalfDone = false;
  /** In looks: a collection costs `LOOKS_PER_COLLECTION` of them. */
  #credit = COLLECTIONS_AT_ONCE * LOOKS_PER_COLLECTION;
  /** The least that was resident since the last collection; 0 before the first. */
  #keptBytes = 0;

  /** `worked` is told how long each pass held the event loop. */
  constructor(process: IdleProcess, worked: (ms: number) => void) {
    this.#process = process;
    this.#worked = worked;
  }

  /** Until the process ends, which it holds up no longer than anything else does. */
  start(): void {
    setInterval(() => this.look(), LOOK_MS).unref();
  }

  /**
   * Called once an interval. A collection has two passes: pages that the first finds empty are
   * swept beside the loop, and only the second gives them back. Of 55 MB of heap with 15 in use
   * the first left 47, and both together 18.
   */
  look(): void {
    this.#credit = Math.min(this.#credit + 1, COLLECTIONS_AT_ONCE * LOOKS_PER_COLLECTION);
    const isQuiet = this.#process.utilization() <= QUIET_UTILIZATION_MAX;
    this.#quietLooks = isQuiet ? this.#quietLooks + 1 : 0;
    if (this.#quietLooks < QUIET_LOOKS) return;
    if (!this.#isHalfDone) {
      if (this.#credit < LOOKS_PER_COLLECTION || !this.#hasGrown()) return;
      this.#credit -= LOOKS_PER_COLLECTION;
    }
    this.#isHalfDone = !this.#isHalfDone;
    // A pass is work too: the second finds the loop quiet for as long as the first did.
    this.#quietLooks = 0;
    const startedAtMs = performance.now();
    this.#process.collect();
    this.#worked(performance.now() - startedAtMs);
    this.#keptBytes = this.#process.residentBytes();
  }

  #hasGrown(): boolean {
    const residentBytes = this.#process.residentBytes();
    this.#keptBytes = Math.min(this.#keptBytes, residentBytes);
    return residentBytes >= this.#keptBytes + GROWTH_BYTES_MIN;
  }
}

/** The process that runs this; without `--expose-gc`, all but V8's garbage is given back. */
export function thisProcess(binding: Pick<Binding, "trimMemory">): IdleProcess {
  let last = performance.eventLoopUtilization();
  return {
    utilization: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    residentBytes: residentReader(),
    collect: () => {
      globalThis.gc?.();
      binding.trimMemory();
    },
  };
}

/** Holds its file open: `process.memoryUsage` throws where there are no descriptors any more. */
function residentReader(): () => number {
  const descriptor = openSync("/proc/self/status", "r");
  const text = Buffer.alloc(4096);
  return () => {
    const length = readSync(descriptor, text, 0, text.length, 0);
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(text.toString("latin1", 0, length))?.[1];
    assert(kibibytes !== undefined, "/proc/self/status has no VmRSS");
    return Number(kibibytes) * 1024;
  };
}
