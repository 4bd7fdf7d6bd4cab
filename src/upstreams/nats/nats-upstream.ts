/**
 * A hub's service behind nats://: events as messages on subjects, over core NATS or JetStream,
 * and pushes from there. This file makes events of calls and wires the parts; how publishing,
 * connects, pushes and the connection work is in the files beside it.
 */
import type { HubLimits, NatsServiceConfiguration } from "../../config/configuration.ts";
import type { Log } from "../../core/log.ts";
import type { MessageOpcode } from "../../core/opcode.ts";
import type { UpstreamCounts } from "../../metrics/worker-counts.ts";
import { Agenda, nowMs } from "../delivery/agenda.ts";
import { Durations } from "../delivery/durations.ts";
import { EventIds } from "../delivery/event.ts";
import { Intake } from "../delivery/intake.ts";
import type { Lane, QueuedEvent } from "../delivery/lane.ts";
import { Lanes } from "../delivery/lanes.ts";
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
import type { NatsClientCounts } from "./client.ts";
import { NatsClient } from "./client.ts";
import { Connects } from "./connects.ts";
import { CoreDelivery } from "./core-delivery.ts";
import { outgoingOf } from "./outgoing.ts";
import type { PushCounts } from "./pushes.ts";
import { Pushes } from "./pushes.ts";
import { planFor, prepareStream } from "./stream.ts";
import { StreamDelivery } from "./stream-delivery.ts";
import { Subjects } from "./subjects.ts";

export interface NatsUpstreamConfiguration {
  service: NatsServiceConfiguration;
  /** The gateway's name. */
  name: string;
  signingKeys: readonly string[];
  limits: HubLimits;
  lifecycleQueueMax: number;
  connectionStateBytesMax: number;
  nameBytesMax: number;
  groupsPerConnectionMax: number;
  pushBytesMax: number;
  /** Of all hubs of the same stream, the longest time from first attempt to last. */
  sharedRetryMs?: number;
}

export interface NatsUpstreamOptions {
  hub: string;
  /** What the ids of this worker's connections begin with. */
  nonce: string;
  configuration: NatsUpstreamConfiguration;
  sink: UpstreamSink;
  log: Log;
  /** In [0, 1), for jitter. */
  random?: () => number;
}

export interface NatsUpstreamCounts extends UpstreamCounts {
  heldMessages: number;
  heldBytes: number;
  isDown: boolean;
  incidents: NatsClientCounts & { unheard: number };
  pushes: PushCounts;
}

export class NatsUpstream implements Upstream {
  readonly #intake: Intake;
  readonly #agenda = new Agenda();
  readonly #ids = new EventIds();
  readonly #log: QuietLog;
  readonly #client: NatsClient;
  readonly #losses: Losses;
  readonly #lanes: Lanes;
  readonly #delivery: CoreDelivery | StreamDelivery;
  readonly #connects: Connects;
  readonly #pushes: Pushes;
  readonly #durations = new Durations();
  /** Set while closing waits for what is held. */
  #whenEmpty: (() => void) | undefined;

  constructor(options: NatsUpstreamOptions) {
    const { hub, nonce, configuration, sink, log } = options;
    const { service, limits } = configuration;
    const random = options.random ?? Math.random;
    const { observe } = this.#durations;
    const wake = () => this.#begin();
    const agenda = this.#agenda;
    const fields = { hub, service: service.servers.join(",") };
    const sender = { hub, origin: configuration.name, signingKeys: configuration.signingKeys };
    const subjects = new Subjects(service.prefix, hub);
    const quietLog = new QuietLog(log, agenda);
    const losses = new Losses(quietLog, fields);
    const kept = { ...configuration, sink, agenda, losses, log: quietLog, fields, random, wake };
    const ready = new ReadyLanes();
    const lanes = new Lanes({ ...kept, ready });
    this.#intake = new Intake(lanes, sink, () => this.#ids.next());
    this.#log = quietLog;
    this.#losses = losses;
    this.#lanes = lanes;
    const pushes = new Pushes({
      ...{ sink, subjects, nonce, rules: configuration, agenda, log: quietLog, fields },
    });
    this.#pushes = pushes;
    const stored = service.delivery === "at-least-once";
    const plan = planFor(hub, service, limits, configuration.sharedRetryMs);
    const client = new NatsClient({
      ...{ service, agenda, log, quietLog, fields, random },
      name: `headgate ${configuration.name} ${hub}`,
      connectTimeoutMs: limits.serviceConnectTimeoutMs,
      opened: (connection) => pushes.subscribe(connection),
      prepare: async (connection) => {
        // Behind this the server knows what we subscribe to: an answer to the first event comes.
        await connection.flush();
        if (stored) await prepareStream(connection, plan);
      },
      ready: () => {
        lanes.setBlocked(false);
        this.#begin();
      },
      lost: () => {
        lanes.setBlocked(true);
        this.#delivery.lost();
        pushes.subscribeAgain();
      },
    });
    this.#client = client;
    const outgoing = (event: QueuedEvent, lane: Lane) => outgoingOf(event, lane, subjects, sender);
    this.#delivery = stored
      ? new StreamDelivery({
          ...{ lanes, ready, client, outgoing, limits, observe, wake, fields },
          log: quietLog,
          stream: service.stream,
        })
      : new CoreDelivery({ lanes, ready, client, outgoing, log: quietLog, fields, wake });
    this.#connects = new Connects({
      ...{ client, sender, ids: this.#ids, rules: configuration, log: quietLog, fields },
      ...{ observe, wake, subject: subjects.connect },
      serviceResponseBytesMax: limits.serviceResponseBytesMax,
    });
    lanes.setBlocked(true);
    client.open();
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
    this.#connects.isClosing = true;
    const endMs = nowMs() + timeoutMs;
    if (!this.#isEmpty()) {
      await this.#within(
        endMs,
        new Promise<void>((resolve) => {
          this.#whenEmpty = resolve;
        }),
      );
    }
    // What was published is in a buffer of ours until the server has answered behind it.
    let isFlushed = false;
    const flushed = this.#client.ready?.flush().then(
      () => {
        isFlushed = true;
      },
      () => {},
    );
    if (flushed !== undefined) await this.#within(endMs, flushed);
    if (!isFlushed) this.#delivery.lost();
    this.#lanes.close();
    await this.#client.close();
    this.#log.flush();
    this.#agenda.clear();
  }

  counts(): NatsUpstreamCounts {
    return {
      ...this.#lanes.counts(),
      carrier: "nats",
      inflight: this.#delivery.inflight + this.#connects.inflight,
      dropped: { ...this.#losses.dropped },
      abandoned: { ...this.#losses.abandoned },
      durations: this.#durations.counts(),
      isDown: this.#client.ready === undefined,
      incidents: { ...this.#client.counts, unheard: this.#pushes.unheard },
      pushes: { ...this.#pushes.counts },
    };
  }

  /** One literal without a spread, behind which V8 makes hidden classes anew for each event. */
  #isEmpty(): boolean {
    return this.#lanes.isEmpty && this.#delivery.inflight + this.#connects.inflight === 0;
  }

  #begin(): void {
    this.#delivery.start();
    if (this.#whenEmpty !== undefined && this.#isEmpty()) this.#whenEmpty();
  }

  /** Until it is done, or its time is over. */
  async #within(endMs: number, done: Promise<void>): Promise<void> {
    await new Promise<void>((resolve) => {
      const timeout = this.#agenda.at(endMs, resolve);
      void done.then(() => {
        this.#agenda.cancel(timeout);
        resolve();
      });
    });
  }
}
