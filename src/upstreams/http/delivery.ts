/**
 * Takes the events of all lanes to the service: what is ready goes out as far as the requests in
 * flight allow, and of a service that is down only a probe. How many events a request holds is
 * its packer's to know, and what becomes of them its lanes'. It knows nothing of connect events.
 */
import type { HubLimits } from "../../config/configuration.ts";
import type { Outcome } from "../cloudevents/outcome.ts";
import type { Agenda, Appointment } from "../delivery/agenda.ts";
import { nowMs } from "../delivery/agenda.ts";
import type { Health } from "../delivery/health.ts";
import type { Inflight } from "../delivery/inflight.ts";
import type { Lane, QueuedEvent } from "../delivery/lane.ts";
import type { Lanes } from "../delivery/lanes.ts";
import type { ReadyLanes } from "../delivery/ready-lanes.ts";
import type { Service } from "./service.ts";
import type { Packer, Shipment } from "./shipment.ts";

export interface DeliveryParts {
  lanes: Lanes;
  ready: ReadyLanes;
  packer: Packer;
  service: Service;
  agenda: Agenda;
  health: Health;
  inflight: Inflight;
  limits: Pick<HubLimits, "holdTimeoutMs" | "serviceTimeoutMs" | "serviceResponseBytesMax">;
  observe: (event: QueuedEvent["name"], durationMs: number) => void;
  /** Something may begin that could not before: a request has ended, or a probe is due. */
  wake: () => void;
}

export class Delivery {
  readonly #parts: DeliveryParts;
  #probe: Appointment | undefined;
  /** Shipments under way with a lane that was held: they may be slow, and never take all. */
  #heldInflight = 0;
  /** What is ready goes out at the end of this iteration of the event loop. */
  #isGathering = false;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /** Begins what may begin: at once, or with what else this iteration of the event loop brings. */
  start(): void {
    if (!this.#parts.packer.gathers) {
      this.#begin();
      return;
    }
    if (this.#isGathering || !this.#mayBegin()) return;
    this.#isGathering = true;
    setImmediate(() => {
      this.#isGathering = false;
      this.#begin();
    });
  }

  /** What is in flight is settled by nobody. */
  close(): void {
    const { agenda, lanes } = this.#parts;
    lanes.close();
    agenda.cancel(this.#probe);
  }

  #begin(): void {
    const { health } = this.#parts;
    while (this.#mayBegin()) {
      const isProbe = health.down;
      if (isProbe) {
        const { nextProbeMs } = health;
        if (nextProbeMs === undefined) return;
        if (nextProbeMs > nowMs()) {
          this.#probeAt(nextProbeMs);
          return;
        }
        health.beginProbe();
      }
      this.#send(isProbe);
    }
  }

  #mayBegin(): boolean {
    const { inflight, packer, ready } = this.#parts;
    return (
      ready.sizeFor(this.#mayBeginHeld()) > 0 &&
      inflight.mayBeginEvent() &&
      inflight.events < packer.inflightMax
    );
  }

  #mayBeginHeld(): boolean {
    const { inflight, packer } = this.#parts;
    const max = Math.min(packer.inflightMax, inflight.eventsMax);
    return this.#heldInflight < Math.max(1, max >> 1);
  }

  #probeAt(dueMs: number): void {
    const { agenda, wake } = this.#parts;
    if (this.#probe?.dueMs === dueMs && this.#probe.index >= 0) return;
    agenda.cancel(this.#probe);
    this.#probe = agenda.at(dueMs, wake);
  }

  #send(isProbe: boolean): void {
    const { inflight, lanes, limits, packer, ready, service } = this.#parts;
    const shipment = packer.pack(ready.next(this.#mayBeginHeld()));
    const isHeld = shipment.lanes.some(({ heldSinceMs }) => heldSinceMs !== undefined);
    if (isHeld) this.#heldInflight += 1;
    for (const [index, lane] of shipment.lanes.entries()) {
      lanes.begin(lane, shipment.counts[index] as number);
    }
    inflight.events += 1;
    const startMs = nowMs();
    const deadlineMs = Math.min(startMs + limits.serviceTimeoutMs, this.#holdEndMs(shipment.lanes));
    const bytesMax = limits.serviceResponseBytesMax * packer.answersMax;
    const { headers, body } = shipment;
    void service.exchange("POST", headers, body, deadlineMs, bytesMax).then((outcome) => {
      if (isHeld) this.#heldInflight -= 1;
      this.#settle(shipment, outcome, startMs, isProbe);
    });
  }

  /** When the last of these lanes gives up; never as long as one of them is not held. */
  #holdEndMs(lanes: readonly Lane[]): number {
    let lastMs = 0;
    for (const { heldSinceMs } of lanes) {
      if (heldSinceMs === undefined) return Number.POSITIVE_INFINITY;
      lastMs = Math.max(lastMs, heldSinceMs);
    }
    return lastMs + this.#parts.limits.holdTimeoutMs;
  }

  #settle(shipment: Shipment, outcome: Outcome, startMs: number, isProbe: boolean): void {
    const { health, inflight, lanes, packer, wake } = this.#parts;
    inflight.events -= 1;
    if (!lanes.isClosed) {
      this.#observe(shipment, nowMs() - startMs);
      if (outcome.kind === "answer") health.answered(isProbe);
      else health.failed(isProbe, outcome.reached, outcome.cause);
      const judge = packer.judge(shipment, outcome);
      let first = 0;
      for (const [index, lane] of shipment.lanes.entries()) {
        const position = first;
        lanes.settle(lane, (event, later) => judge(event, position + later));
        first += shipment.counts[index] as number;
      }
    }
    wake();
  }

  #observe({ lanes, counts }: Shipment, durationMs: number): void {
    for (const [index, { events }] of lanes.entries()) {
      const count = counts[index] as number;
      for (let at = 0; at < count; at += 1) {
        this.#parts.observe((events[at] as QueuedEvent).name, durationMs);
      }
    }
  }
}
