/**
 * The handlers of a service, and how one is run: what it throws becomes a rejection or an answer,
 * and a handler that returns no promise costs none. It knows no carrier.
 */
import { HeadgateError } from "../core/error.ts";
import {
  type ConnectAnswer,
  type ConnectOutcome,
  type ConnectRequest,
  connectOutcome,
  failedConnect,
  Refusal,
} from "./connect-request.ts";
import { type Rejection, rejectionOf } from "./fault.ts";
import type { ConnectedEvent, DisconnectedEvent } from "./lifecycle.ts";
import type { Message } from "./message.ts";

/** Each may return a promise, or not. */
export interface HandlerTable {
  /** Who may come in, and as whom. Without this handler everybody may. */
  connect(
    request: ConnectRequest,
  ): ConnectAnswer | Refusal | undefined | Promise<ConnectAnswer | Refusal | undefined>;
  connected(event: ConnectedEvent): unknown;
  message(message: Message): unknown;
  disconnected(event: DisconnectedEvent): unknown;
}

export type EventName = keyof HandlerTable;
export type ServiceEvent = ConnectedEvent | Message | DisconnectedEvent;

/** Undefined: taken. */
export type Outcome = Rejection | undefined;

/** The delivery of an event that was handled, which may not be the only one. */
export interface Taken {
  readonly event: ServiceEvent;
  readonly outcome: Outcome;
}

const names: readonly string[] = ["connect", "connected", "message", "disconnected"];

export class Handlers {
  readonly report: (error: Error) => void;
  readonly #table: Partial<HandlerTable> = {};

  constructor(report: (error: Error) => void) {
    this.report = report;
  }

  set<Name extends EventName>(name: Name, handler: HandlerTable[Name]): void {
    if (!names.includes(name)) {
      throw new HeadgateError(
        "HG_UNKNOWN_EVENT",
        `There is no event "${name}"; handlers are for ${names.join(", ")}.`,
      );
    }
    // Without one every event is taken, and nobody handles it: a misspelt name would do that.
    if (typeof handler !== "function") {
      throw new HeadgateError(
        "HG_HANDLER_MISSING",
        `The handler for "${name}" is no function, but ${handler}.`,
      );
    }
    if (this.#table[name] !== undefined) {
      throw new HeadgateError(
        "HG_HANDLER_TWICE",
        `The event "${name}" has a handler already, and takes one; call both from it.`,
      );
    }
    this.#table[name] = handler;
  }

  /** Never throws and never rejects. */
  take(event: ServiceEvent): Outcome | Promise<Outcome> {
    let returned: unknown;
    try {
      returned = this.#call(event);
    } catch (thrown) {
      return this.#reject(event, thrown);
    }
    if (!isThenable(returned)) {
      if (event.name === "message") event.settle();
      return undefined;
    }
    return this.#settle(event, returned);
  }

  async connect(request: ConnectRequest): Promise<ConnectOutcome> {
    try {
      return connectOutcome(await this.#table.connect?.(request));
    } catch (thrown) {
      if (thrown instanceof Refusal) return connectOutcome(thrown);
      const { rejection, error } = rejectionOf(thrown, "connect", request.connectionId);
      if (error !== undefined) this.report(error);
      return failedConnect(thrown, rejection);
    }
  }

  #call(event: ServiceEvent): unknown {
    switch (event.name) {
      case "message":
        return this.#table.message?.(event);
      case "connected":
        return this.#table.connected?.(event);
      case "disconnected":
        return this.#table.disconnected?.(event);
    }
  }

  async #settle(event: ServiceEvent, returned: PromiseLike<unknown>): Promise<Outcome> {
    try {
      await returned;
      if (event.name === "message") event.settle();
      return undefined;
    } catch (thrown) {
      return this.#reject(event, thrown);
    }
  }

  #reject(event: ServiceEvent, thrown: unknown): Rejection {
    if (event.name === "message") event.settle();
    const { rejection, error } = rejectionOf(thrown, event.name, event.connectionId);
    if (error !== undefined) this.report(error);
    return rejection;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}

/** A callback of the service's that throws is a bug of its own: it must not break ours off. */
export function guardReport(onError: ((error: Error) => void) | undefined) {
  return (error: Error): void => {
    if (onError === undefined) {
      process.emitWarning(error);
      return;
    }
    try {
      onError(error);
    } catch (thrown) {
      queueMicrotask(() => {
        throw thrown;
      });
    }
  };
}
