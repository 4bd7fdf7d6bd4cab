/**
 * What becomes of the events of all connections: queued in the order of each, held for a service
 * that fails, given up, acknowledged. It acts on verdicts alone; what goes out when, and how, is
 * delivery.ts's to know.
 */
import assert from "node:assert/strict";
import type { HubLimits } from "../../config/configuration.ts";
import type { ConnectionFacts, FailReason, UpstreamSink } from "../upstream.ts";
import type { Agenda } from "./agenda.ts";
import { nowMs } from "./agenda.ts";
import type { QueuedEvent } from "./lane.ts";
import { BACKING_OFF, IDLE, Lane, READY, SENDING } from "./lane.ts";
import type { Losses } from "./losses.ts";
import type { QuietLog } from "./quiet-log.ts";
import { spreadMs } from "./retry.ts";
import type { StateChange, Verdict } from "./verdict.ts";

const FAILURES_MAX = 3;
const BACKOFF_BASE_MS = 100;
const BACKOFF_CAP_MS = 5000;
/** What a message takes beside its payload, as it was measured with 64 empty ones of each. */
const MESSAGE_BYTES = 450;

export interface LanesParts {
  sink: UpstreamSink;
  agenda: Agenda;
  losses: Losses;
  log: QuietLog;
  /** What every line of the log says of the service. */
  fields: object;
  limits: Pick<HubLimits, "holdTimeoutMs">;
  lifecycleQueueMax: number;
  random: () => number;
  /** Something may begin that could not before: a lane is ready. */
  wake: () => void;
  /** Where lanes wait that have something to send; in what order they go is the carrier's. */
  ready: ReadyQueue;
  /** Whether a lane may begin more while some of it is under way. */
  isPipelined?: boolean;
}

/** The lanes whose next event may go out. */
export interface ReadyQueue {
  add(lane: Lane): void;
  delete(lane: Lane): void;
  clear(): void;
  all(): Iterable<Lane>;
}

