/**
 * Pushes numbers to everybody of a hub, one after the other, each with an id of its own; some of
 * them a second time with the same id, which nobody may notice.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { GatewayProcess } from "../../support/gateway-process.ts";

const INTERVAL_MS = 200;
const REPEATED_EACH = 5;

export class Publisher {
  /** The number of the next push that is begun. */
  next = 1;
  /** The latest one that was answered with 202. */
  last = 0;
  readonly faults: string[] = [];
  readonly #gateway: GatewayProcess;
  readonly #hub: string;
  #isStopped = false;
  #loop: Promise<void> | undefined;

  constructor(gateway: GatewayProcess, hub: string) {
    this.#gateway = gateway;
    this.#hub = hub;
  }

  start(): void {
    this.#loop = this.#publish();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#loop;
  }

  async #publish(): Promise<void> {
    while (!this.#isStopped) {
      const number = this.next;
      this.next += 1;
      await this.#push(number);
      if (number % REPEATED_EACH === 0) await this.#push(number);
      await delay(INTERVAL_MS);
    }
  }

  async #push(number: number): Promise<void> {
    const path = `/api/hubs/${this.#hub}/groups/everybody/:send`;
    const headers = { "headgate-push-id": `${this.#hub}-${number}` };
    const { status, headers: answer } = await this.#gateway.api(
      "POST",
      path,
      `push ${number}`,
      headers,
    );
    const dropped = answer.get("headgate-dropped");
    const isPartial = answer.get("headgate-partial") !== null;
    if (status === 202 && dropped === "0" && !isPartial) this.last = number;
    else this.faults.push(`push ${number}: ${status}, dropped ${dropped}, partial ${isPartial}`);
  }
}
