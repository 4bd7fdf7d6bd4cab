/**
 * A hub's service behind http:// or https://: CloudEvents in binary mode, one request an event,
 * or in batches. This file makes events of calls and decides what may begin when; how lanes,
 * shipments, connects, consent and connections work is in the files beside it.
 */
import type { HubLimits } from "../../config/configuration.ts";
import type { Log } from "../../core/log.ts";
import type { MessageOpcode } from "../../core/opcode.ts";
import type { UpstreamCounts } from "../../metrics/worker-counts.ts";
import type { Appointment } from "../delivery/agenda.ts";
import { Agenda, nowMs } from "../delivery/agenda.ts";
import { Durations } from "../delivery/durations.ts";
import { EventIds } from "../delivery/event.ts";
import { Health } from "../delivery/health.ts";
import { Inflight } from "../delivery/inflight.ts";
import { Intake } from "../delivery/intake.ts";
import { Lanes } from "../delivery/lanes.ts";
import type { DroppedEvents } from "../delivery/losses.ts";
import { Losses } from "../delivery/losses.ts";
import { QuietLog } from "../delivery/quiet-log.ts";
import { ReadyLanes } from "../delivery/ready-lanes.ts";
import type {
  ConnectAnswer,
  ConnectionFacts,
  ConnectRequest,
  MessageOutcome,
  Upstream,
  UpstreamSink,
} from "../upstream.ts";
import { BatchPacker } from "./batch.ts";
import { Connects } from "./connects.ts";
import { Consent } from "./consent.ts";
import { Delivery } from "./delivery.ts";
import { Service } from "./service.ts";
import { SinglePacker } from "./shipment.ts";

export interface HttpUpstreamConfiguration {
  url: string;
  /** Our origin, as services see it. */
  name: string;
  signingKeys: readonly string[];
  consent: boolean;
  /** Whether several events may go in one request. */
  batch: boolean;
  limits: HubLimits;
  lifecycleQueueMax: number;
  connectionStateBytesMax: number;
  nameBytesMax: number;
  groupsPerConnectionMax: number;
}

export interface HttpUpstreamOptions {
  hub: string;
  configuration: HttpUpstreamConfiguration;
  sink: UpstreamSink;
  log: Log;
  /** In [0, 1), for jitter. */
  random?: () => number;
}

export interface HttpUpstreamCounts extends UpstreamCounts {
  /** Connections with events that are not acknowledged. */
  lanes: number;
  heldMessages: number;
  heldBytes: number;
  dropped: DroppedEvents;
  /** Sockets to the service. */
  connections: number;
  isDown: boolean;
}

export class HttpUpstream implements Upstream {
  readonly #intake: Intake;
  readonly #agenda = new Agenda();
  readonly #ids = new EventIds();
  readonly #log: QuietLog;
  readonly #service: Service;
  readonly #health: Health;
  readonly #inflight: Inflight;
  readonly #consent: Consent;
  readonly #losses: Losses;
  readonly #lanes: Lanes;
  readonly #ready: ReadyLanes;
  readonly #delivery: Delivery;
  readonly #connects: Connects;
  readonly #durations = new Durations();
  #askAgain: Appointment | undefined;
  /** Set while closing waits for what is held. */
  #whenEmpty: (() => void) | undefined;
  #isClosing = false;

