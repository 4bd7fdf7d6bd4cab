/**
 * The connect events: each asked once and never again, for a client waits for the answer. Those
 * that find no room wait in their order, within their own time.
 */

import type { ConnectRules, ConnectVerdict } from "../cloudevents/connect.ts";
import {
  connectEvent,
  judgeConnect,
  reportVerdict,
  traceHeaders,
  unavailable,
  writeConnectBody,
} from "../cloudevents/connect.ts";
import type { Sender } from "../cloudevents/headers.ts";
import { writeHeaders } from "../cloudevents/headers.ts";
import type { Outcome } from "../cloudevents/outcome.ts";
import { isSuccess } from "../cloudevents/outcome.ts";
import type { Agenda, Appointment } from "../delivery/agenda.ts";
import { nowMs } from "../delivery/agenda.ts";
import type { EventIds } from "../delivery/event.ts";
import type { Health } from "../delivery/health.ts";
import type { Inflight } from "../delivery/inflight.ts";
import type { QuietLog } from "../delivery/quiet-log.ts";
import type { ConnectAnswer, ConnectRequest } from "../upstream.ts";
import type { Service } from "./service.ts";

export interface ConnectsParts {
  service: Service;
  sender: Sender;
  ids: EventIds;
  agenda: Agenda;
  health: Health;
  inflight: Inflight;
  log: QuietLog;
  rules: Omit<ConnectRules, "subprotocols">;
  observe: (event: "connect", durationMs: number) => void;
  /** Whether the service has agreed to get any events. */
  hasConsent: () => boolean;
  /** As in DeliveryParts. */
  wake: () => void;
}

interface Waiting {
  request: ConnectRequest;
  deadlineMs: number;
  timeout: Appointment;
  answer: (answer: ConnectAnswer) => void;
}

const INVALID = {
  level: "error",
  sentence: "the service's answer to a connect event is not valid: the client gets 503",
} as const;
const FAILED = {
  level: "warn",
  sentence: "the service failed to answer a connect event",
} as const;

export class Connects {
  readonly #parts: ConnectsParts;
  readonly #waiting = new Set<Waiting>();

  constructor(parts: ConnectsParts) {
    this.#parts = parts;
  }

  get hasWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  ask(request: ConnectRequest, timeoutMs: number): Promise<ConnectAnswer> {
    return new Promise((answer) => {
      const deadlineMs = nowMs() + timeoutMs;
      const timeout = this.#parts.agenda.at(deadlineMs, () => {
        this.#waiting.delete(waiting);
        answer(this.#report(request, unavailable(this.#whatWasInTheWay())));
      });
      const waiting = { request, deadlineMs, timeout, answer };
      this.#waiting.add(waiting);
      this.#parts.wake();
    });
  }

  start(fromKept: boolean): void {
    const { agenda, inflight } = this.#parts;
    for (const waiting of this.#waiting) {
      if (!inflight.mayBeginConnect(fromKept)) return;
      this.#waiting.delete(waiting);
      agenda.cancel(waiting.timeout);
      this.#send(waiting);
    }
  }

  /** Nobody needs to wait for what cannot be asked. */
  refuseWaiting(cause: string): void {
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting);
      this.#parts.agenda.cancel(waiting.timeout);
      waiting.answer(this.#report(waiting.request, unavailable(cause)));
    }
  }

  #whatWasInTheWay(): string {
    if (this.#parts.hasConsent()) return "too many requests to it are under way";
    return "it has not said yet whether it consents to our events";
  }

  #send({ request, deadlineMs, answer }: Waiting): void {
    const { health, ids, inflight, observe, rules, sender, service, wake } = this.#parts;
    const body = writeConnectBody(request);
    const { event, facts } = connectEvent(request, ids.next(), body);
    const own = writeHeaders(event, facts, sender, event.timeMs);
    const headers = [...own, ...traceHeaders(request)];
    inflight.connects += 1;
    const startMs = nowMs();
    void service.exchange("POST", headers, body, deadlineMs).then((outcome) => {
      inflight.connects -= 1;
      observe("connect", nowMs() - startMs);
      if (outcome.kind === "answer") health.answered(false);
      else health.failed(false, outcome.reached, outcome.cause);
      const { subprotocols } = request;
      const verdict = judgeConnect(outcome, { ...rules, subprotocols });
      answer(this.#report(request, verdict, outcome));
      wake();
    });
  }

  #report(request: ConnectRequest, verdict: ConnectVerdict, outcome?: Outcome): ConnectAnswer {
    const { log, sender, service } = this.#parts;
    const { connectionId } = request;
    const fields = { hub: sender.hub, service: service.name, connectionId };
    const isInvalid = outcome?.kind === "answer" && isSuccess(outcome.status);
    return reportVerdict(verdict, log, fields, isInvalid ? INVALID : FAILED);
  }
}
