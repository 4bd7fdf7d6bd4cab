/**
 * A hub's service behind link:// or link+unix://: this worker's own sockets to each instance of
 * it. This file makes events of calls and wires the parts; how links, routes, delivery, connects
 * and commands work is in the files beside it.
 */
import type { HubLimits, LinkServiceConfiguration } from "../../config/configuration.ts";
import type { Log } from "../../core/log.ts";
import type { MessageOpcode } from "../../core/opcode.ts";
import type { LinkFault } from "../../link/fault.ts";
import { COMMAND, CONNECT_ANSWER, type ServiceFrame } from "../../link/frame.ts";
import type { UpstreamCounts } from "../../metrics/worker-counts.ts";
import { Agenda, nowMs } from "../delivery/agenda.ts";
import { Durations } from "../delivery/durations.ts";
import { Intake } from "../delivery/intake.ts";
import { Lanes } from "../delivery/lanes.ts";
import { Losses } from "../delivery/losses.ts";
import { QuietLog } from "../delivery/quiet-log.ts";
import type {
  ConnectAnswer,
  ConnectionFacts,
  ConnectRequest,
  MessageOutcome,
  Upstream,
  UpstreamSink,
} from "../upstream.ts";
import { parseLinkUrl, type Resolve, resolveByName } from "./address.ts";
import { type CommandCounts, Commands } from "./commands.ts";
import { Connects } from "./connects.ts";
import { Delivery } from "./delivery.ts";
import { Homes } from "./homes.ts";
import { Instances, type LinkIncidents } from "./instances.ts";
import type { Link } from "./link.ts";
import { Outage } from "./outage.ts";
import { Routes } from "./routes.ts";
import type { LinkReactor } from "./socket.ts";

export interface LinkUpstreamConfiguration {
  service: LinkServiceConfiguration;
  /** The gateway's name. */
  name: string;
  signingKeys: readonly string[];
  limits: HubLimits;
  lifecycleQueueMax: number;
  connectionStateBytesMax: number;
  nameBytesMax: number;
  groupsPerConnectionMax: number;
  pushBytesMax: number;
}

export interface LinkUpstreamOptions {
  hub: string;
  /** What the ids of this worker's connections begin with. */
  nonce: string;
  reactor: LinkReactor;
  configuration: LinkUpstreamConfiguration;
  sink: UpstreamSink;
  log: Log;
  /** In [0, 1), for jitter. */
  random?: () => number;
  resolve?: Resolve;
}

export interface LinkUpstreamCounts extends UpstreamCounts {
  incidents: LinkIncidents;
  pushes: CommandCounts;
  /** Connections with events that are not acknowledged. */
  lanes: number;
  heldMessages: number;
  heldBytes: number;
  /** Links over which new events may go. */
  links: number;
}

/** Beside the payload, in a frame of the service: names, ids that are left out, a content type. */
const FRAME_MARGIN_BYTES = 64 << 10;

export class LinkUpstream implements Upstream {
  readonly #outbox: LinkReactor["outbox"];
  readonly #intake: Intake;
  readonly #agenda = new Agenda();
  readonly #log: QuietLog;
  readonly #losses: Losses;
  readonly #lanes: Lanes;
  readonly #routes: Routes;
  readonly #delivery: Delivery;
  readonly #connects: Connects;
  readonly #commands: Commands;
  readonly #instances: Instances;
  readonly #outage: Outage;
  readonly #durations = new Durations();
  /** `#begin` comes at the end of this turn of the reactor. */
  #isDue = false;
  /** Set while closing waits for what is held. */
  #whenEmpty: (() => void) | undefined;

