/**
 * Whether the service wants our events at all: asked once per URL by OPTIONS before the first of
 * them, as the CloudEvents webhook specification (1.0, 4.1) has it. Rates are not negotiated.
 */
import type { Log } from "../../core/log.ts";
import type { Answer, AnswerHeaders, Outcome } from "../cloudevents/outcome.ts";
import { describeStatus, isSuccess } from "../cloudevents/outcome.ts";
import { nowMs } from "../delivery/agenda.ts";
import type { Service } from "./service.ts";

const ASK_AGAIN_MS = 10_000;
const ASK_UNANSWERED_AGAIN_MS = 1000;

export class Consent {
  readonly #service: Service;
  readonly #origin: string;
  readonly #timeoutMs: number;
  readonly #log: Log;
  readonly #fields: object;
  #state: "unasked" | "asking" | "withheld" | "granted";
  #wasWithheld = false;
  #nextAskMs = 0;

  constructor(
    service: Service,
    options: { isNeeded: boolean; origin: string; timeoutMs: number; log: Log; fields: object },
  ) {
    this.#service = service;
    this.#origin = options.origin;
    this.#timeoutMs = options.timeoutMs;
    this.#log = options.log;
    this.#fields = options.fields;
    this.#state = options.isNeeded ? "unasked" : "granted";
  }

  get isGranted(): boolean {
    return this.#state === "granted";
  }

  /** From the first answer that does not grant it to the one that does. */
  get isWithheld(): boolean {
    return this.#wasWithheld && this.#state !== "granted";
  }

  /** When to ask, or undefined when not to: it is granted, or being asked for. */
  get nextAskMs(): number | undefined {
    return this.#state === "unasked" || this.#state === "withheld" ? this.#nextAskMs : undefined;
  }

  async ask(): Promise<Outcome> {
    this.#state = "asking";
    const headers = ["webhook-request-origin", this.#origin];
    const deadlineMs = nowMs() + this.#timeoutMs;
    const outcome = await this.#service.exchange("OPTIONS", headers, null, deadlineMs);
    if (outcome.kind === "answer" && grants(outcome, this.#origin)) {
      this.#state = "granted";
      this.#log.info(this.#fields, "the service consents to our events");
      return outcome;
    }
    this.#state = "withheld";
    this.#wasWithheld = true;
    if (outcome.kind === "answer") {
      this.#nextAskMs = nowMs() + ASK_AGAIN_MS;
      const cause = describeRefusal(outcome, this.#origin);
      const sentence = "the service does not consent to our events: clients get 503";
      this.#log.error({ ...this.#fields, cause }, sentence);
    } else {
      // A service that cannot be reached is not asked before its next probe is due anyway.
      this.#nextAskMs = nowMs() + (outcome.reached ? ASK_UNANSWERED_AGAIN_MS : 0);
    }
    return outcome;
  }
}

function grants(answer: Answer, origin: string): boolean {
  return isSuccess(answer.status) && allows(answer.headers, origin);
}

/** One or several origins, or `*`; host names compare without regard to case. */
function allows(headers: AnswerHeaders, origin: string): boolean {
  const allowed = [headers["webhook-allowed-origin"] ?? []].flat().join(",").split(",");
  return allowed.some((entry) => {
    const name = entry.trim().toLowerCase();
    return name === "*" || name === origin.toLowerCase();
  });
}

function describeRefusal(answer: Answer, origin: string): string {
  if (!isSuccess(answer.status)) return `${describeStatus(answer.status)} to OPTIONS`;
  const header = [answer.headers["webhook-allowed-origin"] ?? "absent"].flat().join(", ");
  return `WebHook-Allowed-Origin is ${header}, and must hold ${origin} or *`;
}
