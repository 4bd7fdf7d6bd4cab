/**
 * A connection on one link: what is known of it, and its events that wait while a handler is
 * under way. `owed` events were handled and are not acknowledged yet.
 */
import type { Connection } from "../connection.ts";
import type { ServiceEvent } from "../handlers.ts";

export class Channel {
  readonly number: number;
  readonly connection: Connection;
  owed = 0;
  /** One of its events is under way, or it is waited for elsewhere; the others queue up. */
  busy: Promise<unknown> | undefined;
  /** That event, as long as it counts against the link's credit. */
  underWay: ServiceEvent | undefined;
  /** Rejected, or given up by the gateway: what is still under way for it is ignored. */
  isOver = false;
  readonly #waiting: ServiceEvent[] = [];

  constructor(number: number, connection: Connection) {
    this.number = number;
    this.connection = connection;
  }

  wait(event: ServiceEvent): void {
    this.#waiting.push(event);
  }

  next(): ServiceEvent | undefined {
    return this.#waiting.shift();
  }

  /** What nobody is going to handle. */
  drop(): ServiceEvent[] {
    return this.#waiting.splice(0);
  }
}