  constructor(options: LinkUpstreamOptions) {
    const { hub, configuration, log, nonce, reactor, sink } = options;
    const { limits, pushBytesMax, service } = configuration;
    const random = options.random ?? Math.random;
    const { observe } = this.#durations;
    const wake = () => this.#wake();
    const agenda = this.#agenda;
    const fields = { hub, service: service.addresses.join(",") };
    const quietLog = new QuietLog(log, agenda);
    const losses = new Losses(quietLog, fields);
    const homes = new Homes(reactor.slots.capacity);
    const routes = new Routes(homes);
    const kept = { ...configuration, sink, agenda, losses, log: quietLog, fields, random, wake };
    const lanes = new Lanes({ ...kept, ready: routes, isPipelined: true });
    this.#outbox = reactor.outbox;
    // Its service makes an event's id of its connection's and its number.
    this.#intake = new Intake(lanes, sink, () => "");
    this.#log = quietLog;
    this.#losses = losses;
    this.#lanes = lanes;
    this.#routes = routes;
    this.#outage = new Outage(log, fields);
    this.#delivery = new Delivery({ ...configuration, lanes, routes, sink, observe });
    this.#connects = new Connects({
      ...{ routes, agenda, rules: configuration, log: quietLog, fields, observe, wake },
      serviceResponseBytesMax: limits.serviceResponseBytesMax,
      whyNoLink: () => this.#outage.cause,
    });
    this.#commands = new Commands(sink, configuration);
    this.#instances = new Instances({
      ...{ reactor, agenda, log, quietLog, fields, random },
      addresses: service.addresses.map(parseLinkUrl),
      connectTimeoutMs: limits.serviceConnectTimeoutMs,
      greeting: {
        ...{ gateway: configuration.name, hub, nonce, signingKeys: configuration.signingKeys },
        frameBytesMax: Math.max(pushBytesMax, limits.serviceResponseBytesMax) + FRAME_MARGIN_BYTES,
      },
      resolve: options.resolve ?? resolveByName,
      failed: (cause) => this.#failed(cause),
      events: this.#linkEvents(),
      lost: (link) => this.#lost(link),
    });
    lanes.setBlocked(true);
    this.#instances.open();
  }

  get heldBytes(): number {
    return this.#lanes.heldBytes;
  }

  get heldMemoryBytes(): number {
    return this.#lanes.heldMemoryBytes;
  }

  connect(request: ConnectRequest, timeoutMs: number): Promise<ConnectAnswer> {
    return this.#connects.ask(request, timeoutMs);
  }

  connected(place: number): void {
    this.#intake.connected(place);
  }

  message(
    place: number,
    number: number,
    opcode: MessageOpcode,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): MessageOutcome {
    return this.#intake.message(place, number, opcode, bytes, offset, length);
  }

  disconnected(place: number, reason: string, code: number): void {
    this.#intake.disconnected(place, reason, code);
    this.#delivery.ended(place);
  }

  abandoned(facts: ConnectionFacts, reason: string, code: number): void {
    this.#intake.abandoned(facts, reason, code);
  }

  async close(timeoutMs: number): Promise<void> {
    this.#connects.isClosing = true;
    this.#connects.retry();
    if (!this.#isEmpty()) {
      await new Promise<void>((resolve) => {
        const timeout = this.#agenda.at(nowMs() + timeoutMs, resolve);
        this.#whenEmpty = () => {
          this.#agenda.cancel(timeout);
          resolve();
        };
      });
    }
    this.#lanes.close();
    this.#connects.close();
    this.#instances.close();
    this.#log.flush();
    this.#agenda.clear();
  }

  counts(): LinkUpstreamCounts {
    let inflight = this.#connects.inflight;
    let links = 0;
    for (const link of this.#routes.links.values()) {
      inflight += link.eventsUnderWay;
      if (link.isOpen) links += 1;
    }
    return {
      ...this.#lanes.counts(),
      carrier: "link",
      inflight,
      incidents: { ...this.#instances.incidents },
      pushes: { ...this.#commands.counts },
      dropped: { ...this.#losses.dropped },
      abandoned: { ...this.#losses.abandoned },
      durations: this.#durations.counts(),
      links,
    };
  }

  #linkEvents() {
    return {
      welcomed: (link: Link) => {
        this.#routes.opened(link);
        this.#outage.ended();
        this.#lanes.setBlocked(false);
        this.#connects.retry();
        this.#begin();
      },
      frame: (link: Link, frame: ServiceFrame) => this.#take(link, frame),
      leaving: (link: Link) => {
        this.#routes.leaving(link);
        this.#lanes.setBlocked(!this.#routes.isOpen);
      },
      second: (link: Link) => {
        this.#delivery.second(link);
        this.#begin();
      },
      read: () => this.#wake(),
    };
  }

  #take(link: Link, frame: ServiceFrame): LinkFault | undefined {
    if (this.#lanes.isClosed) return undefined;
    switch (frame.type) {
      case CONNECT_ANSWER:
        this.#connects.answered(frame);
        return undefined;
      case COMMAND:
        this.#commands.take(link, frame);
        return undefined;
      default:
        return this.#delivery.frame(link, frame);
    }
  }

  #lost(link: Link): void {
    this.#connects.lost(link);
    this.#commands.lost(link);
    this.#delivery.lost(link);
    this.#lanes.setBlocked(!this.#routes.isOpen);
    this.#begin();
  }

  #failed(cause: string): void {
    if (this.#routes.isOpen) return;
    this.#outage.began(cause);
    this.#connects.retry();
  }

  /** Once for all that a turn brings, so that a connection's messages go out together. */
  #wake(): void {
    if (!this.#outbox.inTurn) {
      this.#begin();
      return;
    }
    if (this.#isDue) return;
    this.#isDue = true;
    this.#outbox.atTurnEnd(() => this.#begin());
  }

  #begin(): void {
    this.#isDue = false;
    this.#delivery.start();
    for (const link of this.#routes.links.values()) {
      const isDone = link.isLeaving && link.eventsUnderWay === 0 && !this.#connects.isAsked(link);
      if (isDone) link.end();
    }
    if (this.#whenEmpty !== undefined && this.#isEmpty()) this.#whenEmpty();
  }

  #isEmpty(): boolean {
    return this.#lanes.isEmpty && this.#connects.inflight === 0;
  }
}
