/**
 * One process of the benchmark: opens its share of the connections, runs its load when it is told
 * to, and gives an account. It prints nothing and decides nothing that concerns the others.
 */
import { HeadgateError } from "../core/error.ts";
import type { Binding } from "../reactor/binding.ts";
import { type ClientEvents, Clients } from "./clients.ts";
import { ClosedEcho } from "./closed-echo.ts";
import { Connect } from "./connect.ts";
import { Fanout } from "./fanout.ts";
import { encodeFlight } from "./flight.ts";
import { Hold } from "./hold.ts";
import type { Load } from "./load.ts";
import type { FromGenerator } from "./messages.ts";
import { OpenEcho } from "./open-echo.ts";
import type { GeneratorOptions } from "./options.ts";
import { monotonicOffsetMs } from "./push-payload.ts";
import { Ramp } from "./ramp.ts";
import { Tally } from "./tally.ts";

/** Descriptors that the process needs besides those of its connections. */
export const DESCRIPTORS_KEPT = 64;
const PROGRESS_EVERY_MS = 250;
/** Connections that were told to close are waited for no longer than this. */
const FAREWELL_MS = 2500;

export class Generator {
  readonly #options: GeneratorOptions;
  readonly #send: (message: FromGenerator) => void;
  readonly #tally = new Tally();
  readonly #clients: Clients;
  readonly #load: Load;
  readonly #progress: NodeJS.Timeout;
  readonly #timers = new Set<NodeJS.Timeout>();
  #ramp: Ramp | undefined;
  #isMeasuring = false;
  #isOver = false;
  #ended: (() => void) | undefined;

  constructor(binding: Binding, options: GeneratorOptions, send: (message: FromGenerator) => void) {
    this.#options = options;
    this.#send = send;
    const sockets = options.mode === "connect" ? options.concurrency : options.connections;
    const limit = binding.raiseDescriptorLimit() - DESCRIPTORS_KEPT;
    if (sockets > limit) {
      throw new HeadgateError(
        "HG_BENCH_DESCRIPTORS",
        `A generator cannot open ${sockets} connections: the limit of open files leaves it ` +
          `${limit}. Raise it with "ulimit -n", or use more --processes.`,
      );
    }
    // A slot that is closed is free only in the next turn, and dialling does not wait for it.
    const slotsMax = sockets + options.concurrency + DESCRIPTORS_KEPT;
    // The events are called once the load is there: nothing is dialled before.
    const events: ClientEvents = {
      opened: (slot) => this.#load.opened(slot),
      received: (slot, offset, end) => this.#load.received(slot, offset, end),
      lost: (slot) => {
        this.#load.lost(slot);
        this.#checkEnded();
      },
      ended: () => {
        this.#load.ended();
        this.#checkEnded();
      },
    };
    this.#clients = new Clients(binding, options, this.#tally, slotsMax, events);
    this.#load = this.#createLoad();
    this.#progress = setInterval(() => this.#report(), PROGRESS_EVERY_MS);
  }

  open(): void {
    this.#clients.reactor.start();
    if (!this.#load.opensFirst) {
      this.#send({ type: "ready" });
      return;
    }
    const { connections, rampPerSecond, concurrency } = this.#options;
    this.#ramp = new Ramp(this.#clients, connections, rampPerSecond, concurrency, () => {
      this.#report();
      this.#send({ type: "ready" });
    });
  }

  /** Begins at a time of the clock that all processes share. */
  run(atMs: number): void {
    const { warmupMs, durationMs, timeoutMs } = this.#options;
    const startMs = atMs - monotonicOffsetMs;
    const untilMs = startMs + warmupMs + durationMs;
    this.#at(startMs, () => {
      if (this.#isOver) return;
      this.#isMeasuring = true;
      this.#tally.begin();
      this.#load.begin(untilMs, () => this.#finished());
    });
    if (warmupMs > 0) this.#at(startMs + warmupMs, () => this.#tally.beginAnew());
    this.#at(untilMs, () => this.#tally.endSending());
    this.#at(untilMs + timeoutMs, () => this.#finish(0, true));
  }

  push(number: number, sentAtMs: number | undefined): void {
    if (this.#load instanceof Fanout) this.#load.push(number, sentAtMs);
  }

  /** Ends what runs, if something does, and gives an account of what was seen so far. */
  finish(pushes: number): void {
    this.#finish(pushes, false);
  }

  /** Resolves when all connections are closed, or are closed by force. */
  async close(): Promise<void> {
    this.finish(0);
    this.#clients.closeAll();
    if (this.#clients.sockets > 0) {
      await new Promise<void>((resolve) => {
        this.#ended = resolve;
        this.#at(performance.now() + FAREWELL_MS, resolve);
      });
    }
    for (const timer of this.#timers) clearTimeout(timer);
    this.#clients.reactor.stop();
  }

  #createLoad(): Load {
    const { mode, payloadBytes, pipeline, text, timeoutMs, ratePerSecond } = this.#options;
    switch (mode) {
      case "echo": {
        const flight = encodeFlight(payloadBytes, pipeline, text, this.#clients.mask);
        return ratePerSecond === undefined
          ? new ClosedEcho(this.#clients, flight, timeoutMs)
          : new OpenEcho(this.#clients, flight, timeoutMs, ratePerSecond);
      }
      case "hold":
        return new Hold(this.#clients);
      case "fanout":
        return new Fanout(this.#clients, {
          ...{ payloadBytes, text, sendsItself: this.#options.sendsItself },
          delivered: (delivered) => this.#send({ type: "delivered", delivered }),
        });
      case "connect":
        return new Connect(this.#clients, this.#options.concurrency, ratePerSecond);
    }
  }

  #finish(pushes: number, isTooLate: boolean): void {
    if (this.#isOver) return;
    this.#tally.end();
    if (this.#load instanceof Fanout) this.#load.finish(pushes);
    else if (this.#isMeasuring) this.#load.stop(isTooLate);
    this.#finished();
  }

  #at(atMs: number, run: () => void): void {
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        run();
      },
      Math.max(0, atMs - performance.now()),
    );
    this.#timers.add(timer);
  }

  #report(): void {
    this.#send({ type: "progress", progress: this.#tally.progress() });
  }

  #checkEnded(): void {
    if (this.#clients.sockets === 0) this.#ended?.();
  }

  #finished(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#tally.end();
    this.#ramp?.stop();
    this.#clients.dropPending();
    clearInterval(this.#progress);
    this.#send({ type: "result", counts: this.#tally.counts() });
  }
}
