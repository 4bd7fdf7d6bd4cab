/**
 * One worker put together: the gateway behind its listening sockets, the carriers of its hubs,
 * and its side of the bus. The process around it (signals, its end) is main.ts.
 */

import type { CommandsMessage } from "../bus/local-bus.ts";
import { LocalBusWorker } from "../bus/local-bus-worker.ts";
import {
  FIRST_LISTENER_DESCRIPTOR,
  type StartMessage,
  type WorkerMessage,
} from "../bus/worker-messages.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Log } from "../core/log.ts";
import { Gateway, type OpenUpstream } from "../gateway/gateway.ts";
import type { Binding } from "../reactor/binding.ts";
import { checkServices, loadCarriers } from "./carriers.ts";
import { CountsReporter } from "./counts-reporter.ts";

export interface WorkerOptions {
  start: StartMessage;
  binding: Binding;
  log: Log;
  send: (message: WorkerMessage) => void;
}

export class Worker {
  readonly #gateway: Gateway;
  readonly #bus: LocalBusWorker;
  readonly #countsReporter: CountsReporter;

  /** Accepts clients when this resolves. Rejects with a HeadgateError where the world is not so. */
  static async open(options: WorkerOptions): Promise<Worker> {
    const { isFirst, nonce, ...start } = options.start;
    const configuration = JSON.parse(start.configuration) as Configuration;
    // One that takes a dead one's place has clients coming, and holds what they send.
    if (isFirst) await checkServices(configuration);
    const openUpstream = await loadCarriers(configuration, nonce, options.log);
    return new Worker(options, configuration, openUpstream);
  }

  private constructor(
    { start, binding, log, send }: WorkerOptions,
    configuration: Configuration,
    openUpstream: OpenUpstream,
  ) {
    this.#countsReporter = new CountsReporter((counts) => send({ type: "counts", counts }));
    this.#gateway = new Gateway({
      configuration,
      nonce: start.nonce,
      log,
      binding,
      openUpstream,
      reportFull: (full) => send({ type: "full", full }),
      reportCounts: (counts) => this.#countsReporter.report(counts),
    });
    this.#bus = new LocalBusWorker({
      execute: (command) => this.#gateway.execute(command),
      send,
    });
    for (let listener = 0; listener < start.listeners; listener++) {
      this.#gateway.adopt(FIRST_LISTENER_DESCRIPTOR + listener);
    }
    this.#gateway.start();
    // Before it is ready: from then on its metrics are all there, from 0.
    this.#countsReporter.report(this.#gateway.counts());
  }

  receive(message: CommandsMessage): void {
    this.#bus.receive(message);
  }

  /** Something beside the gateway held the event loop for so long. */
  worked(ms: number): void {
    this.#gateway.worked(ms);
  }

  /** Closes the clients with 1012; resolves when they are gone. */
  async stop(): Promise<void> {
    await this.#gateway.stop();
    this.#countsReporter.report(this.#gateway.counts());
    this.#countsReporter.stop();
  }
}