export class Lanes {
  readonly #parts: LanesParts;
  // A lane is in #lanes from its first event until its last is settled; its first `sent` events
  // are under way while SENDING. It is in #ready while its state is READY, and where lanes are
  // pipelined also while SENDING with events behind those.
  readonly #lanes = new Map<number, Lane>();
  readonly #ready: ReadyQueue;
  readonly #isPipelined: boolean;
  readonly #queued: Record<QueuedEvent["name"], number> = {
    connected: 0,
    message: 0,
    disconnected: 0,
  };
  #heldBytes = 0;
  #retries = 0;
  #isBlocked = false;
  #isClosed = false;

  constructor(parts: LanesParts) {
    this.#parts = parts;
    this.#ready = parts.ready;
    this.#isPipelined = parts.isPipelined ?? false;
  }

  get isEmpty(): boolean {
    const { connected, message, disconnected } = this.#queued;
    return connected + message + disconnected === 0;
  }

  of(place: number): Lane | undefined {
    return this.#lanes.get(place);
  }

  all(): Iterable<Lane> {
    return this.#lanes.values();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get heldMemoryBytes(): number {
    return this.#heldBytes + this.#queued.message * MESSAGE_BYTES;
  }

  counts() {
    let heldConnections = 0;
    for (const lane of this.#lanes.values()) {
      if (lane.heldSinceMs !== undefined) heldConnections += 1;
    }
    return {
      lanes: this.#lanes.size,
      heldConnections,
      heldMessages: this.#queued.message,
      heldBytes: this.#heldBytes,
      retries: this.#retries,
    };
  }

  /** `facts` is called when they are needed: not later than within the call for `disconnected`. */
  add(place: number, event: QueuedEvent, facts: () => ConnectionFacts): void {
    const lane = this.#lanes.get(place);
    if (event.name === "message") {
      const isWanted = !this.#isClosed && !lane?.failed;
      if (!isWanted) this.#lose(event, this.#isClosed ? "gateway-stopping" : "client-closed");
      else this.#push(lane ?? this.#open(place, facts), event);
      return;
    }
    const isLast = event.name === "disconnected";
    if (isLast) lane?.leave();
    if (this.#isClosed || this.#queued[event.name] >= this.#parts.lifecycleQueueMax) {
      this.#lose(event, this.#isClosed ? "gateway-stopping" : "queue-full");
      if (lane?.state === IDLE) this.#lanes.delete(place);
      return;
    }
    const owner = lane ?? this.#open(place, facts);
    if (isLast) owner.leave();
    this.#push(owner, event);
  }

  /** The next `count` events of a lane that is ready go out, behind those that are under way. */
  begin(lane: Lane, count: number): void {
    this.#ready.delete(lane);
    this.#parts.agenda.cancel(lane.appointment);
    lane.appointment = undefined;
    lane.state = SENDING;
    const first = lane.sent;
    const now = nowMs();
    if (first === 0) lane.progressMs = now;
    lane.sent += count;
    for (let index = first; index < lane.sent; index += 1) {
      const event = lane.events[index];
      assert(event !== undefined);
      event.attempts += 1;
      event.sentAtMs = now;
      if (event.attempts > 1) this.#retries += 1;
    }
    if (this.#isPipelined && lane.events.length > lane.sent) this.#ready.add(lane);
  }

  /**
   * What became of the first `count` events that `begin` sent, asked in their order up to the
   * first that failed: the later ones are to be sent again whatever was said of them, or they
   * would overtake it.
   */
  settle(
    lane: Lane,
    judge: (event: QueuedEvent, index: number) => Verdict,
    count = lane.sent,
  ): void {
    for (let index = 0; index < count; index += 1) {
      const [event] = lane.events;
      assert(event !== undefined);
      const verdict = judge(event, index);
      if (verdict.kind !== "done") {
        lane.sent = 0;
        this.#ready.delete(lane);
        this.#fail(lane, event, verdict);
        return;
      }
      lane.sent -= 1;
      this.#finish(lane, event, verdict);
    }
    if (lane.sent === 0) this.#advance(lane);
    else lane.progressMs = nowMs();
  }

  /**
   * Nothing can be delivered, or can be again. Meanwhile the hold time of whoever waits runs; it
   * is forgotten for those that waited but were never tried.
   */
  setBlocked(isBlocked: boolean): void {
    if (isBlocked === this.#isBlocked) return;
    this.#isBlocked = isBlocked;
    for (const lane of this.#ready.all()) {
      // Its first events are under way: they wait for an answer, and not for a service.
      if (lane.state !== READY) continue;
      if (isBlocked) this.#watchHold(lane);
      else if (lane.events[0]?.attempts === 0) this.#release(lane);
    }
  }

  /** A lane that is ready has waited for too long, by whatever the carrier measures that. */
  expire(lane: Lane): void {
    assert(lane.state === READY);
    this.#expire(lane);
  }

  /** Drops everything; what is in flight is settled by nobody. */
  close(): void {
    this.#isClosed = true;
    for (const lane of this.#lanes.values()) {
      this.#parts.agenda.cancel(lane.appointment);
      for (const event of lane.events.splice(0)) this.#drop(lane, event, "gateway-stopping");
    }
    this.#ready.clear();
    this.#lanes.clear();
  }

  #open(place: number, facts: () => ConnectionFacts): Lane {
    const lane = new Lane(place, facts);
    this.#lanes.set(place, lane);
    return lane;
  }

  #push(lane: Lane, event: QueuedEvent): void {
    lane.events.push(event);
    this.#queued[event.name] += 1;
    if (event.name === "message") this.#heldBytes += event.body.length;
    if (lane.state === IDLE) this.#makeReady(lane);
    // With nothing under way it is being settled, and is made ready behind that.
    else if (this.#isPipelined && lane.sent > 0) this.#ready.add(lane);
    else return;
    this.#parts.wake();
  }

  #shift(lane: Lane): void {
    const event = lane.events.shift();
    assert(event !== undefined);
    this.#forget(event);
  }

  #forget(event: QueuedEvent): void {
    this.#queued[event.name] -= 1;
    if (event.name === "message") this.#heldBytes -= event.body.length;
  }

  #makeReady(lane: Lane): void {
    lane.state = READY;
    this.#ready.add(lane);
    if (this.#isBlocked || lane.heldSinceMs !== undefined) this.#watchHold(lane);
  }

  /** From now on the first event of a lane that is READY is given up when it is held too long. */
  #watchHold(lane: Lane): void {
    lane.heldSinceMs ??= nowMs();
    this.#parts.agenda.cancel(lane.appointment);
    const dueMs = lane.heldSinceMs + this.#parts.limits.holdTimeoutMs;
    lane.appointment = this.#parts.agenda.at(dueMs, () => this.#expire(lane));
  }

  #release(lane: Lane): void {
    lane.heldSinceMs = undefined;
    this.#parts.agenda.cancel(lane.appointment);
    lane.appointment = undefined;
  }

  #fail(lane: Lane, event: QueuedEvent, verdict: Exclude<Verdict, { kind: "done" }>): void {
    switch (verdict.kind) {
      case "held":
        this.#hold(lane, verdict);
        break;
      case "failed":
        event.failures += 1;
        if (event.failures >= FAILURES_MAX) this.#giveUp(lane, "service-error", verdict.cause);
        else this.#hold(lane, { reached: true, retryAfterMs: undefined, cause: verdict.cause });
        break;
      case "refused":
        this.#giveUp(lane, "service-refused", verdict.cause);
        break;
      case "too-big":
        this.#giveUp(lane, "message-too-big", verdict.cause);
        break;
    }
  }

  /** Each call of the sink may lead back here; the lane stays SENDING. */
  #finish(lane: Lane, event: QueuedEvent, verdict: Verdict & { kind: "done" }): void {
    const { sink } = this.#parts;
    this.#shift(lane);
    this.#release(lane);
    lane.backoffs = 0;
    lane.batchMax = Number.POSITIVE_INFINITY;
    if (event.name === "message") {
      this.changeState(lane, verdict.stateChange);
      const { reply } = verdict;
      if (reply !== undefined && !lane.gone) {
        sink.reply(lane.place, reply.opcode, reply.bytes, 0, reply.bytes.length);
      }
      if (!lane.gone) sink.acknowledged(lane.place, 1, event.body.length);
    }
  }

  /** What the service says of a connection's state; later events of its lane carry it. */
  changeState(lane: Lane, change: StateChange): void {
    if (change.kind === "wrong") {
      const { connectionId } = lane.facts;
      const fields = { ...this.#parts.fields, connectionId, cause: change.fault };
      const sentence = "the service set a connection state that cannot be kept; the old one stays";
      this.#parts.log.say("error", fields, sentence);
      return;
    }
    if (change.kind === "kept" || lane.facts.connectionState === change.connectionState) return;
    lane.facts.connectionState = change.connectionState;
    if (!lane.gone) this.#parts.sink.setConnectionState(lane.place, change.connectionState);
  }

  #hold(lane: Lane, verdict: Omit<Verdict & { kind: "held" }, "kind">): void {
    const { agenda, limits, random } = this.#parts;
    const now = nowMs();
    lane.heldSinceMs ??= now;
    const holdEndMs = lane.heldSinceMs + limits.holdTimeoutMs;
    if (now >= holdEndMs) {
      this.#giveUp(lane, "service-unavailable", verdict.cause);
      return;
    }
    if (!verdict.reached) {
      // The outage has a backoff of its own, which is the same for all lanes.
      this.#makeReady(lane);
      return;
    }
    const spread = spreadMs(lane.backoffs, BACKOFF_BASE_MS, BACKOFF_CAP_MS, random());
    lane.backoffs += 1;
    lane.state = BACKING_OFF;
    // A service that says "at once" is not believed: it has just said "later".
    const dueMs = now + Math.max(verdict.retryAfterMs ?? 0, spread);
    lane.appointment =
      dueMs >= holdEndMs
        ? agenda.at(holdEndMs, () => this.#expire(lane))
        : agenda.at(dueMs, () => {
            this.#makeReady(lane);
            this.#parts.wake();
          });
  }

  #expire(lane: Lane): void {
    this.#ready.delete(lane);
    lane.state = SENDING;
    this.#giveUp(lane, "service-unavailable", "the hold time is over");
    this.#parts.wake();
  }

  /** Of the first event, and of all messages if it is one. */
  #giveUp(lane: Lane, reason: FailReason, cause: string): void {
    const [event] = lane.events;
    assert(event !== undefined);
    const { heldSinceMs } = lane;
    this.#release(lane);
    lane.backoffs = 0;
    lane.batchMax = Number.POSITIVE_INFINITY;
    if (event.name === "message") {
      const messages = lane.events.filter((queued) => queued.name === "message");
      lane.events.splice(0, messages.length);
      for (const message of messages) this.#drop(lane, message, reason, cause);
      lane.failed = true;
      if (!lane.gone) this.#parts.sink.fail(lane.place, reason);
    } else {
      lane.events.shift();
      this.#drop(lane, event, reason, cause);
    }
    const [next] = lane.events;
    if (next !== undefined && heldSinceMs !== undefined && reason === "service-unavailable") {
      // The outage goes on: it counts for the next event from when that one began to wait.
      lane.heldSinceMs = Math.max(heldSinceMs, next.queuedAtMs);
      if (nowMs() >= lane.heldSinceMs + this.#parts.limits.holdTimeoutMs) {
        this.#giveUp(lane, reason, cause);
        return;
      }
    }
    this.#advance(lane);
  }

  #advance(lane: Lane): void {
    if (lane.events.length > 0) {
      this.#makeReady(lane);
      return;
    }
    lane.state = IDLE;
    if (lane.gone || !lane.failed) this.#lanes.delete(lane.place);
  }

  #drop(
    lane: Lane,
    event: QueuedEvent,
    reason: Parameters<Losses["add"]>[1],
    cause?: string,
  ): void {
    this.#forget(event);
    const { connectionId } = lane.facts;
    this.#parts.losses.add(event.name, reason, { connectionId, cause });
  }

  #lose(event: QueuedEvent, reason: Parameters<Losses["add"]>[1]): void {
    this.#parts.losses.add(event.name, reason, {});
  }
}
