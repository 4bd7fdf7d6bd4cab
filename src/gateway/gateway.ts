/**
 * One worker's gateway put together: the reactor below, the carriers beside, and what happens to
 * a slot in each phase of its life. It decides nothing itself but what belongs to all of them:
 * how many may come in, and the end.
 */
import type { Answer, Command } from "../bus/command.ts";
import type { Configuration, HubConfiguration } from "../config/configuration.ts";
import { Budget } from "../core/budget.ts";
import type { Log } from "../core/log.ts";
import { Histogram } from "../metrics/histogram.ts";
import type { WorkerCounts } from "../metrics/worker-counts.ts";
import type { Binding } from "../reactor/binding.ts";
import { Reactor, type SlotEvents } from "../reactor/reactor.ts";
import { TICK_MS } from "../reactor/ticks.ts";
import type { Upstream, UpstreamSink } from "../upstreams/upstream.ts";
import { AcceptPauses } from "./accept-pauses.ts";
import { Admission } from "./admission.ts";
import { capacityOf } from "./capacity.ts";
import { Clocks } from "./clocks.ts";
import { Commands } from "./commands.ts";
import { openCompression } from "./compression.ts";
import {
  ASKING,
  CLOSING,
  ConnectionTable,
  HEAD,
  LINGERING,
  OPEN,
  PAUSED_BACKLOG,
} from "./connection-table.ts";
import { Delivery } from "./delivery.ts";
import { Departure } from "./departure.ts";
import { Fanout } from "./fanout.ts";
import { Hub } from "./hub.ts";
import { PathRouter } from "./paths.ts";
import { PushMemory } from "./push-memory.ts";
import { Reception } from "./reception.ts";
import { Shedding } from "./shedding.ts";
import { HubSink } from "./sink.ts";

/** Whatever `closeTimeoutMs` says, a stop does not take longer. */
const STOP_MS_MAX = 8000;
/** Of that at the most, acknowledgements are waited for; the rest is for close frames. */
const STOP_SETTLE_MS_MAX = 5000;
/** Memory that was not needed for so long is given back. */
const TRIM_TICKS = 2000 / TICK_MS;
const ETIMEDOUT = 110;

/** A carrier may dial sockets of its own through the worker's reactor. */
export type OpenUpstream = (
  hubName: string,
  hub: HubConfiguration,
  sink: UpstreamSink,
  reactor: Reactor,
) => Upstream;