  constructor(options: HttpUpstreamOptions) {
    const { hub, configuration, sink, log } = options;
    const { limits } = configuration;
    const random = options.random ?? Math.random;
    const { observe } = this.#durations;
    const wake = () => this.#begin();
    const agenda = this.#agenda;
    const service = new Service(configuration.url, limits, agenda);
    const fields = { hub, service: service.name };
    const sender = {
      hub,
      origin: configuration.name,
      signingKeys: configuration.signingKeys,
    };
    const quietLog = new QuietLog(log, agenda);
    const health = new Health(log, fields, random, () => this.#block());
    const inflight = new Inflight(limits.serviceInflightMax);
    const losses = new Losses(quietLog, fields);
    const shared = { service, sender, agenda, health, inflight, log: quietLog, observe, wake };
    this.#log = quietLog;
    this.#service = service;
    this.#health = health;
    this.#inflight = inflight;
    this.#losses = losses;
    this.#consent = new Consent(service, {
      isNeeded: configuration.consent,
      origin: configuration.name,
      timeoutMs: limits.serviceTimeoutMs,
      log,
      fields,
    });
    const kept = { ...configuration, sink, agenda, losses, log: quietLog, fields, random, wake };
    const ready = new ReadyLanes();
    const lanes = new Lanes({ ...kept, ready });
    const { connectionStateBytesMax } = configuration;
    const packer = configuration.batch
      ? new BatchPacker({ sender, log: quietLog, fields, limits, connectionStateBytesMax })
      : new SinglePacker(sender, connectionStateBytesMax);
    this.#lanes = lanes;
    this.#intake = new Intake(lanes, sink, () => this.#ids.next());
    this.#delivery = new Delivery({ ...shared, limits, lanes, ready, packer });
    this.#ready = ready;
    const hasConsent = () => this.#consent.isGranted;
    this.#connects = new Connects({ ...shared, ids: this.#ids, rules: configuration, hasConsent });
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
  }

  abandoned(facts: ConnectionFacts, reason: string, code: number): void {
    this.#intake.abandoned(facts, reason, code);
  }

  async close(timeoutMs: number): Promise<void> {
    this.#isClosing = true;
    this.#connects.refuseWaiting("the gateway is closing");
    if (!this.#isEmpty()) {
      await new Promise<void>((resolve) => {
        const timeout = this.#agenda.at(nowMs() + timeoutMs, resolve);
        this.#whenEmpty = () => {
          this.#agenda.cancel(timeout);
          resolve();
        };
      });
    }
    this.#delivery.close();
    this.#service.close();
    this.#log.flush();
    this.#agenda.clear();
  }

  counts(): HttpUpstreamCounts {
    return {
      ...this.#lanes.counts(),
      carrier: "http",
      inflight: this.#inflight.total,
      dropped: { ...this.#losses.dropped },
      abandoned: { ...this.#losses.abandoned },
      durations: this.#durations.counts(),
      // A connection for each request is no news, and pushes come by REST.
      incidents: {},
      pushes: {},
      connections: this.#service.connections,
      isDown: this.#health.down,
    };
  }

  #isEmpty(): boolean {
    return this.#lanes.isEmpty && this.#inflight.total === 0;
  }

  /** Begins what may begin. Connect events take their own part first, and more if it is free. */
  #begin(): void {
    if (this.#isClosing) {
      this.#connects.refuseWaiting("the gateway is closing");
      if (this.#isEmpty()) this.#whenEmpty?.();
    }
    if (!this.#consent.isGranted) {
      this.#askForConsent();
      return;
    }
    this.#connects.start(true);
    this.#delivery.start();
    // More than a few connections at a time to a service that is not there would help nobody.
    if (!this.#health.down) this.#connects.start(false);
  }

  #askForConsent(): void {
    const { nextAskMs } = this.#consent;
    if (nextAskMs === undefined) return;
    const dueMs = this.#health.down
      ? Math.max(nextAskMs, this.#health.nextProbeMs ?? nextAskMs)
      : nextAskMs;
    if (dueMs > nowMs()) {
      this.#connects.refuseWaiting("it has not consented to our events");
      if (this.#ready.size === 0) return;
      this.#agenda.cancel(this.#askAgain);
      this.#askAgain = this.#agenda.at(dueMs, () => this.#begin());
      return;
    }
    if (this.#ready.size === 0 && !this.#connects.hasWaiting) return;
    const isProbe = this.#health.down;
    if (isProbe) this.#health.beginProbe();
    void this.#consent.ask().then((outcome) => {
      if (outcome.kind === "answer") this.#health.answered(isProbe);
      else this.#health.failed(isProbe, outcome.reached, outcome.cause);
      this.#block();
      this.#begin();
    });
  }

  #block(): void {
    this.#lanes.setBlocked(this.#health.down || this.#consent.isWithheld);
  }
}
