/**
 * The connect events over links: each asked once, for a client waits, and again only where the
 * instance that was asked leaves. Where no link is open yet it waits for one within its time; what
 * the answer says is judged as over HTTP.
 */
import { parseConnectionId } from "../../core/connection-id.ts";
import { CONNECT, type ConnectAnswer as ConnectAnswerFrame } from "../../link/frame.ts";
import { encodeAttribute } from "../cloudevents/attribute.ts";
import type { ConnectRules, ConnectVerdict } from "../cloudevents/connect.ts";
import {
  judgeConnect,
  reportVerdict,
  traceHeaders,
  unavailable,
  writeConnectBody,
} from "../cloudevents/connect.ts";
import type { Agenda, Appointment } from "../delivery/agenda.ts";
import { nowMs } from "../delivery/agenda.ts";
import type { QuietLog } from "../delivery/quiet-log.ts";
import type { ConnectAnswer, ConnectRequest } from "../upstream.ts";
import type { Link } from "./link.ts";
import type { Routes } from "./routes.ts";
import { connectBytes, isText } from "./sizes.ts";

export interface ConnectsParts {
  routes: Routes;
  agenda: Agenda;
  rules: Omit<ConnectRules, "subprotocols">;
  serviceResponseBytesMax: number;
  log: QuietLog;
  fields: object;
  /** Why nobody needs to wait for a link, while that is so. */
  whyNoLink: () => string | undefined;
  observe: (event: "connect", durationMs: number) => void;
  /** One is over. */
  wake: () => void;
}

interface Question {
  request: ConnectRequest;
  timeout: Appointment;
  answer: (verdict: ConnectVerdict) => void;
  link: Link | undefined;
  /** By which it was asked last; 0 for never. */
  number: number;
}

const REQUESTS_MAX = 0xffffffff;

export class Connects {
  /** Nobody is let in any more. */
  isClosing = false;
  readonly #parts: ConnectsParts;
  readonly #asked = new Map<number, Question>();
  /** For a link. */
  readonly #waiting = new Set<Question>();
  #lastRequest = 0;

  constructor(parts: ConnectsParts) {
    this.#parts = parts;
  }

  get inflight(): number {
    return this.#asked.size + this.#waiting.size;
  }

  async ask(request: ConnectRequest, timeoutMs: number): Promise<ConnectAnswer> {
    const { agenda, fields, log, observe, wake } = this.#parts;
    const startMs = nowMs();
    const verdict = await new Promise<ConnectVerdict>((answer) => {
      const timeout = agenda.at(startMs + timeoutMs, () => {
        this.#waiting.delete(question);
        this.#asked.delete(question.number);
        answer(unavailable("no service answered in time"));
      });
      const question: Question = { request, timeout, answer, link: undefined, number: 0 };
      this.#ask(question);
    });
    observe("connect", nowMs() - startMs);
    wake();
    return reportVerdict(verdict, log, { ...fields, connectionId: request.connectionId });
  }

  /** Whoever is still asked gets 503: no answer is taken any more. */
  close(): void {
    this.isClosing = true;
    this.retry();
    for (const question of this.#asked.values()) {
      this.#answer(question, unavailable("the gateway is closing"));
    }
    this.#asked.clear();
  }

  /** Whether a service still has to answer over this link. */
  isAsked(link: Link): boolean {
    for (const question of this.#asked.values()) if (question.link === link) return true;
    return false;
  }

  /** Links may have opened, or there may be none for now. */
  retry(): void {
    for (const question of [...this.#waiting]) {
      this.#waiting.delete(question);
      this.#ask(question);
    }
  }

  /** An answer to what nobody waits for any more came too late. */
  answered(frame: ConnectAnswerFrame): void {
    const question = this.#asked.get(frame.request);
    if (question === undefined) return;
    this.#asked.delete(frame.request);
    const { bytes, connectionState, contentType, end, start, status } = frame;
    const body = Buffer.from(bytes.subarray(start, end));
    const headers: Record<string, string> = {};
    if (contentType !== "") headers["content-type"] = contentType;
    if (connectionState !== "") headers["ce-connectionstate"] = encodeAttribute(connectionState);
    const tooBig = body.length > this.#parts.serviceResponseBytesMax;
    const outcome = { kind: "answer", status, headers, body, tooBig } as const;
    const { subprotocols } = question.request;
    this.#answer(question, judgeConnect(outcome, { ...this.#parts.rules, subprotocols }));
  }

  lost(link: Link): void {
    for (const [number, question] of this.#asked) {
      if (question.link !== link) continue;
      this.#asked.delete(number);
      // It crossed the goodbye, behind which a service may close: as events it goes elsewhere.
      if (link.isLeaving) this.#ask(question);
      else this.#answer(question, unavailable("the link was lost before it answered"));
    }
  }

  #ask(question: Question): void {
    const { routes, whyNoLink } = this.#parts;
    const { request } = question;
    if (this.isClosing) {
      this.#answer(question, unavailable("the gateway is closing"));
      return;
    }
    // The same instance gets the connection's events.
    const link = routes.choose(parseConnectionId(request.connectionId)?.place ?? 0);
    if (link === undefined) {
      const why = whyNoLink();
      if (why === undefined) this.#waiting.add(question);
      else this.#answer(question, unavailable(why));
      return;
    }
    const payload = writeConnectBody(request);
    const trace = traceHeaders(request);
    const traceOf = (name: string) => {
      const text = trace.includes(name) ? (trace[trace.indexOf(name) + 1] ?? "") : "";
      // Nobody's trace is that long, and a client may send anything.
      return isText(text) ? text : "";
    };
    const frame = {
      type: CONNECT,
      request: this.#nextRequest(),
      timeMs: Date.now(),
      connectionId: request.connectionId,
      traceparent: traceOf("traceparent"),
      tracestate: traceOf("tracestate"),
      ...{ bytes: payload, start: 0, end: payload.length },
    } as const;
    if (connectBytes(frame) > link.frameBytesMax) {
      const why = `its frame is longer than the ${link.frameBytesMax} bytes that it takes`;
      this.#answer(question, unavailable(why));
      return;
    }
    question.link = link;
    question.number = frame.request;
    this.#asked.set(frame.request, question);
    link.socket.send(frame);
  }

  #nextRequest(): number {
    do this.#lastRequest = (this.#lastRequest % REQUESTS_MAX) + 1;
    while (this.#asked.has(this.#lastRequest));
    return this.#lastRequest;
  }

  #answer(question: Question, verdict: ConnectVerdict): void {
    this.#parts.agenda.cancel(question.timeout);
    question.answer(verdict);
  }
}