export interface GatewayOptions {
  configuration: Configuration;
  /** What this worker's connection ids begin with. */
  nonce: string;
  log: Log;
  binding: Binding;
  openUpstream: OpenUpstream;
  /** This worker takes no more connections, or takes them again. */
  reportFull: (full: boolean) => void;
  /** Called a few times a second. */
  reportCounts: (counts: WorkerCounts) => void;
}

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #connectionsMax: number;
  readonly #hubs: Hub[] = [];
  readonly #budget: Budget;
  readonly #reactor: Reactor;
  readonly #connections: ConnectionTable;
  readonly #departure: Departure;
  readonly #delivery: Delivery;
  readonly #clocks: Clocks;
  readonly #reception: Reception;
  readonly #admission: Admission;
  readonly #shedding: Shedding;
  readonly #commands: Commands;
  readonly #acceptPauses: AcceptPauses;
  /** How long the event loop was held at a time. */
  readonly #turns = new Histogram();
  #isStopping = false;
  #isFull = false;
  /** A sweep may come late, but not be left out. */
  #trimAt = TRIM_TICKS;
  #socketsGone: (() => void) | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#acceptPauses = new AcceptPauses(options.log);
    const { configuration, binding, nonce } = options;
    const { limits } = configuration;
    const descriptorLimit = binding.raiseDescriptorLimit();
    const { connectionsMax, slotsMax } = capacityOf(configuration, descriptorLimit);
    options.log.info({ descriptorLimit, connectionsMax }, "descriptor limit raised");
    this.#connectionsMax = connectionsMax;
    this.#budget = new Budget(limits.bufferBudgetBytes);
    const reactor = new Reactor(binding, slotsMax, this.#budget, this.#events());
    const connections = new ConnectionTable(slotsMax);
    this.#reactor = reactor;
    this.#connections = connections;
    const hubs = this.#hubs;
    const budget = this.#budget;
    this.#departure = new Departure(reactor, connections, hubs, budget, limits);
    const departure = this.#departure;
    const compression = openCompression(configuration.hubs, binding);
    const deflation = compression?.deflation;
    const { deflateWindowBits } = connections;
    this.#delivery = new Delivery(reactor, departure, limits, deflation, deflateWindowBits);
    const delivery = this.#delivery;
    const parts = { reactor, connections, hubs, delivery, departure, budget, limits, nonce };
    this.#shedding = new Shedding(parts, {
      headBytes: (slot) => this.#admission.headBytes(slot),
      refuse: (slot) => this.#admission.shed(slot),
    });
    this.#clocks = new Clocks(parts, (slot) => this.#admission.expired(slot));
    const clocks = this.#clocks;
    this.#reception = new Reception({ ...parts, clocks, compression });
    const router = this.#openHubs();
    this.#admission = new Admission({
      ...parts,
      clocks,
      router,
      reception: this.#reception,
      connectionsMax: this.#connectionsMax,
      isReady: () => !this.#isStopping,
    });
    this.#commands = new Commands({
      ...parts,
      fanout: new Fanout({ ...parts, deflation, turns: this.#turns }),
      pushMemory: new PushMemory(limits.pushReceiversRememberedMax),
      groupsPerConnectionMax: limits.groupsPerConnectionMax,
    });
    budget.unacknowledgedBytes = () => {
      let bytes = 0;
      for (const hub of hubs) bytes += hub.upstream.heldMemoryBytes;
      return bytes;
    };
  }

  /** Takes clients from a listening socket, from `start` on. */
  adopt(descriptor: number): void {
    this.#reactor.adopt(descriptor);
  }

  start(): void {
    this.#reactor.start();
  }

  execute(command: Command): Promise<Answer> {
    return this.#commands.execute(command);
  }

  /** So long the event loop was held at a time. */
  worked(ms: number): void {
    this.#turns.observe(ms / 1000);
  }

  /** A copy: it does not change with what is counted afterwards. */
  counts(): WorkerCounts {
    const budget = this.#budget;
    return {
      connections: this.#connections.openCount,
      handshakesPending: this.#connections.pendingCount,
      acceptPausesTotal: this.#acceptPauses.total,
      openedTotal: this.#admission.openedTotal,
      closedTotal: { ...this.#departure.closed },
      refusedTotal: { ...this.#admission.refused },
      messagesSentTotal: this.#delivery.messagesSent,
      bytesSentTotal: this.#delivery.bytesSent,
      messagesDroppedTotal: { ...this.#delivery.dropped },
      memory: {
        parked: budget.held("parked"),
        unfinished: budget.held("unfinished"),
        queued: budget.held("queued"),
        unacknowledged: budget.unacknowledgedBytes(),
        max: budget.bytesMax,
      },
      hubs: Object.fromEntries(this.#hubs.map((hub) => [hub.name, hub.counts()])),
      turns: this.#turns.counts(),
      turnSecondsMax: this.#turns.max,
    };
  }

  /**
   * Closes every client with 1012, once its messages are acknowledged; resolves when they are
   * gone, or have had their time.
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#reactor.stopAccepting();
    // So that no more clients are steered to a queue from which nobody accepts.
    this.#options.reportFull(true);
    for (let slot = 0; slot < this.#reactor.slots.used; slot += 1) {
      const phase = this.#connections.phases[slot];
      if (phase === OPEN) this.#departure.disconnect(slot, "gateway-stopping");
      else if (phase === HEAD || phase === ASKING) this.#admission.stopped(slot);
    }
    const { closeTimeoutMs } = this.#options.configuration.limits;
    const endMs = performance.now() + STOP_MS_MAX;
    await this.#departure.untilSettled(Math.min(closeTimeoutMs, STOP_SETTLE_MS_MAX));
    const timeoutMs = Math.min(closeTimeoutMs, endMs - performance.now());
    await Promise.all([
      this.#untilSocketsAreGone(timeoutMs),
      ...this.#hubs.map((hub) => hub.upstream.close(timeoutMs)),
    ]);
    this.#reactor.stop();
  }

  #events(): SlotEvents {
    return {
      accepted: (slot) => {
        this.#admission.accepted(slot);
        this.#checkFull();
      },
      received: (slot, offset, end) => this.#received(slot, offset, end),
      ended: (slot) => this.#ended(slot),
      broke: (slot, errno) => this.#broke(slot, errno),
      unwritable: (slot, errno) => this.#unwritable(slot, errno),
      hungUp: (slot) => this.#hungUp(slot),
      queued: (slot) => {
        if (this.#connections.phases[slot] === OPEN) this.#clocks.rearm(slot);
      },
      drained: (slot) => {
        if (this.#delivery.isRelieved(slot)) this.#reception.unpause(slot, PAUSED_BACKLOG);
      },
      expired: (slot) => this.#clocks.expired(slot),
      tookUp: (slot) => this.#reception.tookUp(slot),
      acceptFailed: (errno) => {
        this.#acceptPauses.failed(errno, this.#reactor.tick);
        this.#checkFull();
      },
      swept: () => this.#swept(),
      worked: (ms) => this.worked(ms),
    };
  }

  #received(slot: number, offset: number, end: number): void {
    switch (this.#connections.phases[slot]) {
      case OPEN:
      case CLOSING:
        this.#reception.received(slot, offset, end);
        return;
      case HEAD:
        this.#admission.received(slot, offset, end);
        return;
      default:
        // LINGERING: the peer has not read our last words yet.
        return;
    }
  }

  #ended(slot: number): void {
    const phase = this.#connections.phases[slot];
    if (phase === HEAD || phase === ASKING) {
      this.#admission.gone(slot);
      return;
    }
    if (phase === OPEN && this.#reactor.outbox.isBroken(slot)) {
      this.#departure.lost(slot, "client-gone");
      return;
    }
    this.#departure.ended(slot);
  }

  #broke(slot: number, errno: number): void {
    const phase = this.#connections.phases[slot];
    if (phase === HEAD || phase === ASKING) {
      this.#admission.gone(slot);
      return;
    }
    if (phase !== OPEN) {
      this.#departure.release(slot, false);
      return;
    }
    this.#departure.lost(slot, this.#wasStuck(slot, errno) ? "slow-consumer" : "client-gone");
  }

  #unwritable(slot: number, errno: number): void {
    if (this.#connections.phases[slot] !== OPEN) {
      this.#departure.release(slot, true);
      return;
    }
    if (this.#wasStuck(slot, errno) && !this.#reactor.parked.has(slot)) {
      this.#departure.lost(slot, "slow-consumer");
      return;
    }
    // What it sent before it left is still delivered; then reading finds the end.
    this.#reception.unpause(slot, PAUSED_BACKLOG);
  }

  /** The kernel gave up a client that had not taken what it was sent. */
  #wasStuck(slot: number, errno: number): boolean {
    return errno === ETIMEDOUT && this.#reactor.outbox.queuedBytes(slot) > 0;
  }

  #hungUp(slot: number): void {
    const phase = this.#connections.phases[slot];
    if (phase === ASKING) {
      this.#admission.gone(slot);
      return;
    }
    if (phase === OPEN) {
      this.#reception.unpause(slot, PAUSED_BACKLOG);
      return;
    }
    // Not a reset: the kernel may still be sending what is owed, our FIN included.
    if (phase === CLOSING || phase === LINGERING) this.#departure.release(slot, false);
  }

  #swept(): void {
    this.#acceptPauses.swept(this.#reactor.tick);
    this.#checkFull();
    this.#reception.relieve();
    if (this.#reactor.tick >= this.#trimAt) {
      this.#trimAt = this.#reactor.tick + TRIM_TICKS;
      this.#reception.trim();
      this.#admission.trim();
    }
    this.#shedding.swept();
    this.#options.reportCounts(this.counts());
    if (this.#connections.socketCount === 0) this.#socketsGone?.();
  }

  /** With a margin, so that one client who comes and goes does not turn the selector. */
  #checkFull(): void {
    if (this.#isStopping) return;
    const count = this.#connections.openCount + this.#connections.pendingCount;
    const isCrowded = count >= this.#connectionsMax * (this.#isFull ? 0.98 : 1);
    // Who cannot be accepted here may be well served by another worker.
    const full = isCrowded || this.#acceptPauses.isPaused;
    if (full === this.#isFull) return;
    this.#isFull = full;
    this.#options.reportFull(full);
  }

  #untilSocketsAreGone(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#socketsGone = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#connections.socketCount === 0) this.#socketsGone();
    });
  }

  #openHubs(): PathRouter {
    const router = new PathRouter();
    const { configuration, openUpstream, nonce } = this.#options;
    const parts = {
      reactor: this.#reactor,
      connections: this.#connections,
      delivery: this.#delivery,
      departure: this.#departure,
      reception: this.#reception,
      nonce,
      execute: (command: Command) => this.#commands.execute(command),
    };
    for (const [name, hubConfiguration] of Object.entries(configuration.hubs)) {
      const hub = new Hub(name, this.#hubs.length, hubConfiguration);
      hub.upstream = openUpstream(name, hubConfiguration, new HubSink(hub, parts), this.#reactor);
      for (const path of hubConfiguration.paths) router.add(path, hub.index);
      this.#hubs.push(hub);
    }
    return router;
  }
}
